from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.core.jsonl import (
    count_lines,
    dump_line,
    iter_lines,
    iter_objects,
    load_line,
    repair_tail,
)

values = st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-(2**53), 2**53))


@given(rows=st.lists(values, max_size=8), cut=st.integers(0, 400))
def test_a_file_cut_at_any_byte_keeps_exactly_its_whole_lines(
    rows: list[dict[str, object]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("torn") / "x.jsonl"
    whole = b"".join(map(dump_line, rows))
    path.write_bytes(whole[:cut])
    removed = repair_tail(path)
    kept = path.read_bytes()
    assert len(kept) + removed == len(whole[:cut])
    assert kept == b"" or kept.endswith(b"\n")
    assert list(iter_objects(path)) == rows[: kept.count(b"\n")]
    assert count_lines(path) == kept.count(b"\n")


def test_a_long_torn_line_is_cut_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a":1}\n' + b"x" * 300_000)
    assert repair_tail(path) == 300_000
    assert path.read_bytes() == b'{"a":1}\n'


def test_reading_goes_on_from_an_offset_and_leaves_the_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"1\n2\n3")
    assert list(iter_lines(path, 2)) == [b"2\n"]


def test_a_bad_line_is_named_by_place_and_never_quoted() -> None:
    with pytest.raises(DataError) as caught:
        load_line(b"{secret finding", Path("r.jsonl"), 7)
    assert "r.jsonl, line 7" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_file_has_no_objects_and_no_lines(tmp_path: Path) -> None:
    assert list(iter_objects(tmp_path / "none")) == []
    assert count_lines(tmp_path / "none") == 0
