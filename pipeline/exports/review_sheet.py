"""Sheets for expert review: what was made of a report, beside the report, with room for a verdict.

A CSV has one row per statement of a KeyInfo record, or one row per record of any other kind; the
columns ``correct`` and ``comment`` are empty. A JSONL file has one line per study.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from pipeline.clinical.keyinfo import CATEGORIES, FINDING_CATEGORIES, NEGATED, instances
from pipeline.core.atomic import atomic_writer
from pipeline.core.records import IDENTITY, Record

VERDICT = ("correct", "comment")
_STATEMENT = ("category", "finding", "location", "level", "type", "evidence")
_LEFT_OUT = frozenset((*IDENTITY, "changes", "flags", "second_reading", "reference"))


def write_csv(studies: Iterable[tuple[str, str, Sequence[Record]]], path: Path) -> int:
    """Write ``(study id, report, records)`` as a sheet; returns its rows.

    The report stands in the first row of its study only.
    """
    rows: list[dict[str, str]] = []
    columns = dict.fromkeys(("study_id", "report"))
    for study, report, records in studies:
        made = [row for record in records for row in _rows(record)] or [{}]
        for number, row in enumerate(made):
            rows.append({"study_id": study, "report": "" if number else report, **row})
            columns.update(dict.fromkeys(row))
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        writer = csv.DictWriter(text, [*columns, *VERDICT], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text.detach()
    return len(rows)


def write_jsonl(studies: Iterable[tuple[str, str, Sequence[Record]]], path: Path) -> int:
    """Write ``(study id, report, records)``, one line per study; returns their number."""
    count = 0
    with atomic_writer(path) as file:
        for study, report, records in studies:
            line = {"study_id": study, "report": report, "records": list(records)}
            file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
            count += 1
    return count


def _rows(record: Record) -> Iterator[dict[str, str]]:
    if not all(category in record for category in CATEGORIES):
        yield {name: _cell(value) for name, value in record.items() if name not in _LEFT_OUT}
        return
    evidence = record.get("evidence") or {}
    for category in FINDING_CATEGORIES:
        for name, value in record[category].items():
            for one in instances(value):
                yield _statement(category, name, one, evidence)
    for name in record[NEGATED]:
        yield _statement(NEGATED, name, {}, evidence)


def _statement(
    category: str, name: str, one: Mapping[str, Any], evidence: Mapping[str, Any]
) -> dict[str, str]:
    sentences = " ".join(dict.fromkeys(evidence.get(name) or ()))
    cells = (category, name, *(one.get(slot) or "" for slot in _STATEMENT[2:5]), sentences)
    return dict(zip(_STATEMENT, cells, strict=True))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
