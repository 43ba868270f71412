"""The question CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clinical import questions
from pipeline.core.errors import DataError
from pipeline.exports import vqa_csv

ROW = {
    "study_id": "1",
    "subject_id": "2",
    "question_type": "presence",
    "question": 'is there "x", y?',
    "answer": "yes",
}


def test_columns_are_those_of_the_rows() -> None:
    assert vqa_csv.COLUMNS == questions.COLUMNS


def test_rows_come_back_as_written(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    odd = ROW | {"answer": 'a,"b"\nc\r\nd', "evidence": "näher ½ 肺", "other": "left out"}
    assert vqa_csv.write(iter([ROW, odd]), path) == 2
    first, second = vqa_csv.read(path)
    assert first == {name: "" for name in vqa_csv.COLUMNS} | ROW
    assert second["answer"] == odd["answer"]
    assert second["evidence"] == odd["evidence"]
    data = path.read_bytes()
    assert data.startswith(",".join(vqa_csv.COLUMNS).encode() + b"\n")
    assert path.stat().st_mode & 0o777 == 0o600


def test_more_columns_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    columns = (*vqa_csv.COLUMNS, questions.QUALITY_COLUMN)
    vqa_csv.write([ROW | {"quality": "A"}], path, columns=columns)
    with path.open(newline="") as file:
        assert next(csv.DictReader(file))["quality"] == "A"


def test_no_rows_give_a_header(tmp_path: Path) -> None:
    assert vqa_csv.write([], tmp_path / "q.csv") == 0
    assert list(vqa_csv.read(tmp_path / "q.csv")) == []


def test_text_that_is_no_unicode_does_not_end_a_run(tmp_path: Path) -> None:
    vqa_csv.write([ROW | {"answer": "\ud800"}], tmp_path / "q.csv")
    assert next(vqa_csv.read(tmp_path / "q.csv"))["answer"] == "?"


def test_a_failure_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    vqa_csv.write([ROW], path)

    def broken() -> Iterator[dict[str, str]]:
        yield ROW
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        vqa_csv.write(broken(), path)
    assert len(list(vqa_csv.read(path))) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["q.csv"]


def test_a_file_without_the_published_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="missing_column"):
        list(vqa_csv.read(tmp_path / "q.csv"))
