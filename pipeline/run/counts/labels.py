"""Counts of weak labels: how often each class is said, and how far readers agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.clinical.agreement import ReaderPairs
from pipeline.clinical.combine_labels import states_of
from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES
from pipeline.core.records import Record
from pipeline.run.counts.remembered import most
from pipeline.run.counts.replies import reply_state

STATUSES = ("present", "uncertain", "absent")
COMBINED = "combined"
"""Name of the labels that readers make together."""

_MOST_CODES = 200
_SOURCES = ("code", "category")


def count_labels(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Classes by reader and status, pairs of readers, disputes, ICD-10-CM codes.

    Codes count under their own name only where the packaged lists have them.
    """
    by_reader: dict[str, dict[str, Counter[str]]] = {}
    normal: Counter[str] = Counter()
    disputed: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    replies: dict[str, Counter[str]] = {}
    pairs = ReaderPairs(CLASSES, "present")
    for record in records:
        totals["reports"] += 1
        readers = record.get("readers") or {}
        states = {name: states_of(found) for name, found in readers.items()}
        pairs.add(states)
        for name, found in readers.items():
            if "reply" in found:
                replies.setdefault(name, Counter())[reply_state(found["reply"])] += 1
        if "labels" in record:
            readers = {**readers, COMBINED: record}
            states[COMBINED] = states_of(record)
        for reader, found in states.items():
            normal[reader] += readers[reader].get("labels") == [NORMAL]
            classes = by_reader.setdefault(reader, {})
            for name, status in found.items():
                classes.setdefault(name, Counter())[status] += 1
        totals["disputed"] += bool(record.get("disputed"))
        disputed.update(name for name in record.get("disputed") or () if name in CLASSES)
        _count_phrases(record.get("phrases"), totals, codes)
    return {
        **{name: totals[name] for name in ("reports", "disputed", "phrases", "with_phrases")},
        "in_text": totals["in_text"],
        "uncertain_phrases": totals["uncertain_phrases"],
        "has_phrases": totals["has_phrases"] > 0,
        "replies": {name: most(found) for name, found in replies.items()},
        "readers": {
            reader: {
                "normal": normal[reader],
                "classes": {
                    name: {status: classes.get(name, Counter())[status] for status in STATUSES}
                    for name in CLASSES
                },
            }
            for reader, classes in by_reader.items()
        },
        "pairs": [
            {
                "a": a,
                "b": b,
                "class": name,
                "both": pair.both,
                "only_a": pair.only_a,
                "only_b": pair.only_b,
                "neither": pair.neither,
                "agreement": pair.observed,
                "kappa": pair.kappa,
            }
            for (a, b, name), pair in pairs.counts.items()
        ],
        "disputes": {name: disputed[name] for name in CLASSES},
        "codes": most(codes, _MOST_CODES),
        "distinct_codes": len(codes),
    }


def _count_phrases(phrases: Any, totals: Counter[str], codes: Counter[str]) -> None:
    if phrases is None:
        return
    totals["has_phrases"] += 1
    totals["with_phrases"] += bool(phrases)
    totals["phrases"] += len(phrases)
    for phrase in phrases:
        totals["in_text"] += bool(phrase.get("in_text"))
        totals["uncertain_phrases"] += phrase.get("certain") is False
        if phrase.get("exists") in _SOURCES:
            code = str(phrase["code"])
            codes[code if phrase["exists"] == "code" else code[:3]] += 1
