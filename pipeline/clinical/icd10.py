"""Which ICD-10-CM codes exist, from the packaged lists of the public-domain code set.

``libs/icd10cm_categories.csv`` holds every three-character category,
``libs/icd10cm_codes.csv`` all codes of the categories that chest imaging needs (and the codes that
``disease_lib.csv`` gives to findings).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal

from pipeline.clinical.lexicon import read_rows
from pipeline.core.resources import resource_path

_CODE = re.compile(r"([A-Z][0-9][0-9A-B])\.?([0-9A-Z]{0,4})", re.I)

Existence = Literal["code", "category", "unknown"]


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """What the packaged lists know of a code.

    Attributes:
        code: in standard spelling (``J98.11``); as given where it has no code's shape.
        exists: ``code``: it is listed; ``category``: its category exists, and its codes are not
            listed in full, so that nothing more can be said; ``unknown``: there is no such code.
        title: of the code, or of its category.
    """

    code: str
    exists: Existence
    title: str = ""

    @property
    def category(self) -> str:
        """The first three characters."""
        return self.code[:3]


@dataclass(frozen=True, slots=True)
class CodeBook:
    """Titles of categories and codes, and the categories whose codes are all listed."""

    categories: Mapping[str, str]
    codes: Mapping[str, str]
    complete: frozenset[str]

    def check(self, text: str) -> CodeCheck:
        """Look ``text`` up; the dot may be missing and the case may differ."""
        match = _CODE.fullmatch(text.strip())
        if match is None:
            return CodeCheck(text.strip(), "unknown")
        category, rest = match[1].upper(), match[2].upper()
        code = f"{category}.{rest}" if rest else category
        if code in self.codes:
            return CodeCheck(code, "code", self.codes[code])
        if category not in self.categories:
            return CodeCheck(code, "unknown")
        if not rest:
            return CodeCheck(code, "code", self.categories[category])
        exists: Existence = "unknown" if category in self.complete else "category"
        return CodeCheck(code, exists, self.categories[category])


@cache
def load_code_book() -> CodeBook:
    """The packaged lists; read once per process.

    Raises:
        ConfigError: a list is missing or lacks a column.
    """
    rows = list(
        read_rows(
            resource_path("libs", "icd10cm_categories.csv"), ("category", "title", "complete")
        )
    )
    codes = read_rows(resource_path("libs", "icd10cm_codes.csv"), ("code", "title"))
    return CodeBook(
        MappingProxyType({row["category"]: row["title"] for row in rows}),
        MappingProxyType({row["code"]: row["title"] for row in codes}),
        frozenset(row["category"] for row in rows if row["complete"] == "yes"),
    )
