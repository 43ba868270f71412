"""Label files of every shape, and clear words about those that make no sense."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from pipeline.clinical.lexicon import CLASSES
from pipeline.core.errors import ConfigError
from pipeline.evaluation.columns import ColumnOptions
from pipeline.evaluation.read_labels import read_labels
from tests.evaluation.tables import write_csv

EDEMA, FRACTURE = CLASSES.index("Edema"), CLASSES.index("Fracture")
SECRET = "There is a moderate left sided pleural effusion in this patient"


def test_chexpert_tables(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "mimic-cxr-2.0.0-chexpert.csv.gz",
        ["subject_id", "study_id", *CLASSES, "No Finding"],
        [[10000032, 50414267, *["1.0", "", "-1.0", "0.0"], *[""] * 9, "1.0"]],
    )
    (table,) = read_labels(path)
    assert list(table.ids) == ["50414267"] and list(table.patients) == ["10000032"]
    assert table.cells[0, :5].tolist() == [1, 2, -1, 0, 2]
    assert table.classes == CLASSES


def test_the_test_set_of_2_1_0(tmp_path: Path) -> None:
    names = ["Airspace Opacity" if name == "Lung Opacity" else name for name in CLASSES]
    path = write_csv(
        tmp_path / "mimic-cxr-2.1.0-test-set-labeled.csv",
        ["study_id", *names, "No Finding"],
        [[50000001, *["1.0"] * 13, ""]],
    )
    (table,) = read_labels(path)
    assert "Lung Opacity" in table.classes and not table.patients


def test_lists_in_jsonl(tmp_path: Path) -> None:
    path = tmp_path / "gold.jsonl"
    rows = [
        {"uid": 1, "labels": ["Edema"], "ambiguous": ["Fracture"], "scorable": True},
        {"uid": 2, "labels": ["Normal"], "ambiguous": [], "scorable": True},
        {"uid": 3, "labels": [], "scorable": False},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    (table,) = read_labels(path)
    assert list(table.ids) == ["1", "2"]
    assert (table.cells[0, EDEMA], table.cells[0, FRACTURE]) == (1, 3)
    assert set(table.cells[1].tolist()) == {2}
    assert "1 row is marked not scorable" in table.notes[0]


@pytest.mark.parametrize("cell", ["Edema; Fracture", "Edema|Fracture", '["Edema", "Fracture"]'])
def test_lists_in_csv(tmp_path: Path, cell: str) -> None:
    path = write_csv(tmp_path / "g.csv", ["study_id", "labels"], [["s50000001", cell]])
    (table,) = read_labels(path)
    assert list(table.ids) == ["50000001"]
    assert (table.cells[0, EDEMA], table.cells[0, FRACTURE]) == (1, 1)


def test_records_of_a_run_and_one_of_its_readers(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    record = {
        "id": "5",
        "study_id": "5",
        "labels": ["Edema"],
        "uncertain": [],
        "readers": {"rules": {"labels": ["Normal"], "uncertain": ["Edema"], "negated": []}},
    }
    path.write_text(json.dumps(record))
    assert read_labels(path)[0].cells[0, EDEMA] == 1
    assert read_labels(path, reader="rules")[0].cells[0, EDEMA] == -1
    with pytest.raises(ConfigError, match="no labels by reader 'model'"):
        read_labels(path, reader="model")


def test_two_annotators(tmp_path: Path) -> None:
    rows = [["a", 1, "Edema"], ["b", 1, "Fracture"], ["a", 2, ""], ["b", 2, ""]]
    path = write_csv(tmp_path / "g.csv", ["annotator", "study_id", "labels"], rows)
    first, second = read_labels(path)
    assert (first.name, second.name) == ("a", "b")
    assert (first.cells[0, EDEMA], second.cells[0, FRACTURE]) == (1, 1)


HEADER = ["study_id", "Edema", "Fracture"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (["study_id", "Edema"], [["1", SECRET]], "line 2: column 'Edema' holds something else"),
        (["Edema", "study_id"], [["50000001", "1"]], "line 2: column 'Edema'"),
        (HEADER, [["1", 0, 1], ["2", 0, 0], ["1", 1, 1]], "stands twice, in lines 2 and 4"),
        (HEADER, [["", 0, 1]], "'study_id' is empty"),
        (HEADER, [["1", 0]], "line 2: 2 cells, the header has 3"),
        (HEADER, [], "no row that can be scored"),
        (["Edema", "Fracture"], [[0, 1]], "--id COLUMN"),
        (["study_id", "text"], [["1", "x"]], "has no label"),
        (["study_id", "Edema", "Efusion"], [["1", 1, 0]], "unknown class 'Efusion'"),
        (["study_id", "labels"], [["1", "Edema;Pneumo"]], "unknown class 'Pneumo'"),
        (["study_id", "labels"], [["1", SECRET]], "unknown class"),
        (["study_id", "Edema", "edema"], [["1", 1, 0]], "are both Edema"),
        (["study_id", "Edema", "Edema"], [["1", 1, 0]], "stands twice in the header"),
        (["1", "", ""], [["2", "", ""]], "is the first line the header?"),
        (
            ["annotator", "study_id", "Edema"],
            [["a", 1, 0], ["b", 1, 0], ["c", 1, 0]],
            "3 annotators",
        ),
        (
            ["study_id", "subject_id", "Edema"],
            [["10000032", "50414267", 1], ["10000033", "50414268", 0]],
            "are swapped",
        ),
        (
            ["study_id", "subject_id", "Edema"],
            [["10000032", "50414267", 1], ["10000032", "50414268", 0]],
            "are swapped",
        ),
    ],
)
def test_what_makes_no_sense_is_said(
    tmp_path: Path, header: list[str], rows: list[list[object]], message: str
) -> None:
    path = write_csv(tmp_path / "g.csv", header, rows)
    with pytest.raises(ConfigError) as caught:
        read_labels(path)
    assert message in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder; name a file in it"):
        read_labels(tmp_path)


def test_an_unknown_class_can_be_named_or_left_out(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "g.csv", ["study_id", "Efusion", "Edema"], [["1", 1, 0]])
    with pytest.raises(ConfigError, match="--class 'Efusion=Pleural Effusion'"):
        read_labels(path)
    renamed = read_labels(path, ColumnOptions(renamed={"Efusion": "Pleural Effusion"}))[0]
    assert renamed.classes == ("Pleural Effusion", "Edema")
    assert read_labels(path, ColumnOptions(ignored=frozenset({"Efusion"})))[0].classes == ("Edema",)


def test_a_class_can_be_left_out_of_lists(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "g.csv", ["study_id", "labels"], [["1", "Edema;Fracture"]])
    (table,) = read_labels(path, ColumnOptions(ignored=frozenset({"Edema"})))
    assert "Edema" not in table.classes and len(table.classes) == 12


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.csv", b"\xff\xfe\x00", "cannot be read"),
        ("g.csv", b"", "is empty"),
        ("g.csv.gz", b"not gzip", "cannot be read"),
        ("g.csv.gz", gzip.compress(b"study_id,Edema\n1,1\n", mtime=0)[:-9], "cannot be read"),
        ("g.jsonl", b"{", "line 1 is not JSON"),
        ("g.jsonl", b"[1]", "line 1 is no JSON object"),
        ("g.jsonl", b"", "is empty"),
        ("g.jsonl", b'{"id": "1", "labels": [1]}', "no list of classes"),
        ("g.json", b"{", "is not JSON"),
    ],
)
def test_broken_files_are_said_to_be(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_labels(path)


def test_a_missing_file_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_labels(tmp_path / "none.csv")
