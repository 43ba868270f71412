"""Tables in the encodings that spreadsheets write, told apart by their bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError
from pipeline.sources import SourceConfig, open_source
from pipeline.sources.encoding import find_encoding
from pipeline.sources.rows import CsvRows

TEXT = '编号,描述\r\n1,"双肺纹理清晰。\n未见""气胸"""\n\n2,心影增大；右侧少量积液\n3,Grad 37° Ø8'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "gb18030"])
def test_rows_and_their_bytes(encoding: str, tmp_path: Path) -> None:
    data = TEXT.encode(encoding)
    if encoding == "utf-16-be":
        data = b"\xfe\xff" + data
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    rows = CsvRows(path)
    assert rows.columns() == ["编号", "描述"]
    assert b"".join(raw for raw, _ in rows.records()) == data
    config = SourceConfig(path=str(path), columns={"id": "编号", "text": "描述"})
    source = open_source(config)
    texts = [source.read(locator)["text"] for locator in source.locators()]
    assert texts == ['双肺纹理清晰。\n未见"气胸"', "心影增大；右侧少量积液", "Grad 37° Ø8"]


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (b"id,text\n1,plain\n", "utf-8"),
        ("id,text\n1,温度\n".encode(), "utf-8"),
        ("id,text\n1,未见异常\n".encode("gbk"), "gb18030"),
        ("id,text\n1,caf\xe9 at 37\xb0, na\xefve\n".encode("cp1252"), None),
        (b"id,text\n1,\xff\xff\xff\n", None),
        (b"", "utf-8"),
    ],
)
def test_told_apart(data: bytes, encoding: str | None, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(data)
    assert find_encoding(path) == encoding


def test_an_encoding_that_is_named_is_taken_at_its_word(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes("id,text\n1,naïve\n".encode("cp1252"))
    assert CsvRows(path, "cp1252").row([8, 8, 1])[0]["text"] == "naïve"
    path.write_bytes(b"id,text\n1,\xff\xff\n")
    with pytest.raises(ConfigError, match="not all gb18030"):
        list(CsvRows(path, "gbk").scan([]))
    with pytest.raises(ValueError, match="no encoding"):
        CsvRows(path, "klingon").columns()


CELLS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=2), max_size=6),
    st.sampled_from(["utf-16-le", "utf-16-be"]),
)
def test_lines_of_utf16_are_cut_at_newlines_alone(
    tmp_path_factory: pytest.TempPathFactory, cells: list[list[str]], encoding: str
) -> None:
    path = tmp_path_factory.mktemp("u") / "t.csv"
    mark = "\ufeff".encode(encoding)
    lines = ["a,b", *(",".join('"' + c.replace('"', '""') + '"' for c in row) for row in cells)]
    path.write_bytes(mark + "\n".join(lines).encode(encoding))
    rows = CsvRows(path)
    assert b"".join(raw for raw, _ in rows.records()) == path.read_bytes()
    read = [[*found.values()] for _, found in rows.scan([]) if found is not None]
    assert read == cells
