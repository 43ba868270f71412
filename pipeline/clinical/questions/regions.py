"""Where a location lies: whether one place is inside another, apart from it, or neither is sure.

Words come from ``libs/postlocation_lib.csv`` (places, the zones they cover) and
``libs/position_change.csv`` (other wordings of the same place). Both have the published columns
``post_location,relate_keyword`` and ``from,to``; ``zones``, ``midline`` and ``choice`` are ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.clinical.lexicon import read_rows
from pipeline.core.resources import resource_path

_WHOLE_LUNG = "lung"
_NOISE = frozenset(
    {"the", "of", "in", "at", "on", "and", "to", "with", "or", "area", "side", "aspect"}
    | {"portion", "part", "lobe", "lung", "zone", "field"}
)
_SIDE_WORDS = frozenset({"left", "right", "both", "paired"})


class Relation(Enum):
    """How a place lies to a region."""

    INSIDE = "inside"
    APART = "apart"
    UNCLEAR = "unclear"


class Part(NamedTuple):
    """One connected place: a side (``left``, ``right`` or empty), its zones, a finer word."""

    side: str
    zones: frozenset[str]
    detail: str
    midline: bool


class Place(NamedTuple):
    """A row of the place library."""

    phrase: str
    zones: frozenset[str]
    midline: bool
    choice: bool


class Regions:
    """Reads location texts with the given libraries; results are cached."""

    def __init__(
        self,
        places: Path,
        rewrites: Path,
        more_places: Path | None = None,
        more_rewrites: Path | None = None,
    ) -> None:
        self._places, self._keywords = _load_places(places)
        self._rewrites = _load_rewrites(rewrites)
        # What a user's files add must not change what is known: the published lists give sides and
        # single words to whole phrases.
        if more_places is not None:
            for words, place in _load_places(more_places)[1].items():
                if not _SIDE_WORDS.issuperset(words) and not _NOISE.issuperset(words):
                    self._keywords.setdefault(words, place)
        if more_rewrites is not None:
            for wording, meant in _load_rewrites(more_rewrites).items():
                if wording not in self._keywords and wording != meant:
                    self._rewrites.setdefault(wording, meant)
        self._longest = max(map(len, (*self._keywords, *self._rewrites)), default=1)
        self.parts = lru_cache(maxsize=65_536)(self._parse)
        self.relation = lru_cache(maxsize=65_536)(self._relate)
        self.choices: tuple[str, ...] = tuple(
            text for place in self._places if place.choice for text in _sided(place)
        )

    def side(self, location: str) -> str:
        """``left`` or ``right`` where the location lies on one side for certain, else empty."""
        sides = {part.side for part in self.parts(location)}
        return sides.pop() if len(sides) == 1 else ""

    def _relate(self, location: str, region: str) -> Relation:
        found = Relation.APART
        for part in self.parts(location):
            for target in self.parts(region):
                relation = _relate_parts(part, target)
                if relation is Relation.INSIDE:
                    return relation
                if relation is Relation.UNCLEAR:
                    found = relation
        return found

    def _parse(self, location: str) -> tuple[Part, ...]:
        return tuple(
            dict.fromkeys(part for value in location.split(",") for part in self._parse_one(value))
        )

    def _parse_one(self, value: str) -> Iterator[Part]:
        words = self._rewrite(value.lower().split())
        sides: list[str] = [side for side in ("left", "right") if side in words]
        if not sides and ("both" in words or "paired" in words):
            sides = ["left", "right"]
        places, rest = self._find_places([word for word in words if word not in _SIDE_WORDS])
        detail = " ".join(word for word in rest if word not in _NOISE)
        if not places and not detail and (sides or rest):
            places = [self._keywords[(_WHOLE_LUNG,)]] if (_WHOLE_LUNG,) in self._keywords else []
        if places:
            for place in places:
                for side in sides or [""]:
                    yield Part(side, place.zones, detail, place.midline)
        elif detail:
            for side in sides or [""]:
                yield Part(side, frozenset({detail}), "", False)

    def _rewrite(self, words: list[str]) -> list[str]:
        result: list[str] = []
        for start, length in _matches(words, self._rewrites, self._longest):
            phrase = tuple(words[start : start + length])
            result.extend(self._rewrites.get(phrase, phrase))
        return result

    def _find_places(self, words: list[str]) -> tuple[list[Place], list[str]]:
        places: list[Place] = []
        rest: list[str] = []
        for start, length in _matches(words, self._keywords, self._longest):
            phrase = tuple(words[start : start + length])
            place = self._keywords.get(phrase)
            if place is None:
                rest.extend(phrase)
            elif place not in places:
                places.append(place)
        narrow = [place for place in places if place.phrase != f"the {_WHOLE_LUNG}"]
        return narrow or places, rest


def _matches(
    words: list[str],
    phrases: dict[tuple[str, ...], Place] | dict[tuple[str, ...], tuple[str, ...]],
    longest: int,
) -> Iterator[tuple[int, int]]:
    """Cut ``words`` from the left into the longest known phrases and single words."""
    start = 0
    while start < len(words):
        length = next(
            (
                length
                for length in range(min(longest, len(words) - start), 1, -1)
                if tuple(words[start : start + length]) in phrases
            ),
            1,
        )
        yield start, length
        start += length


def _relate_parts(part: Part, region: Part) -> Relation:
    if not part.zones & region.zones:
        return Relation.APART
    if part.side != region.side:
        if part.side and region.side:
            return Relation.APART
        if not (part.side and region.midline):  # the left mediastinum is in the mediastinum
            return Relation.UNCLEAR
    if part.zones <= region.zones and region.detail in ("", part.detail):
        return Relation.INSIDE
    return Relation.UNCLEAR


def _sided(place: Place) -> tuple[str, ...]:
    name = place.phrase.removeprefix("the ")
    return (name,) if place.midline else (f"left {name}", f"right {name}")


def _load_places(path: Path) -> tuple[list[Place], dict[tuple[str, ...], Place]]:
    places: list[Place] = []
    keywords: dict[tuple[str, ...], Place] = {}
    for row in read_rows(path, ("post_location", "relate_keyword")):
        words = [word.strip().lower() for word in row["relate_keyword"].split(";") if word.strip()]
        zones = frozenset(zone for zone in row.get("zones", "").split(";") if zone)
        place = Place(
            row["post_location"].lower(),
            zones or frozenset(words),
            row.get("midline") == "yes",
            row.get("choice") == "yes",
        )
        places.append(place)
        for word in words:
            keywords.setdefault(tuple(word.split()), place)
    return places, keywords


def _load_rewrites(path: Path) -> dict[tuple[str, ...], tuple[str, ...]]:
    return {
        tuple(row["from"].lower().split()): tuple(row["to"].lower().split())
        for row in read_rows(path, ("from", "to"))
        if row["from"]
    }


@cache
def load_regions(places: Path | None = None, rewrites: Path | None = None) -> Regions:
    """The regions of the packaged libraries, with those of the given files added.

    Raises:
        ConfigError: a file lacks one of the published columns.
    """
    return Regions(
        resource_path("libs", "postlocation_lib.csv"),
        resource_path("libs", "position_change.csv"),
        places,
        rewrites,
    )
