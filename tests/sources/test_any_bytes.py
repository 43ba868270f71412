"""Whatever lies in a file, the answer is a record, a reject or one line that says what is wrong."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources import SourceConfig, open_source
from tests.sources.mimic_tree import NOTES, write_tree


def packed_zip() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, note in NOTES.items():
            archive.writestr(name, note * 5)
    return data.getvalue()


def packed_tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as archive:
        report = b'<eCitation><AbstractText Label="FINDINGS">Clear.</AbstractText></eCitation>'
        member = tarfile.TarInfo("ecgen-radiology/1.xml")
        member.size = len(report)
        archive.addfile(member, io.BytesIO(report))
    return data.getvalue()


TABLE = b'id,text,split\n1,"Clear lungs.",train\n2,"Two\nlines",test\n'
WHOLE = {
    "x.csv": TABLE,
    "x.tsv": TABLE.replace(b",", b"\t"),
    "x.jsonl": b'{"id": 1, "text": "Clear."}\n{"id": 2, "text": "Not."}\n',
    "x.zip": packed_zip(),
    "x.tgz": packed_tar(),
    "1.xml": b'<eCitation><AbstractText Label="FINDINGS">Clear.</AbstractText></eCitation>',
    "s50000001.txt": b" FINDINGS:  Clear.\n",
    "mimic-cxr-2.0.0-split.csv.gz": gzip.compress(b"dicom_id,study_id,subject_id,split\n", mtime=0),
    "mimic_all.csv": b"subject_id,study_id,dicom_id,view,split,study_date,study_order\n1,2,,,,,x\n",
}


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, bytes]:
    """A file of some kind: whole, cut, with some bytes changed, or nothing but noise."""
    name = draw(st.sampled_from(sorted(WHOLE)))
    data = bytearray(WHOLE[name])
    for _ in range(draw(st.integers(0, 3))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    noise = draw(st.one_of(st.just(b""), st.binary(max_size=30)))
    return name, draw(st.sampled_from([bytes(data[:end]), bytes(data[:end]) + noise, noise]))


@settings(max_examples=400)
@given(damaged())
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, file: tuple[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("any")
    name, data = file
    path = folder / name
    if "mimic" in name:
        path, metadata = write_tree(folder), folder / name
    else:
        metadata = folder / name
    metadata.write_bytes(data)
    try:
        source = open_source(SourceConfig(path=str(path)))
        source.inputs()
        locators = list(source.locators())
    except ConfigError as error:
        assert "\n" not in str(error)
        return
    assert len({locator["id"] for locator in locators}) == len(locators)
    for locator in locators:
        try:
            record = source.read(locator)
        except DataError as error:
            assert error.reason.replace("_", "").isalpha()
        else:
            assert record["id"] == locator["id"]
            assert record["text"].strip()


def test_undamaged_files_are_read(tmp_path: Path) -> None:
    for name in ("x.csv", "x.tsv", "x.jsonl", "x.zip", "x.tgz", "1.xml", "s50000001.txt"):
        path = tmp_path / name
        path.write_bytes(WHOLE[name])
        source = open_source(SourceConfig(path=str(path)))
        assert all(source.read(locator)["text"] for locator in source.locators())
