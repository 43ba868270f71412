"""Counts of tasks and samples: families, languages, splits, what was marked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.records import Record, root_id
from pipeline.run.counts.remembered import most
from pipeline.run.counts.studies import in_two, part_of


def count_samples(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Samples by family and split, with patients and studies; flags are counted by their kind.

    Holds the ids of the patients while it counts. A study without a known patient counts as a
    patient of its own.
    """
    families: dict[str, Counter[str]] = {}
    languages: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    waves: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    studies: Counter[str] = Counter()
    patients: dict[str, set[str]] = {}
    last = None
    for record in records:
        part = part_of(record)
        rows[part] += 1
        study = root_id(str(record["id"]))
        if study != last:
            studies[part], last = studies[part] + 1, study
        patients.setdefault(part, set()).add(str(record.get("subject_id") or f"study {study}"))
        families.setdefault(str(record.get("family") or ""), Counter())[part] += 1
        if record.get("language"):
            languages[str(record["language"])] += 1
        if record.get("wave"):
            waves[str(record["wave"])] += 1
        for kind in {_kind(flag) for flag in record.get("flags") or ()}:
            flags[kind] += 1
    totals = {family: counts.total() for family, counts in families.items()}
    return {
        "samples": rows.total(),
        "in_two_splits": in_two(patients),
        "splits": {
            part: {"samples": count, "studies": studies[part], "patients": len(patients[part])}
            for part, count in rows.items()
        },
        "families": {family: dict(families[family]) for family in most(totals)},
        "languages": most(languages),
        "waves": dict(sorted(waves.items())),
        "flags": most(flags),
    }


def _kind(flag: Any) -> str:
    """A flag's class word: itself, or for an issue with a span its kind."""
    return str(flag.get("kind", "")) if isinstance(flag, dict) else str(flag)
