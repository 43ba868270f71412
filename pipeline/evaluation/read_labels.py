"""Label files: CSV or JSONL, one column per class or lists, one annotator or two.

Reads CheXpert's and NegBio's tables of MIMIC-CXR-JPG, its 2.1.0 test set (``Airspace Opacity``,
``study_id`` alone), the ``labels.csv`` and the records of a run, and tables made by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES
from pipeline.core.errors import ConfigError
from pipeline.core.records import IDENTITY
from pipeline.evaluation.columns import (
    CELL_VALUES,
    ColumnOptions,
    Columns,
    find_columns,
    unknown_class,
)
from pipeline.evaluation.rows import Sheet, is_csv, json_rows, no_file, open_sheet
from pipeline.evaluation.table import BLANK, PRESENT, LabelTable
from pipeline.evaluation.tally import Tally

_LOOKED_AT = 200  # rows that decide whether a column of unknown name holds labels
_FACTS = frozenset({*IDENTITY, "text", "report", "reading", "scorable", "fold", "path", "source"})


def read_labels(
    path: Path, options: ColumnOptions | None = None, reader: str = ""
) -> list[LabelTable]:
    """The labels in ``path``: one table, or two where a column ``annotator`` tells two apart.

    Args:
        path: CSV, TSV, JSONL or a JSON list, also compressed (``.gz``).
        options: what the caller says about columns.
        reader: for records of a run: the labels of this one of their ``readers``.

    Rows that say ``"scorable": false`` are left out and counted in the notes.

    Raises:
        ConfigError: the file cannot be read, or does not hold what its columns promise: a message
            with file, line and column, never with the content of a cell.
    """
    options = options or ColumnOptions()
    if not path.is_file():
        raise no_file(path)
    if is_csv(path):
        with open_sheet(path) as sheet:
            return _from_sheet(sheet, options)
    return _from_objects(path, options, reader)


def _from_sheet(sheet: Sheet, options: ColumnOptions) -> list[LabelTable]:
    where = str(sheet.path)
    columns = find_columns(sheet.header, where, options)
    at = {name: index for index, name in enumerate(sheet.header)}
    head = list(islice(sheet.rows, _LOOKED_AT))
    _refuse_unknown_classes(columns, at, head, where)
    tally = Tally(where, columns, _classes(columns, options))
    places = [(at[column], column) for column in columns.classes]
    study, patient = at[columns.study], at.get(columns.patient, -1)
    annotator = at.get(columns.annotator, -1)
    scorable = at.get("scorable", -1)
    values = dict(CELL_VALUES)
    for line, row in _chained(head, sheet.rows):
        if scorable >= 0 and row[scorable].strip().lower() in ("false", "0", "no"):
            tally.not_scorable += 1
            continue
        if places:
            try:
                cells = [values[row[index]] for index, _ in places]
            except KeyError:
                cells = [_cell(row[index], column, where, line) for index, column in places]
        else:
            lists = {name: _split(row[at[name]]) for name in columns.lists}
            cells = _from_lists(lists, columns, options, f"{where}, line {line}")
        tally.add(
            line,
            row[study],
            cells,
            row[patient] if patient >= 0 else "",
            row[annotator].strip() if annotator >= 0 else "",
        )
    return tally.tables()


def _from_objects(path: Path, options: ColumnOptions, reader: str) -> list[LabelTable]:
    where = str(path)
    rows = json_rows(path)
    if reader:
        rows = ((line, _of_reader(row, reader, f"{where}, line {line}")) for line, row in rows)
    head = list(islice(rows, _LOOKED_AT))
    if not head:
        raise ConfigError(f"{where} is empty")
    names = list(dict.fromkeys(name for _, row in head for name in row))
    columns = find_columns(names, where, options)
    as_text = [(line, [_text(row.get(name)) for name in names]) for line, row in head]
    places = {name: index for index, name in enumerate(names)}
    _refuse_unknown_classes(columns, places, as_text, where)
    tally = Tally(where, columns, _classes(columns, options))
    for line, row in _chained(head, rows):
        if row.get("scorable") is False:
            tally.not_scorable += 1
            continue
        here = f"{where}, line {line}"
        if columns.classes:
            cells = [_cell(_text(row.get(name)), name, where, line) for name in columns.classes]
        elif "labels" not in row:
            raise ConfigError(f"{here} has no 'labels'")
        else:
            lists = {name: _as_list(row.get(name), name, here) for name in columns.lists}
            cells = _from_lists(lists, columns, options, here)
        patient, annotator = row.get(columns.patient), row.get(columns.annotator)
        tally.add(line, _text(row.get(columns.study)), cells, _text(patient), _text(annotator))
    return tally.tables()


def _classes(columns: Columns, options: ColumnOptions) -> tuple[str, ...]:
    """The classes of a file: those with a column, or where it holds lists all 13."""
    return tuple(columns.classes.values()) or tuple(
        name for name in CLASSES if name not in options.ignored
    )


def _of_reader(row: dict[str, Any], reader: str, where: str) -> dict[str, Any]:
    """A record with the labels of one of its readers in the place of its own."""
    readers = row.get("readers")
    if not isinstance(readers, dict) or not isinstance(readers.get(reader), dict):
        raise ConfigError(f"{where} has no labels by reader {reader!r}")
    return {**{name: row[name] for name in IDENTITY if name in row}, **readers[reader]}


def _refuse_unknown_classes(
    columns: Columns, at: Mapping[str, int], head: list[tuple[int, list[str]]], where: str
) -> None:
    """A column that looks like labels and is no class is a mistake, not something to pass over."""
    if not columns.classes:
        return
    for name in columns.others:
        if name.lower() in _FACTS:
            continue
        cells = [row[at[name]].strip().lower() for _, row in head]
        if any(cells) and all(cell in CELL_VALUES for cell in cells):
            raise unknown_class(name, where)


def _cell(text: str, column: str, where: str, line: int) -> int:
    value = CELL_VALUES.get(text.strip().lower())
    if value is None:
        raise ConfigError(
            f"{where}, line {line}: column {column!r} holds something else than 1, 0, -1 or "
            "nothing; are columns swapped?"
        )
    return value


def _from_lists(
    lists: Mapping[str, list[str]], columns: Columns, options: ColumnOptions, where: str
) -> list[int]:
    """Cells of one study; of several lists that name a class the first in `LISTS` counts."""
    cells = dict.fromkeys(_classes(columns, options), BLANK)
    for column, value in columns.lists.items():
        for entry in lists[column]:
            name = options.name_of(entry)
            if entry in options.ignored or name in options.ignored or name == NORMAL:
                continue
            if name is None:
                raise unknown_class(entry, where)
            if cells[name] == BLANK or value == PRESENT:
                cells[name] = value
    return list(cells.values())


def _split(cell: str) -> list[str]:
    """The entries of a list in one cell: JSON, or separated by semicolon or bar."""
    text = cell.strip()
    if text.startswith("["):
        try:
            value = orjson.loads(text)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, list):
            return [str(entry).strip() for entry in value if str(entry).strip()]
        text = text.strip("[]").replace("'", "").replace(",", ";")
    return [entry.strip() for entry in text.replace("|", ";").split(";") if entry.strip()]


def _as_list(value: Any, column: str, where: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return _split(value)
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise ConfigError(f"{where}: {column!r} is no list of classes")
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and not np.isfinite(value):
        return ""
    return str(value).strip()


def _chained(head: list[Any], rest: Iterator[Any]) -> Iterator[Any]:
    yield from head
    yield from rest
