"""Which names and values may be shown outside the files that hold text of reports.

A model can write anything into a name, a patient's too. What is made of the words of the packaged
libraries (and of a user's, which are lists of terms) says nothing about anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.clinical.lexicon import load_lexicon, normalise, plural, read_rows
from pipeline.clinical.userlibs import load_user_libs
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

_MOST_WORDS = 5
_NUMBER = re.compile(r"\d{1,2}(?:\.\d)?(?:st|nd|rd|th)?|[ctl]\d{1,2}")
"""Sizes, ribs and vertebrae: ``7`` mm, ``8th`` rib, ``t12``."""
_FURTHER = frozenset({"mm", "cm", "x", "and", "of", "the", "to", "with", "left", "right", "both"})
_TABLES = (("standardise_names.csv", ("wording", "name")), ("composition_lib.csv", ("result",)))


class Vocabulary:
    """Words that are no secret."""

    def __init__(self, words: frozenset[str]) -> None:
        self._words = words

    def knows(self, phrase: str) -> bool:
        """Whether ``phrase`` is made of known words and small numbers alone."""
        words = normalise(phrase).split()
        return 0 < len(words) <= _MOST_WORDS and all(
            word in self._words or _NUMBER.fullmatch(word) for word in words
        )


def vocabulary(libs: str | None = None) -> Vocabulary:
    """The words of the packaged libraries, and of those in the folder ``libs``.

    A folder that cannot be read any more adds nothing.
    """
    return Vocabulary(frozenset(word for term in _terms(libs) for word in normalise(term).split()))


def _terms(libs: str | None) -> Iterator[str]:
    yield from _FURTHER
    lexicon = load_lexicon()
    yield from lexicon.by_name
    yield from lexicon.wordings
    for table in (lexicon.locations, lexicon.levels, lexicon.types):
        for term in (*table, *table.values()):
            yield term
            yield plural(term) or ""
    for name, columns in _TABLES:
        for row in read_rows(resource_path("libs", name), columns):
            yield from (row[column] for column in columns)
    if libs:
        with suppress(ConfigError):
            user = load_user_libs(Path(libs).expanduser())
            yield from user.renames.values()
            yield from user.vocabulary
