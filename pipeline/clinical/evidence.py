"""Which sentences of a report a KeyInfo record rests on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from pipeline.clinical.extract import read_report
from pipeline.clinical.keyinfo import ENTITY, NEGATED, OPACITY, UNCERTAIN
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.sentences import split_sentences

STATUS = {ENTITY: "present", UNCERTAIN: "uncertain", NEGATED: "absent", OPACITY: "present"}
MOST_SENTENCES = 3


def find_evidence(text: str, record: Mapping[str, Any]) -> dict[str, list[str]]:
    """Finding name -> the sentences of ``text`` that mention it, in order, at most three.

    Sentences in which the rules read the same status come first; where there are none, those that
    mention the finding at all. A name the rules do not see has no entry: that a record's finding
    rests on no sentence is worth knowing.

    Args:
        text: what the record was made of.
        record: KeyInfo in standard form.
    """
    reading = read_report(text)
    spans = list(split_sentences(text))
    starts = [start for start, _ in spans]
    mentions: dict[str, list[tuple[str, int]]] = {}
    for mention in reading.mentions:
        sentence = bisect_right(starts, mention.span[0]) - 1
        mentions.setdefault(mention.name, []).append((mention.status, sentence))
    lexicon = load_lexicon()
    evidence: dict[str, list[str]] = {}
    for category, status in STATUS.items():
        for name in record.get(category) or ():
            seen = mentions.get(name) or mentions.get(lexicon.canonical(name) or "")
            if not seen or name in evidence:
                continue
            chosen = [s for found, s in seen if found == status] or [s for _, s in seen]
            evidence[name] = [
                " ".join(text[slice(*spans[sentence])].split())
                for sentence in sorted(set(chosen))[:MOST_SENTENCES]
            ]
    return evidence
