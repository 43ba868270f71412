"""Near-duplicates by the exact ROUGE-L rule, without comparing every pair.

The plain rule compares each new instruction with every kept one. Here three exact bounds leave few
pairs, and those few are compared by bit-parallel longest common subsequence (rapidfuzz):

1. Two texts of ``m`` and ``n`` tokens need a common subsequence of ``t (m + n) / 2``; it is no
   longer than the shorter text, so their lengths must be alike.
2. They must share that many tokens, repeated ones counted. So if the tokens of each are put in one
   order, rarest first, the two must already meet within short prefixes (prefix filter of Chaudhuri
   et al., ICDE 2006; Xiao et al., PPJoin, WWW 2008).
3. A text that came before, token by token, is decided as it was then.

A decision rests on whether a kept text within the threshold exists, so it never differs from the
plain rule's; tests compare them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import count
from math import ceil

from rapidfuzz.distance import LCSseq
from rapidfuzz.process import extract_iter

from pipeline.clinical.rouge import THRESHOLD, f_measure, tokens_of

_SLACK = 1e-9
"""Bounds are this much wider than the rule, so that rounding can only let more pairs through."""


class NearDuplicates:
    """The kept texts, and the question whether a new one is too like one of them.

    Args:
        common: how often each token occurs in the texts to come; any counts give the same
            decisions, true ones make them fast.
        threshold: F measures above it are near-duplicates.
    """

    def __init__(self, common: Counter[str] | None = None, threshold: float = THRESHOLD) -> None:
        if not 0 < threshold < 1:
            raise ValueError("the threshold must lie between 0 and 1")
        self._common = common or Counter()
        self._threshold = threshold
        self._signs: dict[str, str] = {}
        self._weights: dict[str, int] = {}
        self._kept: list[str] = []
        self._decided: dict[str, int] = {}
        self._prefixes: dict[int, dict[tuple[str, int], list[int]]] = {}

    def add(self, text: str) -> int | None:
        """Keep ``text`` and give None, or give the number of a kept text it is too like.

        Kept texts are numbered from 0 in the order they were kept.
        """
        signs = self._encoded(tokens_of(text))
        if not signs:
            self._kept.append(signs)  # the rule's score is 0 with everything
            return None
        twin = self._decided.get(signs)
        if twin is None:
            ordered = self._rarest_first(signs)
            twin = self._like(signs, ordered)
            self._decided[signs] = len(self._kept) if twin is None else twin
            if twin is None:
                self._keep(signs, ordered)
        return twin

    def _encoded(self, tokens: Sequence[str]) -> str:
        """One character per token: the form in which sequences are compared fastest.

        There are 1,114,112 characters, more than the distinct words of any collection of notes.
        """
        signs = self._signs
        return "".join([signs.get(token) or self._sign(token) for token in tokens])

    def _sign(self, token: str) -> str:
        sign = self._signs[token] = chr(len(self._signs) + 1)
        self._weights[sign] = self._common[token]
        return sign

    def _rarest_first(self, signs: str) -> list[tuple[str, int]]:
        """The tokens with their number of occurrence, rarest first; one order for all texts."""
        counters: dict[str, count[int]] = {}
        numbered = [(sign, next(counters.setdefault(sign, count()))) for sign in signs]
        weights = self._weights
        return sorted(numbered, key=lambda item: (weights[item[0]] >> item[1], item))

    def _needed(self, first: int, second: int) -> int:
        """The least common subsequence two lengths need to be near-duplicates."""
        return max(1, ceil(self._threshold * (first + second) / 2 - _SLACK))

    def _lengths(self, length: int) -> range:
        """The lengths a near-duplicate of a text of ``length`` can have."""
        shortest = ceil(length * self._threshold / (2 - self._threshold) - _SLACK)
        longest = int(length * (2 - self._threshold) / self._threshold + _SLACK)
        return range(max(1, shortest), longest + 1)

    def _like(self, signs: str, ordered: list[tuple[str, int]]) -> int | None:
        length = len(signs)
        for other in self._lengths(length):
            prefixes = self._prefixes.get(other)
            if prefixes is None:
                continue
            needed = self._needed(length, other)
            met: set[int] = set()
            for item in ordered[: length - needed + 1]:
                if (numbers := prefixes.get(item)) is not None:
                    met.update(numbers)
            if not met:
                continue
            candidates = {number: self._kept[number] for number in sorted(met)}
            for _, common, number in extract_iter(
                signs, candidates, scorer=LCSseq.similarity, score_cutoff=needed
            ):
                if f_measure(int(common), other, length) > self._threshold:
                    return int(number)
        return None

    def _keep(self, signs: str, ordered: list[tuple[str, int]]) -> None:
        number, length = len(self._kept), len(signs)
        self._kept.append(signs)
        prefixes = self._prefixes.setdefault(length, {})
        shortest = self._lengths(length).start
        for item in ordered[: length - self._needed(length, shortest) + 1]:
            prefixes.setdefault(item, []).append(number)


def token_counts(texts: Iterable[str]) -> Counter[str]:
    """How often each token occurs in ``texts``."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(tokens_of(text))
    return counts


def find_near_duplicates(texts: Sequence[str], threshold: float = THRESHOLD) -> list[int | None]:
    """For each text in turn: None if it is kept, or the position of the kept one it is too like."""
    index = NearDuplicates(token_counts(texts), threshold)
    kept: list[int] = []
    found: list[int | None] = []
    for position, text in enumerate(texts):
        twin = index.add(text)
        if twin is None:
            kept.append(position)
        found.append(None if twin is None else kept[twin])
    return found
