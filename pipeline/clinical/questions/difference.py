"""What has changed between a study and an earlier one of the same patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.clinical.questions.candidate import Candidate, Context, place_words
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Attributes, Finding, Study, concept, related


@dataclass(frozen=True, slots=True)
class Shift:
    """A level or a location that differs; ``region`` is the place both studies name."""

    name: str
    phrase: str
    attribute: str
    before: str
    after: str
    region: str


@dataclass(frozen=True, slots=True)
class Changes:
    """All that is certain to differ; ``is_complete`` if nothing else may differ."""

    shifts: tuple[Shift, ...]
    additional: tuple[str, ...]
    missing: tuple[str, ...]
    is_complete: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The findings that the changes are about."""
        return (
            *dict.fromkeys(shift.name for shift in self.shifts),
            *self.additional,
            *self.missing,
        )


def candidates(study: Study, reference: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """A question about the whole image and, where a level changed in one place, about that place.

    Nothing where the readings cannot tell, such as a finding that one of them holds possible.
    """
    if not (study.is_read and reference.is_read):
        return
    changes = compare(study, reference, context)
    found: list[Candidate] = []
    answer = describe(changes, context)
    if answer:
        found.append(Candidate("difference.image", {"answer": answer}, changes.names))
    for shift in changes.shifts:
        if shift.attribute == "level" and _is_only_change(
            shift, changes, study, reference, context
        ):
            values = {
                "answer": _sentence(shift, context),
                "location": place_words(shift.region),
            }
            found.append(Candidate("difference.region", values, (shift.name,)))
    yield from draw.shuffled(found)


def compare(study: Study, reference: Study, context: Context) -> Changes:
    """Compare the certain findings of two studies.

    A finding is additional (or missing) if the other report holds no kind of it, neither certain
    nor possible. With ``explicit_difference`` the other report must negate it in words.
    """
    old = {concept(name): finding for name, finding in reference.positive.items()}
    new = {concept(name): finding for name, finding in study.positive.items()}
    shifts: list[Shift] = []
    is_complete = not (_doubts(study) ^ _doubts(reference))
    for key, finding in new.items():
        if key in old:
            found, is_certain = _shifts(finding, old[key], context)
            shifts += found
            is_complete = is_complete and is_certain
    additional, is_sure = _only_in(study, reference, context)
    missing, is_sure_too = _only_in(reference, study, context)
    return Changes(tuple(shifts), additional, missing, is_complete and is_sure and is_sure_too)


def describe(changes: Changes, context: Context) -> str:
    """The published sentences in their order; empty where nothing can be said."""
    sentences = [_sentence(shift, context) for shift in changes.shifts]
    for names, kind in ((changes.additional, "additional"), (changes.missing, "missing")):
        if names:
            template = f"sentence.{kind}" if len(names) == 1 else f"sentence.{kind}s"
            sentences.append(context.templates.sentence(template, names=_listed(names)))
    if not sentences and changes.is_complete:
        sentences.append(context.templates.sentence("sentence.same"))
    return " ".join(sentences)


def _doubts(study: Study) -> set[str]:
    return {concept(name) for name in study.uncertain}


def _only_in(one: Study, other: Study, context: Context) -> tuple[tuple[str, ...], bool]:
    """Findings of ``one`` that ``other`` lacks, and whether none was left out for doubt."""
    held = (*other.positive, *other.uncertain)
    shared = {concept(name) for name in other.positive}
    negated = {concept(name) for name in other.negative}
    found: list[str] = []
    is_sure = True
    for name in one.positive:
        if concept(name) in shared:
            continue
        is_denied = concept(name) in negated or not context.options.explicit_difference
        is_unknown = any(related(name, known) for known in held)
        if is_denied and not is_unknown and context.may_ask(name):
            found.append(name)
        else:
            is_sure = False
    return tuple(found), is_sure


def _shifts(new: Finding, old: Finding, context: Context) -> tuple[list[Shift], bool]:
    """Changes of a finding that both studies hold, and whether the rest is the same for certain."""
    if not context.may_ask(new.name):
        return [], False
    if len(new.instances) == len(old.instances) == 1:
        return _pair_shifts(new.name, new.name, new.instances[0], old.instances[0], context)
    before = {item.location: item for item in old.instances if item.location}
    after = {item.location: item for item in new.instances if item.location}
    is_certain = (
        before.keys() == after.keys()
        and len(before) == len(old.instances)
        and len(after) == len(new.instances)
    )
    shifts: list[Shift] = []
    for location, item in after.items():
        if location in before:
            phrase = f"{location} {new.name}"
            found, is_same = _pair_shifts(new.name, phrase, item, before[location], context)
            shifts += found
            is_certain = is_certain and is_same
    return shifts, is_certain


def _pair_shifts(
    name: str, phrase: str, new: Attributes, old: Attributes, context: Context
) -> tuple[list[Shift], bool]:
    if new.location and old.location and not _overlap(new.location, old.location, context):
        return [Shift(name, phrase, "location", old.location, new.location, "")], True
    is_certain = not _differ(new.location, old.location) and not _differ(new.type, old.type)
    if new.level and old.level and _differ(new.level, old.level):
        region = _common_region(new.location, old.location, context)
        return [Shift(name, phrase, "level", old.level, new.level, region)], is_certain
    return [], is_certain


def _differ(one: str | None, other: str | None) -> bool:
    """Whether both are said and not the same words in any order."""
    if not one or not other or one == other:
        return False
    return set(one.split(", ")) != set(other.split(", "))


def _overlap(one: str, other: str, context: Context) -> bool:
    """Whether two places share something, as far as their words tell."""
    relation = context.regions.relation
    return one == other or not (
        relation(one, other) is Relation.APART and relation(other, one) is Relation.APART
    )


def _common_region(new: str | None, old: str | None, context: Context) -> str:
    """The narrower of two places if one lies in the other, else nothing."""
    if not new or not old or "," in new or "," in old:
        return ""
    if new in ("bilateral", "both") or old in ("bilateral", "both"):
        return ""
    if new == old or context.regions.relation(new, old) is Relation.INSIDE:
        return new
    return old if context.regions.relation(old, new) is Relation.INSIDE else ""


def _is_only_change(
    shift: Shift, changes: Changes, study: Study, reference: Study, context: Context
) -> bool:
    """Whether no other change that has a place may lie in the region of ``shift``."""
    if not shift.region or not context.options.is_frequent("location", shift.region):
        return False
    others = [
        *(study.positive[name] for name in changes.additional),
        *(reference.positive[name] for name in changes.missing),
        *(
            study.positive[other.name]
            for other in changes.shifts
            if other is not shift and other.name in study.positive
        ),
    ]
    return all(
        item.location is None
        or context.regions.relation(item.location, shift.region) is Relation.APART
        for finding in others
        for item in finding.instances
    )


def _sentence(shift: Shift, context: Context) -> str:
    return context.templates.sentence(
        f"sentence.{shift.attribute}", name=shift.phrase, before=shift.before, after=shift.after
    )


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + ", and " + names[-1]
