"""Presence questions, answered only from what the report says about the finding."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.questions.candidate import (
    Candidate,
    Context,
    askable_places,
    place_words,
)
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Finding, Study, related

_PLAIN = ("presence.evidence", "presence.plain")
# Published shares: half of the plain questions ask for a true finding, half for an absent one.
_YES_SHARE = 0.5
_MIRROR = {"left": "right", "right": "left"}
# Silent findings tried before giving up: a study holds few of the vocabulary's names.
_SILENT_TRIES = 8


def candidates(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """Distinct presence questions, the first one drawn like the published ones.

    With ``balance`` they come in pairs: yes, then no.
    """
    if context.options.balance:
        yield from _pairs(study, draw, context)
        return
    yes, no, located = (
        _positives(study, draw, context),
        _absent(study, draw, context),
        _located(study, draw, context),
    )
    sources = [("plain", yes, no), ("located", located, located)]
    while sources:
        # Uniform over the three templates, two of which are plain.
        index = 0 if len(sources) == 1 or draw.below(3) < 2 else 1
        _, first, second = sources[index]
        if not draw.chance(_YES_SHARE):
            first, second = second, first
        candidate = next(first, None) or next(second, None)
        if candidate is None:
            sources.pop(index)
        else:
            yield candidate


def _pairs(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    for yes, no in zip(
        _positives(study, draw, context),
        (item for item in _absent(study, draw, context) if item.values["answer"] == "no"),
        strict=False,
    ):
        yield yes
        yield no


def _positives(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    for name in draw.shuffled([name for name in study.positive if context.may_ask(name)]):
        yield _plain(name, "yes", draw)


def _absent(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """Names whose answer is not yes: negated, uncertain and, in the closed world, silent."""
    answers = [(name, "no") for name in study.negative if context.may_ask(name)]
    if context.options.uncertain == "uncertain":
        answers += [(name, "uncertain") for name in study.uncertain if context.may_ask(name)]
    if context.options.closed_world:
        answers += [(name, "no") for name in _silent(study, draw, context)]
    for name, answer in draw.shuffled(answers):
        yield _plain(name, answer, draw)


def _silent(study: Study, draw: Draw, context: Context) -> list[str]:
    vocabulary = context.vocabulary
    if not vocabulary:
        return []
    mentioned = (*study.positive, *study.uncertain, *study.negative)
    drawn = dict.fromkeys(draw.pick(vocabulary) for _ in range(_SILENT_TRIES))
    silent = [name for name in drawn if not any(related(name, other) for other in mentioned)]
    return silent[: max(1, len(study.negative))]


def _plain(name: str, answer: str, draw: Draw) -> Candidate:
    template = draw.pick(_PLAIN)
    if " in the " in name:  # "is there X in the Y?" would read as a question about a place
        template = "presence.evidence"
    return Candidate(template, {"name": name, "answer": answer}, (name,))


def _located(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """Yes with an own location, or no with the other side of a one-sided finding."""
    for finding in draw.shuffled(list(study.positive.values())):
        if not context.may_ask(finding.name) or " in the " in finding.name:
            continue
        if not all(item.location for item in finding.instances):
            continue  # an instance that may be anywhere makes no place certain
        places = askable_places(finding, context)
        if not places:
            continue
        place = draw.pick(places)
        mirrored = _mirror(finding, place, study, context)
        if mirrored and draw.chance(1 - _YES_SHARE):
            place, answer = mirrored, "no"
        else:
            answer = "yes"
        values = {"name": finding.name, "answer": answer}
        if place == "bilateral":
            yield Candidate("presence.bilateral", values, (finding.name,))
        else:
            values["location"] = place_words(place)
            yield Candidate("presence.location", values, (finding.name,))


def _mirror(finding: Finding, place: str, study: Study, context: Context) -> str:
    """The same place on the other side, or nothing where the finding may be there too.

    Certain only if every instance is said to be on one and the same side, and no finding of the
    study, certain or not, that is a kind of this one lies elsewhere.
    """
    regions = context.regions
    sides = {regions.side(item.location or "") for item in finding.instances}
    if len(sides) != 1 or "" in sides:
        return ""
    words = place.split()
    if sum(word in _MIRROR for word in words) != 1:
        return ""
    mirrored = " ".join(_MIRROR.get(word, word) for word in words)
    if regions.side(mirrored) != _MIRROR[sides.pop()]:
        return ""
    for other in (*study.positive.values(), *study.uncertain.values()):
        if other is not finding and related(other.name, finding.name):
            return ""
    if any(
        item.location and regions.relation(item.location, mirrored) is not Relation.APART
        for item in finding.instances
    ):
        return ""
    return mirrored
