"""Answers to be judged: those of several systems to the same questions, joined into one table.

Judged sets are small (each question costs money), so the whole set is held in memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.core.atomic import atomic_writer
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.core.jsonl import dump_line
from pipeline.evaluation.rows import is_csv, json_rows, no_file, open_sheet

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id",),
    "instruction": ("instruction", "question"),
    "answer": ("generated", "answer", "output", "response"),
    "reference": ("reference", "response", "expected"),
    "report": ("report", "input", "reading"),
    "subject_id": ("subject_id",),
    "family": ("family",),
}
"""Field -> names of its column in lower case, the best first. Where a file has ``GENERATED`` and
``RESPONSE``, as ``infer`` writes them, the first is the answer and the second the reference."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of one system; text is left out of its ``repr``."""

    instruction: str = field(repr=False)
    answer: str = field(repr=False)
    reference: str = field(default="", repr=False)
    report: str = field(default="", repr=False)
    subject_id: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class Joined:
    """Questions that every system answered.

    Attributes:
        rows: one per question, in the order of the first file, as the recipe ``judge`` takes them.
        dropped: reason -> questions that are left out: ``no_answer``, ``other_instruction``,
            ``not_in_all`` or ``no_instruction``.
    """

    rows: Sequence[dict[str, str]]
    dropped: Mapping[str, int]


def read_answers(path: Path) -> dict[str, Answer]:
    """Answers by id; a file without a column ``id`` is numbered by its rows.

    Raises:
        ConfigError: it cannot be read, lacks the instruction or the answer, or has an id twice.
    """
    if not path.is_file():
        raise no_file(path)
    answers: dict[str, Answer] = {}
    for number, (line, row) in enumerate(_rows(path), start=1):
        lowered = {str(name).strip().lower(): value for name, value in row.items()}
        names = _names(lowered)
        missing = [name for name in ("instruction", "answer") if name not in names]
        if missing:
            raise ConfigError(f"{path}, line {line} has no {' and no '.join(missing)}")
        values = {name: _text(lowered[column]) for name, column in names.items()}
        key = values.pop("id", "") or f"row-{number}"
        if key in answers:
            raise ConfigError(f"{path}, line {line}: its id stands there twice")
        answers[key] = Answer(**values)
    if not answers:
        raise ConfigError(f"{path} holds no answers")
    return answers


def join_answers(systems: Mapping[str, Mapping[str, Answer]]) -> Joined:
    """The questions that all systems answered, with the answer of each in ``answer_SYSTEM``."""
    dropped: Counter[str] = Counter()
    rows = []
    first, *others = systems.values()
    dropped["not_in_all"] += len({key for other in others for key in other} - first.keys())
    for key, start in first.items():
        if not all(key in other for other in others):
            dropped["not_in_all"] += 1
            continue
        found = {name: answers[key] for name, answers in systems.items()}
        if not start.instruction:
            dropped["no_instruction"] += 1
        elif any(each.instruction.split() != start.instruction.split() for each in found.values()):
            dropped["other_instruction"] += 1
        elif not all(each.answer for each in found.values()):
            dropped["no_answer"] += 1
        else:
            rows.append(_row(key, found))
    return Joined(rows, {reason: count for reason, count in dropped.items() if count})


def draw(joined: Joined, count: int, seed: int) -> Joined:
    """A seeded sample of the questions; a larger sample contains the smaller one."""
    ranked = sorted(joined.rows, key=lambda row: stable_seed(seed, "judged", row["id"]))
    chosen = {row["id"] for row in ranked[:count]}
    return Joined([row for row in joined.rows if row["id"] in chosen], joined.dropped)


def write_rows(joined: Joined, path: Path) -> None:
    """Write the rows as JSON Lines, for the owner alone."""
    with atomic_writer(path) as file:
        for row in joined.rows:
            file.write(dump_line(row))


def _row(key: str, found: Mapping[str, Answer]) -> dict[str, str]:
    def first(name: str) -> str:
        return next((value for each in found.values() if (value := getattr(each, name))), "")

    return {
        "id": key,
        **{name: first(name) for name in ("subject_id", "family", "instruction")},
        **{name: first(name) for name in ("report", "reference")},
        **{f"answer_{system}": each.answer for system, each in found.items()},
    }


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if is_csv(path):
        with open_sheet(path) as sheet:
            for line, cells in sheet.rows:
                yield line, dict(zip(sheet.header, cells, strict=True))
    else:
        yield from json_rows(path)


def _names(columns: Mapping[str, Any]) -> dict[str, str]:
    """Field -> column; a column is taken once."""
    taken: set[str] = set()
    names = {}
    for name, known in _COLUMNS.items():
        column = next((each for each in known if each in columns and each not in taken), None)
        if column is not None:
            taken.add(column)
            names[name] = column
    return names


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()
