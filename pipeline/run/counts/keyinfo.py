"""Counts of KeyInfo in standard form: which findings, where, and what the standard form changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.clinical.keyinfo import ATTRIBUTES, ENTITY, NEGATED, OPACITY, UNCERTAIN
from pipeline.clinical.vocabulary import Vocabulary, vocabulary
from pipeline.core.records import Record
from pipeline.run.counts.remembered import most

STATUSES = {ENTITY: "present", UNCERTAIN: "uncertain", NEGATED: "absent"}
"""Category of KeyInfo -> what tables call it."""

_MOST = 200


def count_keyinfo(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Findings by status, values of attributes, changes by rule.

    Names and values count under their own name only if every word of them is in the packaged
    vocabulary or the libraries of the stage; the rest may be words of a patient's report, and are
    counted together under ``unknown``.
    """
    names = {status: Counter[str]() for status in STATUSES.values()}
    values = {slot: Counter[str]() for slot in ATTRIBUTES}
    rules: Counter[str] = Counter()
    flags: Counter[str] = Counter()
    lungs: Counter[str] = Counter()
    totals: Counter[str] = Counter()
    for record in records:
        totals["records"] += 1
        changes = record.get("changes") or ()
        totals["changed"] += bool(changes)
        rules.update(str(change["rule"]) for change in changes)
        flags.update(str(flag) for flag in record.get("flags") or ())
        lungs.update(name for name in record[OPACITY] if name in ("clear", "opacity"))
        for category, status in STATUSES.items():
            names[status].update(iter(record[category]))  # names alone, of a mapping too
        totals["without_present"] += not record[ENTITY]
        totals["empty"] += not (record[ENTITY] or record[UNCERTAIN] or record[NEGATED])
        for category in (ENTITY, UNCERTAIN):
            for sets in record[category].values():
                for one in sets if isinstance(sets, list) else (sets,):
                    for slot in ATTRIBUTES:
                        if one.get(slot):
                            values[slot].update(one[slot].split(", "))
    words = vocabulary(params.get("libs"))
    return {
        **{name: totals[name] for name in ("records", "changed", "without_present", "empty")},
        "lungs": most(lungs),
        "findings": _findings(names, words),
        "values": {slot: _listed(counts, words) for slot, counts in values.items()},
        "rules": most(rules),
        "flags": most(flags),
    }


def _findings(names: Mapping[str, Counter[str]], words: Vocabulary) -> dict[str, Any]:
    total: Counter[str] = Counter()
    for counts in names.values():
        total.update({name: count for name, count in counts.items() if words.knows(name)})
    unknown = {name for counts in names.values() for name in counts if name not in total}
    return {
        "statements": {status: counts.total() for status, counts in names.items()},
        "names": {
            name: {status: counts[name] for status, counts in names.items()}
            for name in most(total, _MOST)
        },
        "known": len(total),
        "unknown": {
            "names": len(unknown),
            **{
                status: sum(count for name, count in counts.items() if name in unknown)
                for status, counts in names.items()
            },
        },
    }


def _listed(counts: Counter[str], words: Vocabulary) -> dict[str, Any]:
    listed = {value: count for value, count in counts.items() if words.knows(value)}
    return {
        "total": counts.total(),
        "most": most(listed, _MOST),
        "known": len(listed),
        "unknown": {
            "values": len(counts) - len(listed),
            "times": counts.total() - sum(listed.values()),
        },
    }
