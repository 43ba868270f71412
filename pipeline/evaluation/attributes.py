"""Side, region, degree and kind of a finding as sets, so that two wordings can be compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from pipeline.clinical.lexicon import load_lexicon, normalise
from pipeline.evaluation.findings import Finding

ASPECTS: Final = ("side", "region", "degree", "kind")

_LEFT, _RIGHT = "left", "right"
_BOTH: Final = frozenset({"bilateral", "pair", "organ", "spread"})
_NO_REGION: Final = frozenset({"", "side", "zone", "position", "chest", "lung"})
_GRADES: Final = (("mild", 2), ("borderline", 3), ("moderate", 6), ("severe", 99))
"""Grade -> its highest rank in ``level_lib.csv`` (the last has no limit); amounts (*small*) and
grades (*mild*) share the steps."""
_LONGEST = 5  # words of the longest site


def aspects(name: str, finding: Finding) -> dict[str, frozenset[str]]:
    """What a finding says of each of `ASPECTS`; empty where it says nothing.

    Words of the finding's own name count too (*lower lobe opacity*), except what the canonical
    ``name`` says anyway: that gold and prediction share it is no merit.
    """
    named = ", ".join(finding.names)
    place = ", ".join([*finding.location, named])
    kind = ", ".join([*finding.type, named])
    return {
        "side": _sides(place),
        "region": _regions(place) - _regions(name),
        "degree": _degrees(", ".join([*finding.level, named])) - _degrees(name),
        "kind": _kinds(kind) - _kinds(name),
    }


@lru_cache(20_000)
def _sides(text: str) -> frozenset[str]:
    sides: set[str] = set()
    lexicon = load_lexicon()
    for term in _sites(text):
        side = lexicon.sites[term].side
        if side in _BOTH:
            sides |= {_LEFT, _RIGHT}
        elif side:
            sides.add(side)
    # "right lower lobes" and "right basilar" are of the side they name.
    named = {word for word in (_LEFT, _RIGHT) if word in normalise(text).split()}
    if named and not {"bilateral", "both"} & set(normalise(text).split()):
        return frozenset(named)
    return frozenset(sides)


@lru_cache(20_000)
def _regions(text: str) -> frozenset[str]:
    lexicon = load_lexicon()
    regions = {lexicon.sites[term].region for term in _sites(text)}
    return frozenset(regions - _NO_REGION)


def _sites(text: str) -> Iterator[str]:
    """The longest known sites in ``text``, from left to right."""
    return _known(text, load_lexicon().sites)


@lru_cache(20_000)
def _degrees(text: str) -> frozenset[str]:
    lexicon = load_lexicon()
    # A range (*mild to moderate*) is of both its grades.
    ends = (end for term in _known(text, lexicon.levels) for end in _ends(lexicon.levels[term]))
    ranks = (lexicon.ranks[lexicon.levels[end]] for end in ends if end in lexicon.levels)
    return frozenset(next(grade for grade, highest in _GRADES if rank <= highest) for rank in ranks)


def _ends(level: str) -> list[str]:
    return level.split(" to ")


@lru_cache(20_000)
def _kinds(text: str) -> frozenset[str]:
    types = load_lexicon().types
    return frozenset(types[term] for term in _known(text, types))


def _known(text: str, terms: Mapping[str, object]) -> Iterator[str]:
    for part in text.split(","):
        words = normalise(part).split()
        start = 0
        while start < len(words):
            for end in range(min(len(words), start + _LONGEST), start, -1):
                term = " ".join(words[start:end])
                if term in terms:
                    yield term
                    start = end - 1
                    break
            start += 1


class AspectCounts:
    """How the attributes of matched findings agree, for one aspect.

    Attributes:
        in_gold: findings of which gold says something.
        equal: the prediction says the same.
        overlapping: it says at least one thing that gold says.
        silent: it says nothing.
        added: findings of which only the prediction says something.
    """

    __slots__ = ("added", "equal", "in_gold", "overlapping", "silent")

    def __init__(self) -> None:
        self.in_gold = self.equal = self.overlapping = self.silent = self.added = 0

    def add(self, gold: Iterable[str], predicted: Iterable[str]) -> None:
        """Count one matched finding."""
        ours, theirs = frozenset(gold), frozenset(predicted)
        if not ours:
            self.added += bool(theirs)
            return
        self.in_gold += 1
        self.equal += ours == theirs
        self.overlapping += bool(ours & theirs)
        self.silent += not theirs

    @property
    def contradicted(self) -> int:
        """Findings of which the prediction says something else."""
        return self.in_gold - self.overlapping - self.silent

    def as_json(self) -> dict[str, float | int | None]:
        """The form of the JSON report."""
        share = {
            name: count / self.in_gold if self.in_gold else None
            for name, count in (("equal_share", self.equal), ("overlap_share", self.overlapping))
        }
        return {
            "in_gold": self.in_gold,
            "equal": self.equal,
            "overlapping": self.overlapping,
            "silent": self.silent,
            "contradicted": self.contradicted,
            "added": self.added,
            **share,
        }
