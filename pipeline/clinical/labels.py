"""Weak labels of a report: the 13 classes of the CheXpert label set, by rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.clinical.extract import read_report
from pipeline.clinical.lexicon import CLASSES
from pipeline.clinical.mentions import Mention
from pipeline.clinical.rulebook import load_rulebook

NORMAL = "Normal"


@dataclass(frozen=True, slots=True)
class ReportLabels:
    """The classes of a report.

    Attributes:
        labels: classes stated to be present, in the order of `CLASSES`; ``Normal`` when none.
        uncertain: classes only doubted.
        negated: classes only denied.
        evidence: per class, the mentions it rests on.
    """

    labels: tuple[str, ...]
    uncertain: tuple[str, ...]
    negated: tuple[str, ...]
    evidence: dict[str, tuple[Mention, ...]]


def label_report(text: str, root: Path | None = None) -> ReportLabels:
    """Labels of a report, or of its findings and impression."""
    return label_mentions(read_report(text, root).mentions, root)


def label_mentions(mentions: tuple[Mention, ...], root: Path | None = None) -> ReportLabels:
    """Labels that follow from mentions; stated beats doubted, doubted beats denied.

    A finding that is only *borderline* is a doubted one here: readers disagree on it. A finding
    outside the chest (*mass in the liver*) is none of the classes; a device is one anywhere.
    """
    by_name = load_rulebook(root).lexicon.by_name
    found: dict[str, dict[str, list[Mention]]] = {}
    for mention in mentions:
        finding = by_name.get(mention.name)
        if finding is None:
            continue
        status = mention.status
        if status == "present" and mention.level == ("borderline",):
            status = "uncertain"
        for name in finding.classes:
            if mention.outside and name != "Support Devices":
                continue
            found.setdefault(name, {}).setdefault(status, []).append(mention)
    decided = {
        name: next(s for s in ("present", "uncertain", "absent", "") if s in by_status or not s)
        for name, by_status in found.items()
    }
    labels = tuple(c for c in CLASSES if decided.get(c) == "present")
    return ReportLabels(
        labels=labels or (NORMAL,),
        uncertain=tuple(c for c in CLASSES if decided.get(c) == "uncertain"),
        negated=tuple(c for c in CLASSES if decided.get(c) == "absent"),
        evidence={c: tuple(found[c][decided[c]]) for c in CLASSES if decided.get(c)},
    )
