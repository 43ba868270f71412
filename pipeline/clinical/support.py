"""Whether a sentence that a model gives as its reason stands in the report."""

from __future__ import annotations

from rapidfuzz import fuzz, process

from pipeline.clinical.lexicon import normalise
from pipeline.clinical.sentences import split_sentences

SAME_SENTENCE = 85.0
"""Likeness (0-100, rapidfuzz ``ratio``) from which a sentence is the report's own, slips aside."""


def sentences_of(text: str) -> list[str]:
    """The sentences of ``text``, white space collapsed."""
    return [" ".join(text[a:b].split()) for a, b in split_sentences(text) if text[a:b].strip()]


def find_sentence(text: str, quoted: str) -> str | None:
    """The sentence of ``text`` that ``quoted`` repeats; None where the text does not hold it.

    Case, punctuation and white space do not matter. A part of a sentence gives the sentence; what
    reaches over several is given back as quoted.
    """
    wanted = normalise(quoted)
    if not wanted:
        return None
    own = sentences_of(text)
    keys = [normalise(sentence) for sentence in own]
    for sentence, key in zip(own, keys, strict=True):
        if f" {wanted} " in f" {key} ":
            return sentence
    if f" {wanted} " in f" {' '.join(keys)} ":
        return " ".join(quoted.split())
    best = process.extractOne(wanted, keys, scorer=fuzz.ratio, score_cutoff=SAME_SENTENCE)
    return None if best is None else own[best[2]]
