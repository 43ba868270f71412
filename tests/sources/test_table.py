from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.sources import Source, SourceConfig, open_source


def opened(path: Path, **options: Any) -> Source:
    return open_source(SourceConfig(path=str(path), **options))


def outcomes(source: Source) -> list[Record | tuple[str, str]]:
    """Records, and (id, reason) of rejects, read by a second process's source."""
    worker = open_source(source.config)
    found: list[Record | tuple[str, str]] = []
    for locator in source.locators():
        try:
            found.append(worker.read(json.loads(json.dumps(locator))))
        except DataError as error:
            found.append((locator["id"], error.reason))
    return found


def texts(source: Source) -> list[str]:
    return [x["text"] if isinstance(x, dict) else x[1] for x in outcomes(source)]


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def test_csv_by_column_names(tmp_path: Path) -> None:
    path = write(
        tmp_path / "notes.csv",
        "study_id,Patient ID,Findings,IMPRESSION,view\n"
        '7,p1,"Two lines,\nwith a comma.",,AP\n'
        "8,p1,,No change.,\n",
        "utf-8-sig",
    )
    first, second = outcomes(opened(path))
    assert isinstance(first, dict) and isinstance(second, dict)
    assert first["text"] == "FINDINGS: Two lines,\nwith a comma."
    assert (first["id"], first["subject_id"], first["view"], first["source"]) == (
        "7",
        "p1",
        "AP",
        1,
    )
    assert second["text"] == "IMPRESSION: No change."
    assert (second["view"], second["split"], second["images"]) == (None, None, [])


def test_mapped_columns_and_carried_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "notes.csv", "key,body,img,age\na,Clear.,i1,64\n")
    columns = {"id": "key", "text": "body", "dicom_id": "img", "patient_age": "age"}
    (record,) = outcomes(opened(path, columns=columns))
    assert isinstance(record, dict)
    assert (record["id"], record["text"], record["patient_age"]) == ("a", "Clear.", "64")
    assert record["images"] == [{"dicom_id": "i1", "view": None}]


def test_section_columns_keep_the_order_of_a_report(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "uid,impression,findings,indication\n1,I.,F.,N.\n")
    assert texts(opened(path)) == ["INDICATION: N.\n\nFINDINGS: F.\n\nIMPRESSION: I."]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters(tmp_path: Path, delimiter: str) -> None:
    path = write(tmp_path / "notes.csv", f'id{delimiter}text\r\n1{delimiter}"a, b; c | d"\r\n')
    assert texts(opened(path)) == ["a, b; c | d"]


def test_one_column_more_or_less_is_a_reject(tmp_path: Path) -> None:
    path = write(
        tmp_path / "x.csv", "id,text,split\n1,a\n2,b,train\n\n3,c,train,extra\n4,d,test,\n"
    )
    assert [x if isinstance(x, tuple) else x["id"] for x in outcomes(opened(path))] == [
        ("row-1", "bad_row"),
        "2",
        ("row-3", "bad_row"),
        "4",
    ]


def test_rows_without_id_or_text(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "id,text\n,a\n2, \n3,NaN\n4,fine\n")
    assert [x if isinstance(x, tuple) else x["id"] for x in outcomes(opened(path))] == [
        ("row-1", "no_id"),
        ("2", "no_text"),
        ("3", "no_text"),
        "4",
    ]


def test_field_beyond_the_limit_of_csv(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", f"id,text\n1,{'x' * (csv.field_size_limit() + 1)}\n2,fine\n")
    assert texts(opened(path)) == ["bad_row", "fine"]


def test_bytes_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"id,text\n1,38 \xb0C\n2,\xc2\xb1 1\n")
    first, second = outcomes(opened(path))
    assert isinstance(first, dict) and isinstance(second, dict)
    assert (first["text"], first["encoding"]) == ("38 °C", "latin-1")
    assert second["text"] == "± 1"
    assert "encoding" not in second


