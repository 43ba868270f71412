"""The files of a user's libraries, one reader each; see :mod:`pipeline.clinical.userlibs`."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.core.errors import ConfigError

DISEASES: Final = ("disease_lib_llm.csv", "disease_lib.csv")


def term_of(text: str) -> str:
    """A term as records have it: lower case, single blanks."""
    return " ".join(text.lower().split())


def read_dictionary(path: Path) -> dict[str, int]:
    """A ``*_dict.json``.

    Raises:
        ConfigError: it is no object of numbers.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read as JSON ({type(error).__name__})") from None
    if not isinstance(value, dict) or not all(
        isinstance(count, int | float) and not isinstance(count, bool) for count in value.values()
    ):
        raise ConfigError(f"{path} must be an object of terms and their frequencies")
    return {term: int(count) for term, count in value.items()}


def read_sheet(path: Path) -> dict[str, str]:
    """Term -> comment of a reviewer's sheet; a term may stand twice if only one row decides.

    Raises:
        ConfigError: a column is missing, or two rows of a term have different comments.
    """
    comments: dict[str, str] = {}
    for row in _rows(path, ("Term", "Comment")):
        term, comment = term_of(row["Term"]), row["Comment"]
        if not term:
            continue
        before = comments.get(term, "")
        if before and comment and before.lower() != comment.lower():
            raise ConfigError(f"{path}: {term!r} stands there twice with different comments")
        comments[term] = before or comment
    return comments


def read_official_names(folder: Path) -> dict[str, str]:
    """Wording -> official name of the published disease libraries."""
    names: dict[str, str] = {}
    for file in DISEASES:
        path = folder / file
        if not path.is_file():
            continue
        here: dict[str, str] = {}
        for row in _rows(path, ("report_name", "official_name")):
            official = term_of(row["official_name"])
            wordings = map(term_of, row["report_name"].split(";"))
            for wording in (official, *wordings):
                if wording and official and here.setdefault(wording, official) != official:
                    raise ConfigError(
                        f"{path}: {wording!r} belongs to {here[wording]!r} and {official!r}"
                    )
        for wording, official in here.items():
            names.setdefault(wording, official)
    return names


def read_terms(folder: Path, kind: str) -> list[str]:
    """Terms of ``location_lib.csv``, ``level_lib.csv`` or ``type_lib.csv``; repeats do no harm."""
    path = folder / f"{kind}_lib.csv"
    if not path.is_file():
        return []
    return [term for row in _rows(path, (kind,)) if (term := term_of(row[kind]))]


def _rows(path: Path, required: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of a CSV by column name, whatever the case of the names is; cells stripped.

    Raises:
        ConfigError: it cannot be read, or lacks a column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} cannot be read ({type(error).__name__}); save it as UTF-8 CSV"
        ) from None
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns = {(name or "").strip().lower(): name for name in reader.fieldnames or ()}
        missing = [name for name in required if name.lower() not in columns]
        if missing:
            raise ConfigError(f"{path}: column {', '.join(missing)} is missing")
        for row in reader:
            yield {name: (row[columns[name.lower()]] or "").strip() for name in required}
    except csv.Error as error:
        raise ConfigError(f"{path} is no CSV: {error}") from None
