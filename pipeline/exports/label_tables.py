"""Labels as tables: in CheXpert's layout, what readers differ on, and how far they agree."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.clinical.agreement import ReaderPairs
from pipeline.clinical.class_names import NO_FINDING
from pipeline.clinical.combine_labels import states_of
from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES
from pipeline.core.atomic import atomic_writer
from pipeline.core.records import Record

_CELLS = {"present": "1.0", "uncertain": "-1.0", "absent": "0.0"}
SILENT = "not mentioned"
"""What a review table says of a class that a reader does not speak of."""


def write_labels(records: Iterable[Record], path: Path) -> int:
    """One row per study: ``subject_id``, ``study_id``, 13 classes and ``No Finding``.

    1.0 present, -1.0 uncertain, 0.0 denied, empty where the report does not speak of it; ``No
    Finding`` is 1.0 where no class is present or uncertain.
    """
    count = 0
    with _table(path, ["subject_id", "study_id", *CLASSES, NO_FINDING]) as writer:
        for record in records:
            states = states_of(record)
            nothing = record["labels"] == [NORMAL] and not record["uncertain"]
            writer.writerow(
                [
                    *(record.get(name, "") for name in ("subject_id", "study_id")),
                    *(_CELLS.get(states.get(name, ""), "") for name in CLASSES),
                    "1.0" if nothing else "",
                ]
            )
            count += 1
    return count


def write_disputes(records: Iterable[Record], path: Path) -> int:
    """One row per study and class on which readers differ, with each one's status and sentence.

    It holds sentences of reports, like every file of a run folder.
    """
    count = 0
    rows = iter(records)
    first = next(rows, None)
    readers = [] if first is None else list(first.get("readers") or {})
    columns = ["study_id", "subject_id", "class", "combined", *readers]
    columns += [f"{reader}: sentence" for reader in readers]
    with _table(path, columns) as writer:
        for record in _with(first, rows):
            found: Mapping[str, Any] = record.get("readers") or {}
            states = {reader: states_of(found.get(reader) or {}) for reader in readers}
            combined = states_of(record)
            for name in record.get("disputed") or ():
                writer.writerow(
                    [
                        record.get("study_id", record["id"]),
                        record.get("subject_id", ""),
                        name,
                        combined.get(name, SILENT),
                        *(states[reader].get(name, SILENT) for reader in readers),
                        *(_sentence(found.get(reader) or {}, name) for reader in readers),
                    ]
                )
                count += 1
    return count


def write_agreement(records: Iterable[Record], path: Path) -> int:
    """One row per pair of readers and class: counts of *present*, agreement, Cohen's kappa."""
    pairs = ReaderPairs(CLASSES, "present")
    for record in records:
        readers = record.get("readers") or {}
        pairs.add({name: states_of(found) for name, found in readers.items()})
    columns = ["reader_a", "reader_b", "class", "reports"]
    columns += ["both", "only_a", "only_b", "neither", "agreement", "kappa"]
    with _table(path, columns) as writer:
        for (a, b, name), pair in pairs.counts.items():
            shares = [_share(pair.observed), _share(pair.kappa)]
            cells = [pair.both, pair.only_a, pair.only_b, pair.neither]
            writer.writerow([a, b, name, pair.total, *cells, *shares])
    return len(pairs.counts)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _sentence(reading: Mapping[str, Any], name: str) -> str:
    return str((reading.get("evidence") or {}).get(name, ""))


def _with(first: Record | None, rest: Iterator[Record]) -> Iterator[Record]:
    if first is not None:
        yield first
        yield from rest


@contextmanager
def _table(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    """A CSV writer on ``path``, which appears whole or not at all."""
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        try:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            yield writer
        finally:
            text.detach()  # flushes; the file itself is closed by the atomic writer
