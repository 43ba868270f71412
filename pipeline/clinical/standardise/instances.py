"""Joins the instances of a finding, and places said in its name with those in its attributes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pipeline.clinical.keyinfo import Attributes, Instances
from pipeline.clinical.standardise.peel import Part
from pipeline.clinical.standardise.values import Values

_SIDES: Final = frozenset(
    ("left", "right", "bilateral", "bilaterally", "both", "bibasilar", "bibasal", "biapical")
)


def with_part(values: Values, part: Part) -> Values:
    """An instance with what the finding's name said about it."""
    if not (part.location or part.level or part.type):
        return values
    joined = dict(values)
    if part.location:
        places = part.location.split(", ")
        joined["location"] = _place(places, values.get("location", []))
    for slot, said in (("level", part.level), ("type", part.type)):
        if said:
            joined[slot] = _union(said.split(", "), values.get(slot, []))
    return joined


def _place(named: list[str], given: list[str]) -> list[str]:
    """``left`` in the name and ``base`` beside it are one place, the left base."""
    if len(named) != 1 or len(given) > 1:
        return _union(named, given)
    if not given:
        return named
    name_words, given_words = named[0].split(), given[0].split()
    if set(name_words) <= set(given_words):
        return given
    if set(given_words) <= set(name_words):
        return named
    named_side = not _SIDES.isdisjoint(name_words)
    given_side = not _SIDES.isdisjoint(given_words)
    if named_side and not given_side and len(name_words) == 1:
        return [f"{named[0]} {given[0]}"]
    if given_side and not named_side and len(given_words) == 1:
        return [f"{given[0]} {named[0]}"]
    return _union(named, given)


def _union(first: Iterable[str], second: Iterable[str]) -> list[str]:
    return list(dict.fromkeys((*first, *second)))


def merged(sets: list[Values]) -> list[Values]:
    """Instances with one for each place; those that say nothing are left out beside others."""
    if len(sets) == 1:
        return sets
    by_place: dict[tuple[str, ...], Values] = {}
    for one in sets:
        place = tuple(one.get("location", ()))
        known = by_place.get(place)
        if known is None:
            by_place[place] = dict(one)
            continue
        for slot in ("level", "type"):
            if one.get(slot):
                known[slot] = _union(known.get(slot, ()), one[slot])
    unplaced = by_place.get(())
    if unplaced is not None and len(by_place) > 1:
        said = [slot for slot in ("level", "type") if unplaced.get(slot)]
        placed = [one for place, one in by_place.items() if place]
        if not said:
            del by_place[()]
        elif len(placed) == 1 and not any(placed[0].get(slot) for slot in said):
            for slot in said:
                placed[0][slot] = unplaced[slot]
            del by_place[()]
    return list(by_place.values())


def as_instances(sets: list[Values]) -> Instances:
    """Instances as a standard record holds them."""
    made = [_as_attributes(one) for one in sets]
    return made[0] if len(made) == 1 else made


def _as_attributes(values: Values) -> Attributes:
    location, level, kind = values.get("location"), values.get("level"), values.get("type")
    return {
        "location": ", ".join(location) if location else None,
        "level": ", ".join(level) if level else None,
        "type": ", ".join(kind) if kind else None,
    }


def same_place(first: list[Values], second: list[Values]) -> bool:
    """Whether some instances of both may be the same: a place is not given, or they overlap."""
    return any(_overlap(one, other) for one in first for other in second)


def _overlap(first: Values, second: Values) -> bool:
    places, others = first.get("location"), second.get("location")
    if not places or not others:
        return True
    words = {word for place in places for word in place.split()}
    other_words = {word for place in others for word in place.split()}
    return words <= other_words or other_words <= words


def filled(sets: list[Values], source: list[Values]) -> list[Values]:
    """A single instance completed from another single one, where it says nothing itself."""
    if len(sets) != 1 or len(source) != 1:
        return sets
    return [{**source[0], **{slot: values for slot, values in sets[0].items() if values}}]
