"""The committed sample is what its generator makes, and shows what the README says."""

from __future__ import annotations

import gzip
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from pipeline.core.errors import DataError
from pipeline.sources import SourceConfig, open_source

DATA = Path(__file__).parents[2] / "data"


def content(path: Path) -> bytes:
    """The bytes of a file; packed ones unpacked, since zlib versions pack differently."""
    data = path.read_bytes()
    if path.suffix == ".png":
        with Image.open(path) as image:
            return image.tobytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def generated(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("files/**/*") if path.is_file()]
    files += [*folder.glob("*.gz"), folder / "DATA_CLASS"]
    return {str(file.relative_to(folder)): content(file) for file in files}


def test_committed_files_are_the_generated_ones(tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(DATA / "make_sample.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    made, committed = generated(tmp_path), generated(DATA)
    assert made.keys() == committed.keys()
    assert [name for name in made if made[name] != committed[name]] == []


def test_the_chinese_table_is_the_generated_one(tmp_path: Path) -> None:
    command = [sys.executable, "-B", str(DATA / "make_llmlf.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    for name in ("reports.csv", "DATA_CLASS"):
        assert (tmp_path / name).read_bytes() == (DATA / "llmlf" / name).read_bytes()


def test_packed_tables_carry_no_time() -> None:
    tables = list(DATA.glob("*.csv.gz"))
    assert len(tables) == 3
    assert all(table.read_bytes()[4:8] == bytes(4) for table in tables)


def test_enough_studies_and_one_reject() -> None:
    source = open_source(SourceConfig(path=str(DATA)))
    assert (source.kind, source.data_class) == ("mimic-tree", "synthetic")
    records, reasons = [], Counter[str]()
    for locator in source.locators():
        try:
            records.append(source.read(locator))
        except DataError as error:
            reasons[error.reason] += 1
    assert len(records) >= 140
    assert reasons == {"empty": 1}
    per_patient = Counter(record["subject_id"] for record in records)
    assert len(per_patient) >= 50
    assert sum(count > 1 for count in per_patient.values()) >= 30
    assert {record["split"] for record in records} == {"train", "validate", "test"}
    assert any(record["view"] == "lateral" for record in records)
    assert any(record.get("encoding") for record in records)
    assert all(record["labels"] and record["study_order"] for record in records)


@pytest.mark.parametrize(
    ("pattern", "least"),
    [
        (r"^ FINDINGS:", 60),
        (r"^ FINDINGS AND IMPRESSION:|^ FINDINGS/IMPRESSION:|^ IMPRESSION/FINDINGS:", 3),
        (r"^ WET READ:", 3),
        (r"^ ADDENDUM:", 3),
        (r"^ FIN\w*NGS:|^ IMP\w*S+ON:", 3),
        (r"^Findings: ", 3),
        (r"FINDINGS: .*IMPRESSION: ", 3),
        (r"^ LUNGS:", 3),
        (r"^ 2\. ", 20),
        (r"___", 100),
        (r"\r\n", 3),
        (r"\t", 3),
        (r"^ NOTIFICATION:", 5),
        (r"^ RECOMMENDATION\(S\):", 5),
        (r"(?s)\A(?!.*FINDINGS)(?!.*IMPRESSION)(?!.*Findings).+", 3),
    ],
)
def test_layouts(pattern: str, least: int) -> None:
    notes = [file.read_bytes().decode("latin-1") for file in DATA.glob("files/*/*/*.txt")]
    flags = re.MULTILINE if "FINDINGS: .*" not in pattern else re.MULTILINE | re.DOTALL
    assert sum(bool(re.search(pattern, note, flags)) for note in notes) >= least


def test_small_enough_to_carry_along() -> None:
    files = [file for file in DATA.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    assert sum(file.stat().st_size for file in files) < 600_000


def test_every_frontal_image_is_drawn_small() -> None:
    source = open_source(SourceConfig(path=str(DATA)))
    frontal = {
        f"files/p{x['subject_id'][:2]}/p{x['subject_id']}/s{x['id']}/{image['dicom_id']}.png"
        for x in source.locators()
        for image in x["images"]
        if image["view"] in ("postero-anterior", "antero-posterior")
    }
    drawn = {str(path.relative_to(DATA)): path for path in DATA.rglob("*.png")}
    assert drawn.keys() == frontal
    assert sum(path.stat().st_size for path in drawn.values()) < 300_000
    for path in drawn.values():
        with Image.open(path) as image:
            assert image.size == (64, 80) and "shows nobody" in image.info["Description"]
