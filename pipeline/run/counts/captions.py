"""Counts of captions, their translations and the images they were paired with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.records import Record
from pipeline.exports.card import quantile
from pipeline.run.counts.remembered import most

_SHARES = {"median": 0.5, "95 % below": 0.95, "longest": 1.0}


def count_captions(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Lengths of captions (words) and translations (characters), flags, images and views.

    ``flags`` counts records by what was marked, ``caption: addition``; a flag without a text it is
    about stands alone.
    """
    captions: Counter[int] = Counter()
    translations: Counter[int] = Counter()
    languages: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    views: Counter[str] = Counter()
    total = images = 0
    for record in records:
        total += 1
        if record.get("caption"):
            captions[len(record["caption"].split())] += 1
        if record.get("translation"):
            translations[len(record["translation"])] += 1
            languages[str(record.get("language") or "")] += 1
        flags.update({_said(flag) for flag in record.get("flags") or ()})
        images += len(record.get("image_paths") or ())
        views.update(record.get("image_views") or ())
    return {
        "records": total,
        "languages": most(languages),
        "words": {name: quantile(captions, share) for name, share in _SHARES.items()},
        "characters": {name: quantile(translations, share) for name, share in _SHARES.items()},
        "flags": most(flags),
        "images": images,
        "views": most(views),
    }


def _said(flag: Any) -> str:
    if not isinstance(flag, dict):
        return str(flag)
    return ": ".join(filter(None, (str(flag.get("of") or ""), str(flag.get("kind") or ""))))
