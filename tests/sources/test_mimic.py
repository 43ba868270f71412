from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.sources import Source, SourceConfig, open_source
from tests.sources.mimic_tree import NOTES, write_tables, write_tree, write_zip


def opened(path: Path, **options: Any) -> Source:
    return open_source(SourceConfig(path=str(path), **options))


def read_all(source: Source) -> list[Record]:
    worker = open_source(source.config)
    return [worker.read(locator) for locator in source.locators()]


def reject(source: Source, locator: dict[str, Any]) -> str:
    with pytest.raises(DataError) as caught:
        source.read(locator)
    return caught.value.reason


def test_tree_with_metadata(tmp_path: Path) -> None:
    write_tables(write_tree(tmp_path))
    source = opened(tmp_path)
    assert (source.kind, source.data_class) == ("mimic-tree", "credentialed")
    records = read_all(source)
    assert [record["id"] for record in records] == ["50000001", "50000003", "50000002"]
    first, second, third = records
    assert second == {
        "id": "50000003",
        "study_id": "50000003",
        "subject_id": "10000001",
        "text": " FINDINGS:  Lungs are clear.\n",
        "dicom_id": "d3pa",
        "view": "postero-anterior",
        "split": "train",
        "study_date": "21500301",
        "study_order": "2",
        "images": [
            {"dicom_id": "d3lat", "view": "lateral"},
            {"dicom_id": "d3pa", "view": "postero-anterior"},
        ],
        "source": "files/p10/p10000001/s50000003.txt",
        "labels": second["labels"],
    }
    assert list(second["labels"].values())[:4] == [1.0, 0.0, -1.0, None]
    assert (first["view"], first["study_order"]) == ("left lateral", "1")
    assert third["view"] == "antero-posterior", "ViewPosition stands in for a missing meaning"
    assert third["text"].endswith("\r\n"), "the text is not touched"


@pytest.mark.parametrize(
    ("below", "count"),
    [("", 3), ("files", 3), ("files/p10", 2), ("files/p10/p10000001", 2)],
)
def test_any_level_of_the_tree(tmp_path: Path, below: str, count: int) -> None:
    write_tables(write_tree(tmp_path))
    records = read_all(opened(tmp_path / below))
    assert len(records) == count
    assert all(record["split"] and record["subject_id"] for record in records)


@pytest.mark.parametrize("path", [".", "files", "./files/", "files/../files"])
def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    write_tables(write_tree(tmp_path))
    monkeypatch.chdir(tmp_path)
    records = read_all(open_source(SourceConfig(path=path)))
    assert [record["split"] for record in records] == ["train", "train", "test"]
    assert records[0]["source"].endswith("p10/p10000001/s50000001.txt")
    assert open_source(SourceConfig(path=path)).inputs()[0]["size"] == sum(map(len, NOTES.values()))


def test_a_single_note(tmp_path: Path) -> None:
    write_tables(write_tree(tmp_path))
    (record,) = read_all(opened(tmp_path / "files/p11/p11000002/s50000002.txt"))
    assert (record["id"], record["subject_id"], record["split"]) == (
        "50000002",
        "11000002",
        "test",
    )


@pytest.mark.parametrize("deep", ["mimic-cxr-reports", "physionet.org/files/mimic-cxr/2.1.0/files"])
def test_renamed_and_downloaded_trees(tmp_path: Path, deep: str) -> None:
    write_tree(tmp_path / deep, {name.removeprefix("files/"): x for name, x in NOTES.items()})
    source = opened(tmp_path)
    assert source.kind == "mimic-tree"
    records = read_all(source)
    assert len(records) == 3
    assert records[0]["view"] is None
    assert "labels" not in records[0]
    assert records[0]["images"] == []


