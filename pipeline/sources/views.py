"""The words with which sources name the view of a chest X-ray, in six classes."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

View = Literal["pa", "ap", "frontal", "lateral", "other", "unknown"]

_RULES: Final[tuple[tuple[View, re.Pattern[str]], ...]] = (
    ("other", re.compile(r"oblique|swimmer|decub|abdom|rib|spine|shoulder")),
    ("lateral", re.compile(r"lat|^(l|ll|rl|lll)$")),
    ("pa", re.compile(r"postero-?\s?_?anterior|^pa\b|\bpa$")),
    ("ap", re.compile(r"antero-?\s?_?posterior|^ap\b|\bap$")),
    ("frontal", re.compile(r"front")),
)


def view_class(view: str | None) -> View:
    """Class of a view as DICOM, MIMIC-CXR, Open-i, PadChest or CheXpert Plus write it.

    ``frontal`` is a frontal view of which nobody says whether it is PA or AP, ``unknown`` is no
    view at all.
    """
    return _class_of(view) if view else "unknown"


@lru_cache(maxsize=1024)
def _class_of(view: str) -> View:
    text = view.strip().lower()
    if not text:
        return "unknown"
    return next((name for name, pattern in _RULES if pattern.search(text)), "other")
