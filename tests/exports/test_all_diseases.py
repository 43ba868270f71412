"""The published KeyInfo file, written and read as a stream."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import DataError
from pipeline.exports import all_diseases
from pipeline.exports.all_diseases import Reject


def rec(number: int, **more: Any) -> dict[str, Any]:
    return {
        "study_id": str(number),
        "entity": {"nodule": [{"location": "left"}, {"location": "right"}], 'a "]} b': {}},
        "no_entity": ["edema"],
        **more,
    }


def read_text(tmp_path: Path, text: str) -> list[Any]:
    path = tmp_path / "all_diseases.json"
    path.write_text(text, encoding="utf-8")
    return list(all_diseases.read(path))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_records_come_back_as_written(tmp_path: Path, count: int) -> None:
    path = tmp_path / "all_diseases.json"
    records = [rec(n, note="näher 肺") for n in range(count)]
    assert all_diseases.write(iter(records), path) == count
    assert list(all_diseases.read(path)) == records
    assert json.loads(path.read_text()) == records


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("chunk", [1, 7, 64])
def test_any_layout_and_chunk_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, indent: int | None, chunk: int
) -> None:
    monkeypatch.setattr(all_diseases, "_CHUNK", chunk)
    records = [rec(n) for n in range(6)]
    assert read_text(tmp_path, "\ufeff \n" + json.dumps(records, indent=indent) + "\n\n") == records


@pytest.mark.parametrize(
    "bad",
    [
        '{"study_id": "1", "entity": {oops}}',
        '{"study_id": "1", "entity": {"a": }',
        '{"study_id": "1", "entity": "unterminated}',
        '{"study_id": "1", "entity": [[[}',
        '{"study_id": "1"}}}]]',
        '{"study_id": ' + "[" * 100_000,
        "nonsense",
    ],
)
@pytest.mark.parametrize("chunk", [50, 1 << 20])
def test_a_broken_record_costs_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: str, chunk: int
) -> None:
    if len(bad) < 1000:
        monkeypatch.setattr(all_diseases, "_CHUNK", chunk)
    good = [rec(n) for n in range(4)]
    text = "[\n" + ",\n".join([json.dumps(good[0]), bad, *map(json.dumps, good[1:])]) + "\n]\n"
    found = read_text(tmp_path, text)
    assert [item for item in found if isinstance(item, dict) and "entity" in item] == good
    rejects = [item for item in found if isinstance(item, Reject)]
    assert [reject.index for reject in rejects] in ([1], [2])


def test_rejects_have_their_index_and_reason(tmp_path: Path) -> None:
    text = json.dumps([rec(0), None, "error", rec(3)])
    assert read_text(tmp_path, text) == [
        rec(0),
        Reject(1, "not_an_object"),
        Reject(2, "not_an_object"),
        rec(3),
    ]


def test_a_file_that_was_cut_short_keeps_what_is_whole(tmp_path: Path) -> None:
    text = json.dumps([rec(n) for n in range(3)])
    found = read_text(tmp_path, text[:-30])
    assert found == [rec(0), rec(1), Reject(2, "bad_json")]


def test_the_first_key_of_records_may_be_another(tmp_path: Path) -> None:
    good = [{"id": n, "entity": {}} for n in range(3)]
    text = "[" + ", ".join([json.dumps(good[0]), '{"id": oops}', *map(json.dumps, good[1:])]) + "]"
    assert read_text(tmp_path, text) == [good[0], Reject(1, "bad_json"), *good[1:]]


@pytest.mark.parametrize("text", ["", "  ", "{}", '{"study_id": "1"}', "nothing"])
def test_a_file_without_a_list_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="not_a_list"):
        read_text(tmp_path, text)


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "all_diseases.json"
    all_diseases.write((rec(n, text="x" * 1000) for n in range(20_000)), path)
    tracemalloc.start()
    count = sum(1 for _ in all_diseases.read(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_000
    assert path.stat().st_size > 20_000_000
    assert peak < 8_000_000


@settings(max_examples=150)
@given(st.text(max_size=200) | st.text(alphabet='[]{}", :\\aé1n', max_size=60))
def test_no_text_ends_in_anything_but_records_and_rejects(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.json"
    path.write_text("[" + text, encoding="utf-8", errors="replace")
    assert all(isinstance(item, (dict, Reject)) for item in all_diseases.read(path))
