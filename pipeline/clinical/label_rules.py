"""The rules' answer to the label task, in the shape a model answers it."""

from __future__ import annotations

from bisect import bisect_right
from typing import Any

from pipeline.clinical.label_reply import ABSENT, PRESENT, UNCERTAIN, Labels
from pipeline.clinical.labels import NORMAL, label_report
from pipeline.clinical.lexicon import CLASSES
from pipeline.clinical.sentences import split_sentences


def rule_labels(text: str) -> Labels:
    """The labels of a report by rules; the evidence is the first sentence each rests on."""
    found = label_report(text)
    states = {
        **dict.fromkeys(found.negated, ABSENT),
        **dict.fromkeys(found.uncertain, UNCERTAIN),
        **{name: PRESENT for name in found.labels if name != NORMAL},
    }
    evidence = {
        name: sentence_at(text, mentions[0].span[0]) for name, mentions in found.evidence.items()
    }
    ordered = {name: states[name] for name in CLASSES if name in states}
    return Labels(ordered, {name: evidence[name] for name in ordered})


def answer_labels(text: str) -> dict[str, Any]:
    """What a model would answer: ``{"labels": [{"label", "status", "evidence"}]}``."""
    labels = rule_labels(text)
    entries = [
        {"label": name, "status": status, "evidence": labels.evidence[name]}
        for name, status in labels.states.items()
    ]
    if PRESENT not in labels.states.values():
        entries.insert(0, {"label": NORMAL, "status": PRESENT, "evidence": ""})
    return {"labels": entries}


def sentence_at(text: str, position: int) -> str:
    """The sentence of ``text`` around ``position``, white space collapsed."""
    spans = list(split_sentences(text))
    index = bisect_right([start for start, _ in spans], position) - 1
    return " ".join(text[slice(*spans[index])].split()) if spans else ""
