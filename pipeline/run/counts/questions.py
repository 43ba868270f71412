"""Counts of question rows: types, answers, splits, and the published mix beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.clinical.questions.options import PUBLISHED_MIX
from pipeline.core.records import Record
from pipeline.run.counts.studies import in_two, part_of


def count_questions(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Rows by type, closed answer, split and grade, and the studies they are about.

    Holds the ids of the patients while it counts.
    """
    types: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    parts: Counter[str] = Counter()
    grades: Counter[str] = Counter()
    patients: dict[str, set[str]] = {}
    studies = 0
    last = None
    for row in records:
        types[row["question_type"]] += 1
        if row["answer"] in ("yes", "no"):
            closed[f"{row['question_type']}:{row['answer']}"] += 1
        part = part_of(row)
        parts[part] += 1
        if row.get("quality"):
            grades[str(row["quality"])] += 1
        if row["study_id"] != last:
            studies, last = studies + 1, row["study_id"]
            if row.get("subject_id"):
                patients.setdefault(part, set()).add(str(row["subject_id"]))
    return {
        "studies": studies,
        "types": dict(types.most_common()),
        "closed": dict(sorted(closed.items())),
        "splits": dict(parts),
        "in_two_splits": in_two(patients),
        "grades": dict(grades.most_common()),
    }


def type_mix(types: Mapping[str, int]) -> list[tuple[str, int, float, float | None]]:
    """Rows of ``(type, rows, share, published share)``.

    Shares are among the six published types, so that ``difference`` and ``scene`` rows do not
    blur the comparison; they have none.
    """
    six = sum(count for name, count in types.items() if name in PUBLISHED_MIX)
    return [
        (
            name,
            count,
            count / six if name in PUBLISHED_MIX and six else 0.0,
            PUBLISHED_MIX.get(name),
        )
        for name, count in types.items()
    ]


def yes_and_no(counts: Mapping[str, Any], name: str) -> tuple[int, int]:
    """Rows of a question type that are answered yes, and no."""
    closed = counts["closed"]
    return closed.get(f"{name}:yes", 0), closed.get(f"{name}:no", 0)
