"""Singular forms of the names of findings."""

from __future__ import annotations

import re

from pipeline.clinical.standardise.words import Words

_BEFORE_PLACE = re.compile(r" (?:of|in|at|with|without|within|on|from|to|for|and|or) ")


def singular(words: Words, name: str) -> str:
    """The name with the head of each of its phrases in the singular."""
    pieces: list[str] = []
    position = 0
    for match in _BEFORE_PLACE.finditer(name):
        pieces += (_singular_last(words, name[position : match.start()]), match.group())
        position = match.end()
    pieces.append(_singular_last(words, name[position:]))
    return "".join(pieces)


def _singular_last(words: Words, phrase: str) -> str:
    head, blank, last = phrase.rpartition(" ")
    return head + blank + _singular_word(words, last)


def _singular_word(words: Words, word: str) -> str:
    irregular = words.singulars.get(word)
    if irregular is not None:
        return irregular
    if len(word) < 4 or not word.endswith("s") or words.has("unchanged_plural", word):
        return word
    if word.endswith(("ss", "us", "is", "'s")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes", "zes")):
        return word[:-2]
    return word[:-1]