def test_image_folders_are_not_entered(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_tree(tmp_path / "files/p10/p10000001/s50000001", {"s59999999.txt": b"x"})
    assert len(read_all(opened(tmp_path))) == 3


@pytest.mark.parametrize("prefix", ["", "mimic-cxr-reports/"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_reads_like_the_tree(tmp_path: Path, prefix: str, method: int) -> None:
    write_tables(write_tree(tmp_path / "tree"))
    notes = {prefix + name.removeprefix("files/"): data for name, data in NOTES.items()}
    notes["__MACOSX/p10/p10000001/._s50000001.txt"] = b"\x00"
    notes["README"] = b"no note"
    write_tables(tmp_path / "zip")
    write_zip(tmp_path / "zip" / "mimic-cxr-reports.zip", notes, method)
    source = opened(tmp_path / "zip")
    assert (source.kind, source.data_class) == ("mimic-zip", "credentialed")
    drop = {"source"}
    assert [{k: v for k, v in x.items() if k not in drop} for x in read_all(source)] == [
        {k: v for k, v in x.items() if k not in drop} for x in read_all(opened(tmp_path / "tree"))
    ]


def test_tree_is_preferred_to_the_zip_beside_it(tmp_path: Path) -> None:
    write_zip(write_tree(tmp_path) / "mimic-cxr-reports.zip")
    assert opened(tmp_path).kind == "mimic-tree"
    assert opened(tmp_path, kind="mimic-zip").kind == "mimic-zip"


def test_a_tree_of_images_does_not_hide_the_reports(tmp_path: Path) -> None:
    (tmp_path / "files/p10/p10000001/s50000001").mkdir(parents=True)
    with pytest.raises(ConfigError, match="no reports of a known kind"):
        opened(tmp_path)
    write_zip(tmp_path / "mimic-cxr-reports.zip")
    assert opened(tmp_path).kind == "mimic-zip"
    write_tree(tmp_path / "unpacked")
    assert len(read_all(opened(tmp_path))) == 3


def test_locators_are_json_and_reading_needs_no_listing(tmp_path: Path) -> None:
    import orjson

    write_zip(tmp_path / "reports.zip")
    source = opened(tmp_path / "reports.zip")
    locators = [orjson.loads(orjson.dumps(locator)) for locator in source.locators()]
    worker = open_source(source.config)
    assert [worker.read(x)["id"] for x in reversed(locators)] == [
        x["id"] for x in reversed(locators)
    ]


@pytest.mark.parametrize(
    ("data", "text", "encoding"),
    [
        (b"38 \xb0C \x96 fever", "38 °C \u2013 fever", "latin-1"),
        ("≈ 4 cm, ".encode() + b"38 \xb0C", "≈ 4 cm, 38 °C", "latin-1"),
        (b"\xff\xfe\xff", "ÿþÿ", "latin-1"),
        (b"odd \x81 byte", "odd \x81 byte", "latin-1"),
        ("marked".encode("utf-8-sig"), "marked", None),
        ("wide".encode("utf-16"), "wide", "utf-16"),
        ("≈ 4 cm".encode(), "≈ 4 cm", None),
    ],
)
def test_encodings(tmp_path: Path, data: bytes, text: str, encoding: str | None) -> None:
    write_tree(tmp_path, {"files/p10/p10000001/s50000001.txt": data})
    (record,) = read_all(opened(tmp_path))
    assert record["text"] == text
    assert record.get("encoding") == encoding


def test_rejects_of_a_tree(tmp_path: Path) -> None:
    note = "files/p10/p10000001/s5000000{}.txt"
    bad = {1: b"", 2: b" \n\t ", 3: b"x\x00y", 4: b"x" * (1 << 20) + b"y", 5: b"gone", 6: b"fine"}
    write_tree(tmp_path, {note.format(number): data for number, data in bad.items()})
    (tmp_path / "files/p10/p10000001/s50000007.txt").mkdir()
    source = opened(tmp_path)
    locators = list(source.locators())
    (tmp_path / note.format(5)).unlink()
    reasons = [reject(source, locator) for locator in locators if locator["id"] != "50000006"]
    assert reasons == ["empty", "empty", "unreadable", "too_large", "not_found", "unreadable"]


def test_a_folder_that_cannot_be_read_is_not_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tree(tmp_path)
    scandir = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("p10000001"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigError, match=r"p10000001 cannot be read: Permission denied"):
        list(opened(tmp_path).locators())


def test_damaged_zip_members_are_rejects(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "reports.zip", {f"p10/p10000001/s5{n}.txt": b"text" * 30 for n in "123"}
    )
    source = opened(path)
    locators = list(source.locators())
    raw = bytearray(path.read_bytes())
    raw[0] = 0
    at = locators[1]["at"]
    raw[at[1] + 30 + len(at[0]) + 2] ^= 0xFF
    path.write_bytes(raw)
    worker = open_source(source.config)
    assert [reject(worker, x) for x in locators[:2]] == ["unreadable", "unreadable"]
    assert worker.read(locators[2])["id"] == "53"
    name, *place = locators[2]["at"]
    assert reject(worker, {"id": "x", "at": [name, 10**9, *place[1:]]}) == "unreadable"
    assert reject(worker, {"id": "x", "at": [name, *place[:4], 14]}) == "unreadable"
    assert reject(worker, {"id": "x", "at": [name, *place[:4], -1]}) == "unreadable"
    assert reject(worker, {"id": "x", "at": [name, place[0], 1 << 30, *place[2:]]}) == "too_large"


def test_duplicate_studies_are_rejects_with_ids_of_their_own(tmp_path: Path) -> None:
    write_tree(tmp_path)
    write_tree(tmp_path, {"files/p12/p12000009/s50000001.txt": b"again"})
    source = opened(tmp_path)
    locators = list(source.locators())
    assert [x["id"] for x in locators] == ["50000001", "50000003", "50000002", "50000001#2"]
    assert reject(source, locators[-1]) == "duplicate_id"


@pytest.mark.parametrize("version", ["2.0.0", "2.1.0"])
@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("where", [".", "..", "../.."])
def test_metadata_in_parents(tmp_path: Path, where: str, packed: bool, version: str) -> None:
    root = write_tree(tmp_path / "a" / "b" / "files", {"p10/p10000001/s50000003.txt": b"x"})
    write_tables((root.parent / where).resolve(), packed=packed, version=version)
    if where == "../..":
        root = root.parent
    (record,) = read_all(opened(root))
    assert record["dicom_id"] == "d3pa"


def test_metadata_elsewhere(tmp_path: Path) -> None:
    write_tree(tmp_path / "reports")
    write_tables(tmp_path / "jpg" / "2.1.0")
    assert read_all(opened(tmp_path / "reports"))[0]["split"] is None
    records = read_all(opened(tmp_path / "reports", metadata=str(tmp_path / "jpg" / "2.1.0")))
    assert records[0]["split"] == "train"


def test_metadata_that_is_not_there(tmp_path: Path) -> None:
    write_tree(tmp_path)
    for wrong in (tmp_path / "missing", tmp_path / "files"):
        with pytest.raises(ConfigError, match="metadata: "):
            list(opened(tmp_path, metadata=str(wrong)).locators())


def test_damaged_metadata(tmp_path: Path) -> None:
    write_tables(write_tree(tmp_path))
    table = tmp_path / "mimic-cxr-2.0.0-metadata.csv.gz"
    whole = table.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"no gzip at all", whole[:-4] + b"abcd"):
        table.write_bytes(damaged)
        with pytest.raises(ConfigError, match="is damaged"):
            list(opened(tmp_path).locators())


def test_metadata_without_its_columns(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "mimic-cxr-2.0.0-split.csv").write_text("study_id,fold\n1,2\n")
    with pytest.raises(ConfigError, match=r"no column subject_id, split; it has study_id, fold"):
        list(opened(tmp_path).locators())


def test_inputs_change_with_the_data(tmp_path: Path) -> None:
    write_tables(write_tree(tmp_path))
    before = opened(tmp_path).inputs()
    assert [x["role"] for x in before] == ["reports", "metadata", "metadata", "metadata"]
    assert (before[0]["files"], before[0]["size"]) == (3, sum(map(len, NOTES.values())))
    assert opened(tmp_path).inputs() == before
    write_tree(tmp_path, {"files/p10/p10000001/s50000003.txt": b"shorter"})
    assert opened(tmp_path).inputs()[0]["sha256"] != before[0]["sha256"]


def test_zip_inputs(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "mimic-cxr-reports.zip")
    (entry,) = opened(path).inputs()
    assert entry["name"] == "mimic-cxr-reports.zip"
    assert entry["size"] == path.stat().st_size


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    notes=st.dictionaries(
        st.tuples(st.integers(10**7, 2 * 10**7 - 1), st.integers(5 * 10**7, 6 * 10**7 - 1)),
        st.text(min_size=1).filter(lambda x: x.strip() and "\x00" not in x),
        min_size=1,
        max_size=6,
    )
)
def test_zip_and_tree_give_the_same_texts(
    tmp_path_factory: pytest.TempPathFactory, notes: dict[tuple[int, int], str]
) -> None:
    root = tmp_path_factory.mktemp("data")
    files = {
        f"files/p{str(subject)[:2]}/p{subject}/s{study}.txt": text.encode("utf-8", "surrogatepass")
        for (subject, study), text in notes.items()
    }
    tree = read_all_or_reason(opened(write_tree(root / "tree", files)))
    packed = read_all_or_reason(opened(write_zip(root / "x.zip", files)))
    assert tree == packed
    assert len(tree) == len(notes)


def read_all_or_reason(source: Source) -> list[tuple[str, str]]:
    found = []
    for locator in source.locators():
        try:
            found.append((locator["id"], source.read(locator)["text"]))
        except DataError as error:
            found.append((locator["id"], error.reason))
    return found