def test_row_numbers_as_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "text\na\nb\n")
    with pytest.raises(ConfigError, match=r'columns.id: "#" takes row numbers'):
        list(opened(path).locators())
    assert [x["id"] for x in opened(path, columns={"id": "#"}).locators()] == ["1", "2"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"text": "report"},
            r"no column 'report' \(columns.text\); it has number, words: map with",
        ),
        ({}, r"no column with ids \(columns.id\); it has number, words"),
        ({"id": "number"}, r"no column with report text"),
        ({"id": "number", "text": "words", "findings": "words"}, "not both"),
        ({"id": "number", "text": "words", "labels": "words"}, "columns.labels cannot be mapped"),
    ],
)
def test_columns_that_cannot_be(tmp_path: Path, columns: dict[str, str], message: str) -> None:
    path = write(tmp_path / "x.csv", "number,words\n1,a\n")
    with pytest.raises(ConfigError, match=message):
        list(opened(path, columns=columns).locators())


def test_a_table_without_header_does_not_put_reports_into_messages(tmp_path: Path) -> None:
    path = write(tmp_path / "x.csv", "1,Sentinel finding.\n2,Another.\n")
    with pytest.raises(ConfigError, match="2 cells that are no column names") as caught:
        list(opened(path).locators())
    assert "Sentinel" not in str(caught.value)


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is empty"):
        list(opened(write(tmp_path / "a.csv", "")).locators())
    with pytest.raises(ConfigError, match="holds no reports"):
        list(opened(write(tmp_path / "c.csv", "id,text\n")).locators())
    with pytest.raises(ConfigError, match="no JSON objects"):
        list(opened(write(tmp_path / "d.jsonl", "[1]\nword\n")).locators())
    with pytest.raises(ConfigError, match="is no table"):
        list(opened(write(tmp_path / "e.dat", "id,text\n"), kind="table").locators())


def test_jsonl(tmp_path: Path) -> None:
    lines = [
        '\ufeff{"id": 1, "text": "a", "split": "train"}',
        "",
        '{"id": 2.0, "text": null}',
        '{"id": 3, "text": "cut',
        "[4]",
        '{"text": "no id"}',
        '{"id": "6", "text": "snowman \u2603", "split": null}',
    ]
    path = write(tmp_path / "x.jsonl", "\n".join(lines))
    found = outcomes(opened(path))
    assert [x if isinstance(x, tuple) else x["id"] for x in found] == [
        "1",
        ("2", "no_text"),
        ("row-4", "bad_row"),
        ("row-5", "bad_row"),
        ("row-6", "no_id"),
        "6",
    ]
    assert isinstance(found[-1], dict)
    assert (found[-1]["text"], found[-1]["source"]) == ("snowman \u2603", 7)


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="the extra parquet is not installed")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {"study_id": [1, 2, 3, 4], "report": ["a", None, "c", "d"], "split": ["train"] * 4}
    )
    path = tmp_path / "x.parquet"
    parquet.write_table(table, path, row_group_size=2)
    found = outcomes(opened(path))
    assert [x if isinstance(x, tuple) else (x["id"], x["text"]) for x in found] == [
        ("1", "a"),
        ("2", "no_text"),
        ("3", "c"),
        ("4", "d"),
    ]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ConfigError, match="no whole Parquet file"):
        list(opened(path).locators())


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    path = write(tmp_path / "x.parquet", "PAR1")
    with pytest.raises(ConfigError, match=r'pip install "cxr-pipeline\[parquet\]"'):
        list(opened(path).locators())


CELLS = st.text(
    alphabet=st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), min_size=1
).filter(lambda x: x.strip() == x and x not in ("nan", "NaN"))


@given(st.lists(CELLS, min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_every_cell_survives(
    tmp_path_factory: pytest.TempPathFactory, cells: list[str], newline: str
) -> None:
    folder = tmp_path_factory.mktemp("table")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=newline, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "text"])
    writer.writerows(enumerate(cells))
    path = write(folder / "x.csv", text.getvalue())
    assert texts(opened(path)) == cells
    rows = (json.dumps({"id": n, "text": x}) for n, x in enumerate(cells))
    assert texts(opened(write(folder / "x.jsonl", "\n".join(rows)))) == cells
