"""What the rules of one question type hand over, and what they may look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.questions.options import QuestionOptions
from pipeline.clinical.questions.regions import Regions, load_regions
from pipeline.clinical.questions.study import Attributes, Finding
from pipeline.clinical.questions.templates import Templates, load_templates

_BARE_SIDES = frozenset({"left", "right", "bilateral"})
# Sites of the lexicon that the words "left lung" include.
_CHEST_SITES = frozenset({"", "lung", "pleura"})
_VOCABULARY_KINDS = frozenset({"finding", "disease"})
_ADJECTIVE_ENDINGS = ("al", "ar", "ic", "ary")


class Candidate(NamedTuple):
    """A question that could be asked.

    ``values`` fill the template; ``names`` are the findings whose sentences are the evidence.
    """

    template: str
    values: dict[str, str]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Context:
    """Options and libraries, shared by all studies."""

    options: QuestionOptions
    templates: Templates = field(default_factory=load_templates)
    regions: Regions = field(default_factory=load_regions)

    def may_ask(self, name: str) -> bool:
        """Whether a finding is frequent enough to appear in a question or answer."""
        return self.options.is_frequent("entity", name)

    def place(self, name: str, location: str) -> str:
        """Where a finding is. A side alone is a lung, unless the lexicon knows another site.

        *left* of a rib fracture is the *left rib*, which is not in the left lung.
        """
        if location not in _BARE_SIDES:
            return location
        known = load_lexicon().find(name)
        if known is None or known.location in _CHEST_SITES:
            return location
        return f"{location} {known.location}"

    @cached_property
    def vocabulary(self) -> tuple[str, ...]:
        """Findings that the closed world knows: those counted, or those of the lexicon."""
        counts = self.options.frequencies
        if counts is not None:
            nested = counts.get("entity")
            names = nested if isinstance(nested, dict) else counts
            return tuple(name for name in names if self.may_ask(name))
        return tuple(
            item.name for item in load_lexicon().findings if item.kind in _VOCABULARY_KINDS
        )


def unique_instances(finding: Finding, attribute: str) -> list[tuple[str, Attributes]]:
    """Instances of a finding that have ``attribute``, with a name that fits only that one.

    One value for all instances: the plain name. Values that differ: the location goes before the
    name (*left pleural effusion*), and instances without a location of their own are left out.
    """
    index = Attributes._fields.index(attribute)
    first = finding.instances[0]
    if len(finding.instances) == 1 or len({item[index] for item in finding.instances}) == 1:
        return [(finding.name, first)] if first[index] else []
    locations = [item.location for item in finding.instances]
    return [
        (f"{item.location} {finding.name}", item)
        for item in finding.instances
        if item[index] and item.location and locations.count(item.location) == 1
    ]


def place_words(location: str) -> str:
    """A location as it stands before *area*: no article, no *area* of its own; a side is a lung."""
    text = location.removeprefix("the ").removeprefix("both ").removesuffix(" area")
    if text.endswith("s"):  # the plural says it: the lungs, not the bilateral lungs
        text = text.removeprefix("bilateral ")
    return f"{text} lung" if text in ("left", "right") else text


def region_words(location: str) -> str:
    """A location as it stands after *in the*: an adjective (*hilar*) needs a noun."""
    text = place_words(location)
    return f"{text} area" if text.endswith(_ADJECTIVE_ENDINGS) else text


def askable_places(finding: Finding, context: Context) -> list[str]:
    """Single location values of a finding that can stand in a question about a place.

    Left out: rare values, those with a place of their own inside (*nipple in the left breast*),
    and a side alone that is not a lung.
    """
    values = (
        part.strip() for item in finding.instances for part in (item.location or "").split(",")
    )
    return [
        value
        for value in values
        if value
        and " in the " not in value
        and context.options.is_frequent("location", value)
        and context.place(finding.name, value) == value
    ]
