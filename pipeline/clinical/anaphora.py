"""Sentences that name no finding and go on about the one before, such as *it is small*."""

from __future__ import annotations

from pipeline.clinical.assertion import assert_clause
from pipeline.clinical.attributes import Found
from pipeline.clinical.mentions import Mention, sentence_words
from pipeline.clinical.phrases import clauses, scan
from pipeline.clinical.places import places_text
from pipeline.clinical.rulebook import Rulebook
from pipeline.clinical.sentences import lower

RULE = "goes on"
"""`Mention.rule` of what such a sentence says."""


def goes_on(rulebook: Rulebook, sentence: str, before: Mention) -> Mention | None:
    """What a sentence without a mention says about the finding before, or None.

    Only statements are taken (*It measures 8 mm*), not denials (*It is not seen laterally*), and
    only from the first clause.
    """
    if before.status not in ("present", "uncertain") or not _refers(rulebook, sentence):
        return None
    tokens, _ = sentence_words(rulebook, rulebook.readable(sentence))
    groups = clauses(scan(rulebook, tokens))
    if not groups:
        return None
    clause = groups[0]
    assert_clause(clause)
    if any(p.status != "present" or p.normal is not None or not p.parts for p in clause):
        return None
    found = Found()
    for phrase in clause:
        if "of" not in phrase.roles or not found.specify(phrase):
            found.take(phrase.parts)
    places = places_text(found.places, rulebook.lexicon.by_name.get(before.name))
    if not (places or found.levels or found.kinds or found.change):
        return None
    first = len(sentence) - len(sentence.lstrip())
    return before._replace(
        location=places or before.location,
        level=tuple(dict.fromkeys(found.levels)),
        type=tuple(dict.fromkeys(found.kinds)),
        change=found.change,
        span=(first, len(sentence.rstrip())),
        rule=RULE,
        trigger="",
        qualifier="",
    )


def _refers(rulebook: Rulebook, sentence: str) -> bool:
    return lower(sentence).lstrip().startswith(rulebook.anaphors)
