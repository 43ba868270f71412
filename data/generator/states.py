"""A study as a set of findings, and its sentences compared with the study before."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

from generator.wording import CHANGE, CLEAR, NO_ACUTE_IMPRESSION, NORMAL_IMPRESSION, WORDING

LEVELS: Final = (
    ("trace", "tiny", "minimal", "small", "mild", "moderate", "large", "severe", "extensive"),
    ("mildly", "moderately", "severely"),
)
"""Words of size in rising order."""

NOUNS: Final = {"mildly": "mild", "moderately": "moderate", "severely": "severe"}

LABELS: Final[dict[str, tuple[str, float]]] = {
    "effusion": ("Pleural Effusion", 1.0),
    "effusions": ("Pleural Effusion", 1.0),
    "edema": ("Edema", 1.0),
    "congestion": ("Edema", -1.0),
    "cardiomegaly": ("Cardiomegaly", 1.0),
    "consolidation": ("Consolidation", 1.0),
    "possible pneumonia": ("Pneumonia", -1.0),
    "atelectasis": ("Atelectasis", 1.0),
    "pneumothorax": ("Pneumothorax", 1.0),
    "nodule": ("Lung Lesion", 1.0),
    "mass": ("Lung Lesion", 1.0),
    "adenopathy": ("Enlarged Cardiomediastinum", 1.0),
    "rib fracture": ("Fracture", 1.0),
    "old fracture": ("Fracture", 1.0),
    "fibrosis": ("Lung Opacity", 1.0),
    "opacities": ("Lung Opacity", 1.0),
    "scarring": ("Pleural Other", 1.0),
    "tube": ("Support Devices", 1.0),
    "feeding tube": ("Support Devices", 1.0),
    "picc": ("Support Devices", 1.0),
    "central line": ("Support Devices", 1.0),
    "chest tube": ("Support Devices", 1.0),
    "pacemaker": ("Support Devices", 1.0),
    "wires": ("Support Devices", 1.0),
}
"""Finding -> CheXpert column and value; the rest has no column."""

DEVICES: Final = frozenset(
    {"tube", "feeding tube", "picc", "central line", "chest tube", "pacemaker", "wires"}
)
_LINES: Final = frozenset({"picc", "central line"})
"""Devices whose tip may move: they are known by their side, not by where they end."""

_LUNG: Final = frozenset(
    {"consolidation", "possible pneumonia", "opacities", "mass", "nodule", "fibrosis", "edema"}
)
_HEART: Final = frozenset({"cardiomegaly"})
_PLEURA: Final = frozenset({"effusion", "effusions", "pneumothorax"})
_BONES: Final = frozenset({"rib fracture", "old fracture", "degenerative", "scoliosis"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding; ``level`` is a word of size, a measure or a distance."""

    kind: str
    level: str = ""
    where: str = ""
    type: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it the same finding in two studies."""
        return (self.kind, self.type if self.kind in _LINES else self.where)

    def fill(self, template: str, change: str = "") -> str:
        """A sentence of a template: single blanks, upper case first letter."""
        text = template.format(
            level=self.level,
            where=self.where,
            type=self.type,
            noun=NOUNS.get(self.level, self.level),
            change=change,
        )
        text = " ".join(text.split())
        return text[:1].upper() + text[1:]


@dataclass(frozen=True, slots=True)
class Body:
    """Sentences and labels of one study; ``parts`` are findings by organ, for sub-headings."""

    findings: tuple[str, ...]
    impression: tuple[str, ...]
    parts: tuple[tuple[str, str], ...]
    labels: dict[str, float]


def trend(now: Finding, before: tuple[Finding, ...] | None) -> str:
    """How a finding compares with the study before."""
    if before is None:
        return "first"
    earlier = next((finding for finding in before if finding.key == now.key), None)
    if earlier is None:
        return "new"
    if earlier.level == now.level:
        return "same"
    for words in LEVELS:
        if earlier.level in words and now.level in words:
            return "more" if words.index(now.level) > words.index(earlier.level) else "less"
    if earlier.level.split(" ")[-1:] == now.level.split(" ")[-1:]:
        return "more" if _measure(now.level) > _measure(earlier.level) else "less"
    return "same"


def _measure(level: str) -> float:
    number = level.split(" ", 1)[0]
    return float(number) if number.replace(".", "", 1).isdigit() else 0.0


def describe(
    state: tuple[Finding, ...], before: tuple[Finding, ...] | None, rng: random.Random
) -> Body:
    """Sentences of a state."""
    parts: dict[str, list[str]] = {
        name: [] for name in ("DEVICES", "LUNGS", "PLEURA", "HEART", "BONES")
    }
    impression: list[str] = []
    labels: dict[str, float] = {}
    for finding in state:
        change = trend(finding, before)
        wording = WORDING[finding.kind]
        sentence = rng.choice(wording.get(change) or wording["first"])
        parts[_part(finding.kind)].append(finding.fill(sentence))
        if wording["brief"]:
            said = rng.choice(CHANGE[change])
            impression.append(finding.fill(rng.choice(wording["brief"]), said))
        if finding.kind in LABELS:
            column, value = LABELS[finding.kind]
            labels[column] = max(value, labels.get(column, value))
    here = {finding.key for finding in state}
    for finding in before or ():
        if finding.key not in here and "gone" in WORDING[finding.kind]:
            sentence = finding.fill(rng.choice(WORDING[finding.kind]["gone"]))
            parts[_part(finding.kind)].append(sentence)
            if finding.kind not in DEVICES and finding.kind in LABELS:
                impression.append(sentence)
                labels.setdefault(LABELS[finding.kind][0], 0.0)
    _add_normal({finding.kind for finding in state}, parts, labels, rng)
    if not impression:
        impression.append(rng.choice(NO_ACUTE_IMPRESSION if state else NORMAL_IMPRESSION))
    if not any(value for column, value in labels.items() if column != "Support Devices"):
        labels["No Finding"] = 1.0
    if "Consolidation" in labels and labels["Consolidation"] == 1.0:
        labels["Pneumonia"] = 1.0
    order = [name for name in parts if parts[name]]
    return Body(
        findings=tuple(sentence for name in order for sentence in parts[name]),
        impression=tuple(impression),
        parts=tuple((name, " ".join(parts[name])) for name in order),
        labels=labels,
    )


def _part(kind: str) -> str:
    if kind in DEVICES:
        return "DEVICES"
    if kind in _PLEURA or kind == "subcutaneous emphysema":
        return "PLEURA"
    if kind in _BONES:
        return "BONES"
    return "HEART" if kind in _HEART or kind in {"aorta", "adenopathy", "hernia"} else "LUNGS"


def _add_normal(
    kinds: set[str], parts: dict[str, list[str]], labels: dict[str, float], rng: random.Random
) -> None:
    if not kinds & _LUNG and not parts["LUNGS"]:
        # Lungs beside an effusion or a pneumothorax are not called clear or well expanded.
        lungs = CLEAR["no consolidation"] if kinds & _PLEURA else CLEAR["lungs"]
        parts["LUNGS"].append(rng.choice(lungs))
        labels.setdefault("Consolidation", 0.0)
    elif "edema" not in kinds and "Edema" not in labels and rng.random() < 0.3:
        parts["LUNGS"].append(rng.choice(CLEAR["edema"]))
        labels["Edema"] = 0.0
    effusion = "Pleural Effusion" in labels
    pneumothorax = "Pneumothorax" in labels
    if not effusion and not pneumothorax:
        parts["PLEURA"].append(rng.choice(CLEAR["both"]))
        labels.update({"Pleural Effusion": 0.0, "Pneumothorax": 0.0})
    elif not effusion:
        parts["PLEURA"].append(rng.choice(CLEAR["effusion"]))
        labels["Pleural Effusion"] = 0.0
    elif not pneumothorax:
        parts["PLEURA"].append(rng.choice(CLEAR["pneumothorax"]))
        labels["Pneumothorax"] = 0.0
    if "cardiomegaly" not in kinds:
        parts["HEART"].insert(0, rng.choice(CLEAR["heart size" if parts["HEART"] else "heart"]))
        labels.setdefault("Cardiomegaly", 0.0)
    if rng.random() < 0.4 and not parts["HEART"][1:] and "mediastinal" not in parts["HEART"][0]:
        parts["HEART"].append(rng.choice(CLEAR["mediastinum"]))
    if not kinds & _BONES and rng.random() < 0.35:
        parts["BONES"].append(rng.choice(CLEAR["bones"]))
