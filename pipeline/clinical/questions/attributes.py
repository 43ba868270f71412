"""Location, level and type questions: what the report says about one finding."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.questions.candidate import Candidate, Context, unique_instances
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.study import Finding, Study


def locations(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """Where a finding is: all its places, or left or right where that is all that is said."""
    for finding in draw.shuffled(list(study.positive.values())):
        places = _places(finding)
        if not places or not context.may_ask(finding.name):
            continue
        if not all(context.options.is_frequent("location", place) for place in places):
            continue
        text = ", ".join(places).removesuffix(" area")  # the template adds the word
        values = {"name": finding.name, "location": text}
        templates = ["location.located", "location.where"]
        if places in (["left"], ["right"]):
            templates.append("location.side")
            values["side"] = places[0]
        yield Candidate(draw.pick(templates), values, (finding.name,))


def levels(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """What level a finding has; instances that differ are asked about one by one."""
    return _values("level", study, draw, context)


def types(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """What type a finding has; instances that differ are asked about one by one."""
    return _values("type", study, draw, context)


def _values(attribute: str, study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    for finding in draw.shuffled(list(study.positive.values())):
        if not context.may_ask(finding.name):
            continue
        for name, instance in draw.shuffled(unique_instances(finding, attribute)):
            value = instance.level if attribute == "level" else instance.type
            if value is None or _says_already(finding.name, value):
                continue
            if context.options.is_frequent(attribute, value):
                yield Candidate(
                    f"{attribute}.what", {"name": name, "value": value}, (finding.name,)
                )


def _says_already(name: str, value: str) -> bool:
    """Whether the name holds the value: nobody asks what type a calcified granuloma is.

    Words are compared by their first six letters: ``calcified`` and ``calcification`` are one.
    """
    stems = {word[:6] for word in name.split()}
    return all(word.strip(",")[:6] in stems for word in value.split())


def _places(finding: Finding) -> list[str]:
    """Every place of a finding once; none where an instance may be anywhere."""
    if not all(item.location for item in finding.instances):
        return []
    return list(
        dict.fromkeys(
            value.strip()
            for item in finding.instances
            for value in (item.location or "").split(",")
            if value.strip()
        )
    )
