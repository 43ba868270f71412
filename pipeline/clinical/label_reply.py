"""The labels of one report as a model answers them: schema, reading, checks.

An answer lists classes with a status and the sentence each rests on. ``Normal`` is said in words:
an empty list is no answer, because "no finding" is a label and not an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.clinical.class_names import class_name
from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES
from pipeline.clinical.reply_json import read_list_reply
from pipeline.clinical.support import find_sentence

PRESENT: Final = "present"
UNCERTAIN: Final = "uncertain"
ABSENT: Final = "absent"
STATUSES: Final = (PRESENT, UNCERTAIN, ABSENT)
"""What a report can say of a class, the stronger first: stated beats doubted beats denied."""

LABELS_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "labels": {
            "type": "array",
            "description": "classes the report speaks of; Normal alone where none is present",
            "items": {
                "type": "object",
                "properties": {
                    "label": {"type": "string", "enum": [*CLASSES, NORMAL]},
                    "status": {"type": "string", "enum": list(STATUSES)},
                    "evidence": {"type": "string", "description": "sentence of the report"},
                },
                "required": ["label", "status", "evidence"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["labels"],
    "additionalProperties": False,
}
"""JSON schema of an answer, inside the strict subset of structured outputs."""


@dataclass(frozen=True, slots=True)
class Labels:
    """The classes of a report, each with the sentence it rests on.

    Attributes:
        states: class -> ``present``, ``uncertain`` or ``absent``, in the order of `CLASSES`; a
            class that the report does not speak of has no entry.
        evidence: class -> sentence of the report.
        unsupported: classes whose sentence was not given, or does not stand in the report.
    """

    states: Mapping[str, str]
    evidence: Mapping[str, str] = field(default_factory=dict, repr=False)
    unsupported: tuple[str, ...] = ()

    def having(self, status: str) -> list[str]:
        """The classes with this status."""
        return [name for name, state in self.states.items() if state == status]

    def as_json(self) -> dict[str, Any]:
        """As records keep it; ``labels`` is ``["Normal"]`` when no class is present."""
        return {
            "labels": self.having(PRESENT) or [NORMAL],
            "uncertain": self.having(UNCERTAIN),
            "negated": self.having(ABSENT),
            "evidence": dict(self.evidence),
            "unsupported": list(self.unsupported),
        }


@dataclass(frozen=True, slots=True)
class LabelReply:
    """What a reply says.

    Attributes:
        status: ``ok``, ``repaired`` or ``none``.
        labels: None exactly when ``status`` is ``none``.
        reason: reason of the reject: ``unknown_label``, ``contradiction`` (``Normal`` beside a
            present class), ``no_label``, ``wrong_shape``, or one of `reply_json`.
        detail: counts, never text of the reply.
    """

    status: Literal["ok", "repaired", "none"]
    labels: Labels | None
    reason: str = ""
    detail: str = ""


def parse_labels_reply(text: str, finish_reason: str = "stop", report: str = "") -> LabelReply:
    """Read the labels in ``text``; a label outside the list makes the whole reply unusable.

    Args:
        text: the reply as the model wrote it.
        finish_reason: as the service said it.
        report: what was asked about; evidence is looked for in it.
    """
    reply = read_list_reply(text, "labels", finish_reason)
    if reply.items is None or reply.status == "none":
        return LabelReply("none", None, reply.reason)
    if not reply.items:
        return LabelReply("none", None, "no_label")
    found: dict[str, dict[str, list[str]]] = {}
    unknown = 0
    for item in reply.items:
        entry = _entry(item)
        if entry is None:
            return LabelReply("none", None, "wrong_shape")
        name, status, sentence = entry
        if name is None:
            unknown += 1
        else:
            found.setdefault(name, {}).setdefault(status, []).append(sentence)
    if unknown:
        return LabelReply("none", None, "unknown_label", f"{unknown} outside the list")
    decided: dict[str, str] = {
        name: next(s for s in STATUSES if s in by) for name, by in found.items()
    }
    normal = decided.pop(NORMAL, ABSENT) == PRESENT
    if normal and PRESENT in decided.values():
        return LabelReply("none", None, "contradiction")
    if not normal and not decided:
        return LabelReply("none", None, "no_label")
    sentences = {name: found[name][status] for name, status in decided.items()}
    return LabelReply(reply.status, _supported(report, decided, sentences))


def _entry(item: Any) -> tuple[str | None, str, str] | None:
    """Class (None if unknown), status and evidence of one entry; None where it is no entry."""
    if isinstance(item, str):
        return class_name(item), PRESENT, ""
    if not isinstance(item, dict) or not isinstance(item.get("label"), str):
        return None
    status = item.get("status", PRESENT)
    if not isinstance(status, str) or status.strip().lower() not in STATUSES:
        return None
    evidence = item.get("evidence")
    sentence = evidence if isinstance(evidence, str) else ""
    return class_name(item["label"]), status.strip().lower(), sentence


def _supported(report: str, states: Mapping[str, str], quoted: Mapping[str, list[str]]) -> Labels:
    ordered = {name: states[name] for name in CLASSES if name in states}
    evidence = {}
    for name in ordered:
        for sentence in quoted[name]:
            own = find_sentence(report, sentence)
            if own is not None:
                evidence[name] = own
                break
    return Labels(ordered, evidence, tuple(name for name in ordered if name not in evidence))
