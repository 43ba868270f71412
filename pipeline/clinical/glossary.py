"""The bilingual glossary: which terms of a text have a translation, and which words these are.

``libs/glossary_zh.csv`` is data a radiologist extends: an English term, the Chinese ones (the one
to write first, accepted variants behind it, ``;`` between them), its kind, and where it is from.
The terms of a caption are given to the model, the check accepts every variant, and the translation
without a model is written with the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pipeline.clinical.lexicon import normalise, plural, read_rows
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

KINDS = frozenset(
    {
        "finding", "disease", "device", "procedure", "variant", "artifact", "general", "anatomy",
        "side", "level", "type", "normal", "negation", "hedge", "phrase", "abbreviation",
    }
)  # fmt: skip
"""What a row may be."""

NAMING = frozenset({"finding", "disease", "device", "procedure", "variant"})
"""Kinds whose terms name what is seen."""


@dataclass(frozen=True, slots=True)
class Term:
    """One row: an English term, its translations (the usual one first), kind and source."""

    english: str
    chinese: tuple[str, ...]
    kind: str
    source: str


@dataclass(frozen=True, slots=True)
class Glossary:
    """All terms.

    ``by_wording`` finds a term by its normalised English wording, plurals included. ``longest``
    maps a first word to the number of words of the longest term it begins. ``latin`` holds, in
    lower case, what may stay in Latin letters in a translation: abbreviations, and the parts of
    names such as *Swan-Ganz*.
    """

    terms: tuple[Term, ...]
    by_wording: Mapping[str, Term]
    longest: Mapping[str, int]
    latin: frozenset[str]

    def find(self, english: str) -> Term | None:
        """The term of a wording, singular or plural."""
        return self.by_wording.get(normalise(english))

    def select(self, text: str) -> list[Term]:
        """The terms that occur in a text, longest wordings first in every place, in text order."""
        words = normalise(text).split(" ")
        longest, by_wording, count = self.longest, self.by_wording, len(words)
        found: dict[str, Term] = {}
        at = 0
        while at < count:
            most = longest.get(words[at])
            if most is None:
                at += 1
                continue
            for size in range(min(most, count - at), 0, -1):
                term = by_wording.get(" ".join(words[at : at + size]) if size > 1 else words[at])
                if term is not None:
                    found.setdefault(term.english, term)
                    at += size
                    break
            else:
                at += 1
        return list(found.values())


@cache
def load_glossary(path: Path | None = None) -> Glossary:
    """The packaged Chinese glossary, or the packaged one with the rows of ``path`` on top.

    Raises:
        ConfigError: the file is missing or malformed, or a row has an unknown kind or no term.
    """
    packaged = list(_terms(resource_path("libs", "glossary_zh.csv")))
    own = list(_terms(path)) if path is not None else []
    wordings: dict[str, Term] = {}
    for term in (*own, *packaged):
        wordings.setdefault(normalise(term.english), term)
    for term in (*own, *packaged):
        if (several := plural(normalise(term.english))) is not None:
            wordings.setdefault(several, term)
    longest: dict[str, int] = {}
    for wording in wordings:
        first, *rest = wording.split(" ")
        longest[first] = max(longest.get(first, 0), 1 + len(rest))
    names = [term.english.lower() for term in (*own, *packaged) if term.kind == "abbreviation"]
    latin = frozenset(names) | {p for name in names for p in name.split("-") if len(p) > 2}
    return Glossary((*own, *packaged), MappingProxyType(wordings), longest, latin)


def _terms(path: Path) -> Iterable[Term]:
    for row in read_rows(path, ("english", "chinese", "kind", "source")):
        chinese = tuple(filter(None, (word.strip() for word in row["chinese"].split(";"))))
        if not normalise(row["english"]) or not chinese:
            raise ConfigError(f"{path}: a row lacks its English or Chinese term")
        if row["kind"] not in KINDS:
            known = ", ".join(sorted(KINDS))
            raise ConfigError(f"{path}: unknown kind {row['kind']!r}; there are: {known}")
        yield Term(row["english"], chinese, row["kind"], row["source"])
