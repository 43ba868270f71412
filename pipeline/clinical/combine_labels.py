"""One set of labels from several readers of the same report, and where they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

from pipeline.clinical.label_reply import ABSENT, PRESENT, UNCERTAIN, Labels
from pipeline.clinical.lexicon import CLASSES

Policy = Literal["majority", "veto", "any"]

_FIELDS: Final = (("labels", PRESENT), ("uncertain", UNCERTAIN), ("negated", ABSENT))


def states_of(reading: Mapping[str, Any]) -> dict[str, str]:
    """Class -> status of labels as records keep them (`Labels.as_json`); ``Normal`` is none."""
    return {
        name: status
        for field, status in _FIELDS
        for name in reading.get(field) or ()
        if name in CLASSES
    }


def decide(votes: Sequence[str], policy: Policy, vetoes: Sequence[str] = ()) -> str:
    """The status that readers agree on; ``votes`` are statuses, silence counts as ``absent``.

    ``majority``: what more than half of them say; without one, ``uncertain``. ``veto``: ``absent``
    if one of ``vetoes`` is, else the majority. ``any``: the strongest thing said.
    """
    if policy == "any":
        return next(status for status in (PRESENT, UNCERTAIN, ABSENT) if status in votes)
    if policy == "veto" and ABSENT in vetoes:
        return ABSENT
    status, count = Counter(votes).most_common(1)[0]
    return status if 2 * count > len(votes) else UNCERTAIN


def combine_labels(
    readings: Mapping[str, Mapping[str, Any]], policy: Policy, veto_by: Sequence[str] = ()
) -> tuple[Labels, list[str]]:
    """The combined labels, and the classes on which the readers differ.

    Args:
        readings: reader -> labels as records keep them.
        policy: see :func:`decide`.
        veto_by: the readers that may veto; all when empty.

    The evidence of a class is that of the first reader who gives the decided status. A class that
    nobody speaks of has no entry.
    """
    states = {reader: states_of(reading) for reader, reading in readings.items()}
    decided: dict[str, str] = {}
    evidence: dict[str, str] = {}
    differing: list[str] = []
    for name in CLASSES:
        votes = {reader: state.get(name, ABSENT) for reader, state in states.items()}
        if len(set(votes.values())) > 1:
            differing.append(name)
        status = decide(
            list(votes.values()), policy, [votes[r] for r in veto_by or votes if r in votes]
        )
        if status == ABSENT and not any(name in state for state in states.values()):
            continue
        decided[name] = status
        for reader, state in states.items():
            sentence = (readings[reader].get("evidence") or {}).get(name)
            if sentence and state.get(name) == status:
                evidence[name] = sentence
                break
    return Labels(decided, evidence), differing
