"""Texts of a few reports, for those who ask to see what was labelled wrongly."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.evaluation.columns import STUDY_COLUMNS
from pipeline.evaluation.rows import is_csv, json_rows, no_file, open_sheet
from pipeline.evaluation.tally import clean_id

_TEXTS = ("reading", "text", "report")
_PARTS = ("findings", "impression")


def read_texts(path: Path, wanted: Collection[str], study_column: str = "") -> dict[str, str]:
    """Study id -> text of the studies ``wanted``, from a table or the records of a run.

    The text is the column ``reading``, ``text`` or ``report``, else findings and impression.

    Raises:
        ConfigError: the file cannot be read, or has no such column.
    """
    if not path.is_file():
        raise no_file(path)
    texts = {}
    for row in _rows(path):
        column = study_column or next((name for name in STUDY_COLUMNS if name in row), "")
        study = clean_id(str(row.get(column) or ""))
        if study in wanted:
            texts[study] = _text(row, path)
    return texts


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    if not is_csv(path):
        for _, row in json_rows(path):
            yield row
        return
    with open_sheet(path) as sheet:
        for _, cells in sheet.rows:
            yield dict(zip(sheet.header, cells, strict=True))


def _text(row: Mapping[str, Any], path: Path) -> str:
    names = [name for name in _TEXTS if name in row][:1] or [n for n in _PARTS if n in row]
    if not names:
        raise ConfigError(f"{path} has no column {', '.join((*_TEXTS, *_PARTS))}")
    return " ".join(" ".join(str(row[name] or "").split()) for name in names)
