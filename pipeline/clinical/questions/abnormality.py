"""Abnormality questions: all findings, all findings of a place, or whether there is any."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.questions.candidate import (
    Candidate,
    Context,
    askable_places,
    region_words,
)
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Finding, Study


def candidates(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """The three published templates in random order, those that apply."""
    for template in draw.shuffled(("abnormality.list", "abnormality.region", "abnormality.any")):
        if template == "abnormality.list":
            names = tuple(study.positive)
            if names and all(map(context.may_ask, names)):
                yield Candidate(template, {"names": ", ".join(names)}, names)
        elif template == "abnormality.any":
            answer = any_abnormality(study, context)
            if answer:
                yield Candidate(template, {"answer": answer}, _grounds(study, answer))
        else:
            yield from _regions(study, draw, context)


def any_abnormality(study: Study, context: Context) -> str:
    """``yes``, ``no`` or ``uncertain``; empty where the record cannot tell.

    No needs a reading without any positive or uncertain finding. A record that says nothing at
    all may be a failed reading, so silence counts only in the closed world.
    """
    if study.positive:
        return "yes"
    if study.uncertain:
        return "uncertain" if context.options.uncertain == "uncertain" else ""
    return "no" if study.is_read or context.options.closed_world else ""


def findings_in(study: Study, region: str, context: Context) -> list[Finding] | None:
    """All positive findings in ``region``; None where a wider place leaves one in doubt."""
    found: list[Finding] = []
    for finding in study.positive.values():
        relations = {
            context.regions.relation(context.place(finding.name, item.location), region)
            for item in finding.instances
            if item.location
        }
        if Relation.INSIDE in relations:
            found.append(finding)
        elif Relation.UNCLEAR in relations:
            return None
    return found


def own_locations(study: Study, context: Context) -> list[str]:
    """Places of the positive findings that can be asked about, each once, in order."""
    seen: dict[str, None] = {}
    for finding in study.positive.values():
        for value in askable_places(finding, context):
            if value not in ("bilateral", "both"):  # a distribution, no place to look at
                seen[value] = None
    return list(seen)


def _regions(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    for location in draw.shuffled(own_locations(study, context)):
        found = findings_in(study, location, context)
        if found and all(context.may_ask(finding.name) for finding in found):
            names = tuple(finding.name for finding in found)
            values = {"names": ", ".join(names), "location": region_words(location)}
            yield Candidate("abnormality.region", values, names)


def _grounds(study: Study, answer: str) -> tuple[str, ...]:
    if answer == "yes":
        return tuple(study.positive)
    if answer == "uncertain":
        return tuple(study.uncertain)
    return ("clear", *study.negative)
