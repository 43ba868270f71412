from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources import Source, SourceConfig, open_source

REPORT = """<?xml version="1.0" encoding="utf-8"?>
<eCitation><uId id="CXR{number}"/><MedlineCitation><Article><Abstract>
<AbstractText Label="COMPARISON">None.</AbstractText>
<AbstractText Label="INDICATION">Cough for XXXX days</AbstractText>
<AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION"></AbstractText>
</Abstract></Article></MedlineCitation>
<parentImage id="CXR{number}_1_IM-0001-3001"><figureId>F1</figureId></parentImage>
<parentImage id="CXR{number}_1_IM-0001-4001"><figureId>F2</figureId></parentImage>
</eCitation>
"""

BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">
<!ENTITY file SYSTEM "file:///etc/hostname">]><eCitation>&b;&file;</eCitation>"""


def opened(path: Path, **options: Any) -> Source:
    return open_source(SourceConfig(path=str(path), **options))


def report(number: int, findings: str = "Lungs clear &amp; normal.") -> bytes:
    return REPORT.format(number=number, findings=findings).encode()


def write_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number in (10, 2, 1):
        (folder / f"{number}.xml").write_bytes(report(number))
    return folder


def write_archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def reason(source: Source, locator: dict[str, Any]) -> str:
    with pytest.raises(DataError) as caught:
        source.read(locator)
    return caught.value.reason


@pytest.mark.parametrize("below", ["", "ecgen-radiology"])
def test_folder(tmp_path: Path, below: str) -> None:
    write_folder(tmp_path / "ecgen-radiology")
    source = opened(tmp_path / below)
    assert (source.kind, source.data_class) == ("openi-xml", "public")
    records = [source.read(locator) for locator in source.locators()]
    assert [record["id"] for record in records] == ["1", "2", "10"]
    assert records[0]["text"] == (
        "INDICATION: Cough for XXXX days\n\nCOMPARISON: None.\n\nFINDINGS: Lungs clear & normal."
    )
    assert records[0]["dicom_id"] == "CXR1_1_IM-0001-3001"
    assert len(records[0]["images"]) == 2
    assert records[0]["subject_id"] is None
    (entry,) = source.inputs()
    assert entry["files"] == 3


def test_archive_reads_like_the_folder(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "plain" / "ecgen-radiology")
    files = {f"ecgen-radiology/{file.name}": file.read_bytes() for file in folder.iterdir()}
    (tmp_path / "packed").mkdir()
    archive = write_archive(tmp_path / "packed" / "NLMCXR_reports.tgz", files)
    expected = opened(tmp_path / "plain")
    records = [expected.read(locator) for locator in expected.locators()]
    for path in (archive, archive.parent):
        source = opened(path)
        worker = open_source(source.config)
        assert [worker.read(locator) for locator in source.locators()] == records


def test_single_file(tmp_path: Path) -> None:
    path = tmp_path / "CXR5.xml"
    path.write_bytes(report(5))
    source = opened(path)
    assert [source.read(locator)["id"] for locator in source.locators()] == ["5"]


def test_projections_beside_the_xml(tmp_path: Path) -> None:
    write_folder(tmp_path / "ecgen-radiology")
    (tmp_path / "indiana_projections.csv").write_text(
        "uid,filename,projection\n1,1_IM-1-2.dcm.png,Lateral\n1,1_IM-1-1.dcm.png,Frontal\n"
    )
    source = opened(tmp_path)
    record = source.read(next(source.locators()))
    assert (record["dicom_id"], record["view"]) == ("1_IM-1-1", "frontal")


def test_broken_reports_are_rejects(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "ecgen-radiology")
    bad = {
        11: BOMB.encode(),
        12: report(12)[:200],
        13: b"",
        14: b"<html><body>not found</body></html>",
        15: b"<eCitation/>",
        16: BOMB.encode("utf-16"),
    }
    for number, data in bad.items():
        (folder / f"{number}.xml").write_bytes(data)
    source = opened(tmp_path)
    reasons = {x["id"]: reason(source, x) for x in source.locators() if int(x["id"]) > 10}
    assert reasons == {
        "11": "unsafe_xml",
        "12": "bad_xml",
        "13": "empty",
        "14": "bad_xml",
        "15": "no_text",
        "16": "unsafe_xml",
    }


def test_a_declared_encoding_is_not_applied_twice(tmp_path: Path) -> None:
    text = report(1, "38 °C").decode().replace("utf-8", "iso-8859-1")
    (tmp_path / "1.xml").write_bytes(text.encode("latin-1"))
    source = opened(tmp_path)
    assert "38 °C" in source.read(next(source.locators()))["text"]


def test_archives_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "x.tgz"
    path.write_bytes(b"not an archive")
    with pytest.raises(ConfigError, match="not a whole tar archive"):
        list(opened(path).locators())
    whole = write_archive(tmp_path / "y.tgz", {f"{n}.xml": report(n) for n in range(50)})
    path.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(ConfigError, match="not a whole tar archive"):
        list(opened(path).locators())
    write_archive(path, {"readme.txt": b"x"})
    with pytest.raises(ConfigError, match="holds no Open-i reports"):
        list(opened(path).locators())


@pytest.mark.parametrize(
    "names", [("reports", "projections"), ("indiana_reports", "indiana_projections")]
)
def test_csv_pair(tmp_path: Path, names: tuple[str, str]) -> None:
    (tmp_path / f"{names[0]}.csv").write_text(
        "uid,image,indication,comparison,findings,impression\n"
        "1,Chest PA,Pain,,Clear lungs.,Normal XXXX.\n"
        "2,Chest PA,,,,\n"
    )
    (tmp_path / f"{names[1]}.csv").write_text(
        "uid,filename,projection\n1,1_IM-1-2.dcm.png,Lateral\n1,1_IM-1-1.dcm.png,Frontal\n"
    )
    for path in (tmp_path, tmp_path / f"{names[0]}.csv"):
        source = opened(path)
        assert (source.kind, source.data_class) == ("openi-csv", "public")
        assert [x["role"] for x in source.inputs()] == ["reports", "metadata"]
        first, second = source.locators()
        record = source.read(first)
        assert (
            record["text"]
            == "INDICATION: Pain\n\nFINDINGS: Clear lungs.\n\nIMPRESSION: Normal XXXX."
        )
        assert (record["id"], record["dicom_id"], record["view"]) == ("1", "1_IM-1-1", "frontal")
        assert [image["view"] for image in record["images"]] == ["lateral", "frontal"]
        assert reason(source, second) == "no_text"


def test_all_reports_at_hand() -> None:
    folder = Path(__file__).parents[3] / "shared" / "data" / "open-i"
    if not folder.is_dir():
        pytest.skip("the folder shared/data/open-i is not beside the repository")
    source = opened(folder)
    read, reasons = 0, set()
    for locator in source.locators():
        try:
            record = source.read(locator)
        except DataError as error:
            reasons.add(error.reason)
        else:
            read += 1
            assert record["view"] in ("frontal", "lateral", None)
    assert read >= 1500
    assert reasons <= {"no_text"}
