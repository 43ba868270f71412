"""Frequency dictionaries and the sheets in which reviewers comment on their terms."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from pipeline.clinical.dictionaries import TermCounter
from pipeline.clinical.userlib_files import read_sheet
from pipeline.core.atomic import atomic_writer, make_private_dir, write_bytes

SHEET_COLUMNS = ("Term", "Freq", "Comment")
"""The published columns; a comment other than OK refuses a term."""


def write_libraries(counter: TermCounter, folder: Path) -> dict[str, int]:
    """Write ``{kind}_dict.json`` and ``{kind}_dict_checked.csv``; returns the terms per kind.

    Comments of a sheet that is there already are kept, also for terms that no longer occur.

    Raises:
        ConfigError: a sheet that is there cannot be read; nothing of its kind is changed.
    """
    make_private_dir(folder)
    sizes = {}
    for kind, table in counter.tables():
        sheet = folder / f"{kind}_dict_checked.csv"
        comments = read_sheet(sheet) if sheet.exists() else {}
        write_bytes(folder / f"{kind}_dict.json", json.dumps(table, indent=0).encode() + b"\n")
        write_sheet(sheet, table, comments)
        sizes[kind] = len(table)
    return sizes


def write_sheet(path: Path, table: Mapping[str, int], comments: Mapping[str, str]) -> None:
    """Write a reviewer's sheet: term, frequency, comment; commented terms always stand there."""
    rows = {**{term: 0 for term, comment in comments.items() if comment}, **table}
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(SHEET_COLUMNS)
        for term, count in sorted(rows.items(), key=lambda item: (-item[1], item[0])):
            writer.writerow((term, count, comments.get(term, "")))
        text.detach()
