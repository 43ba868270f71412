"""Scene questions: full-sentence answers about findings, places, severity and change.

An answer quotes the sentence of the report it rests on where the record knows it.
"""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.questions.abnormality import findings_in, own_locations
from pipeline.clinical.questions.candidate import (
    Candidate,
    Context,
    region_words,
    unique_instances,
)
from pipeline.clinical.questions.difference import compare, describe
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Attributes, Finding, Study


def candidates(
    study: Study, reference: Study | None, draw: Draw, context: Context
) -> Iterator[Candidate]:
    """One question of each scene kind that applies, its subject drawn at random."""
    kinds = (
        _findings(study, context),
        _negatives(study, context),
        _possible(study, context),
        _regions(study, context),
        _clear(study, context),
        _severity(study, context),
        _comparison(study, reference, context),
    )
    for found in map(list, kinds):
        if found:
            yield draw.pick(found)


def _findings(study: Study, context: Context) -> Iterator[Candidate]:
    for finding in study.positive.values():
        if context.may_ask(finding.name):
            values = {"name": finding.name, "description": _described(finding)}
            yield Candidate("scene.finding", values, (finding.name,))


def _negatives(study: Study, context: Context) -> Iterator[Candidate]:
    for name in study.negative:
        if context.may_ask(name):
            yield Candidate("scene.negative", {"name": name}, (name,))


def _possible(study: Study, context: Context) -> Iterator[Candidate]:
    for name in study.uncertain:
        if context.may_ask(name) and name not in study.negative:
            yield Candidate("scene.possible", {"name": name}, (name,))


def _regions(study: Study, context: Context) -> Iterator[Candidate]:
    for location in own_locations(study, context):
        found = findings_in(study, location, context)
        if found and all(context.may_ask(finding.name) for finding in found):
            names = tuple(finding.name for finding in found)
            values = {"location": region_words(location), "description": _joined(list(names))}
            yield Candidate("scene.region", values, names)


def _clear(study: Study, context: Context) -> Iterator[Candidate]:
    """Places said to be clear, where no certain or possible finding may lie."""
    for item in study.clear:
        if not item.location or "," in item.location:
            continue
        held = (*study.positive.values(), *study.uncertain.values())
        if all(
            other.location
            and context.regions.relation(context.place(finding.name, other.location), item.location)
            is Relation.APART
            for finding in held
            for other in finding.instances
        ):
            yield Candidate("scene.clear", {"location": region_words(item.location)}, ("clear",))


def _severity(study: Study, context: Context) -> Iterator[Candidate]:
    for finding in study.positive.values():
        if context.may_ask(finding.name):
            for name, instance in unique_instances(finding, "level"):
                values = {"name": name, "value": instance.level or ""}
                yield Candidate("scene.severity", values, (finding.name,))


def _comparison(study: Study, reference: Study | None, context: Context) -> Iterator[Candidate]:
    if reference is not None and study.is_read and reference.is_read:
        changes = compare(study, reference, context)
        if answer := describe(changes, context):
            yield Candidate("scene.comparison", {"answer": answer}, changes.names)


def _described(finding: Finding) -> str:
    return _joined([_phrase(finding.name, item) for item in finding.instances])


def _phrase(name: str, item: Attributes) -> str:
    words = " ".join(word for word in (item.level, item.type, name) if word)
    return f"{words} ({item.location})" if item.location else words


def _joined(phrases: list[str]) -> str:
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
