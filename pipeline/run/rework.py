"""Putting rejected records of a complete stage back to work, without touching the others.

The retried rows are answered into a folder of their own, with progress and resumption like any
stage; then old and new rows are merged in input order. The merge takes the retried ids from the new
rows only, so doing it twice, after a kill in the middle, gives the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from pipeline.core.atomic import atomic_writer
from pipeline.core.jsonl import iter_lines, load_line
from pipeline.core.records import parent_id
from pipeline.run.store import Progress, StageStore


def rows_to_retry(lines: Iterable[bytes], ids: set[str]) -> Iterator[bytes]:
    """The input rows whose ids are among ``ids``."""
    return (line for line in lines if load_line(line)["id"] in ids)


def rejected_ids(store: StageStore, reason: str | None = None) -> list[str]:
    """Ids of failed records, or, with ``reason``, of all records rejected for it."""
    found = []
    for line in iter_lines(store.rejects_path):
        row = load_line(line)
        if row["reason"] == reason if reason else row["outcome"] == "failed":
            found.append(row["id"])
    return found


def merge(
    store: StageStore, ids: set[str], order: Iterable[str], old: Progress, *, fans_out: bool
) -> Progress:
    """Merge the retried rows into the stage's files; returns the counts of the result.

    Args:
        store: the stage, its retried rows complete in ``store.retried``.
        ids: the retried ids.
        order: ids of all input rows in their order.
        old: the stage's state before.
        fans_out: whether one input row makes several records.
    """
    state = Progress(parts=old.parts, usage=old.usage, seconds=old.seconds)
    new = store.retried
    kept_rows = _grouped(store, fans_out)
    new_rows = _grouped(new, fans_out)
    with (
        atomic_writer(store.records_path) as records,
        atomic_writer(store.rejects_path) as rejects,
    ):
        for record_id in order:
            old_lines = kept_rows.take(record_id)
            made, refused = new_rows.take(record_id) if record_id in ids else old_lines
            records.writelines(made)
            rejects.writelines(refused)
            state.rows += 1
            state.kept += bool(made)
            state.records += len(made)
            state.records_bytes += sum(map(len, made))
            state.rejects_bytes += sum(map(len, refused))
            for line in refused:
                row = load_line(line)
                counts = state.reasons if row["outcome"] == "failed" else state.filtered
                counts[row["reason"]] = counts.get(row["reason"], 0) + 1
    return state


class _Grouped:
    """Records and rejects of a stage, taken by the id of the row they were made of."""

    def __init__(self, records: Iterator[tuple[str, bytes]], rejects: Iterator[tuple[str, bytes]]):
        self._streams = (records, rejects)
        self._next: list[tuple[str, bytes] | None] = [next(records, None), next(rejects, None)]

    def take(self, record_id: str) -> tuple[list[bytes], list[bytes]]:
        """The lines of the next row, if they are those of ``record_id``."""
        taken: tuple[list[bytes], list[bytes]] = ([], [])
        for index, stream in enumerate(self._streams):
            while (item := self._next[index]) is not None and item[0] == record_id:
                taken[index].append(item[1])
                self._next[index] = next(stream, None)
        return taken


def _grouped(store: StageStore, fans_out: bool) -> _Grouped:
    def keyed(path: Any, children: bool) -> Iterator[tuple[str, bytes]]:
        for line in iter_lines(path):
            row_id = load_line(line)["id"]
            yield (parent_id(row_id) if children else row_id), line

    return _Grouped(keyed(store.records_path, fans_out), keyed(store.rejects_path, False))
