"""How far a second reading of the same report, by a model or by rules, bears a row out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pipeline.clinical.questions.study import Study, concept

#: ``A``: the second reading holds the same, attributes included; ``B``: the same findings with
#: the same status, but an attribute differs or is not said; ``C``: it holds otherwise or is silent.
GRADES = ("A", "B", "C")


def grade(names: Sequence[str], study: Study, second: Study | None) -> str:
    """The grade of a row that rests on ``names``; empty without a second reading.

    A row that rests on no finding, such as a view question, is not graded.
    """
    if second is None or not names:
        return ""
    return max((_grade_one(name, study, second) for name in names), default="")


def _grade_one(name: str, study: Study, second: Study) -> str:
    if name == "clear":
        return "A" if not (second.positive or second.uncertain) else "C"
    if name in study.negative:
        return "A" if _find(name, second.negative) is not None else "C"
    ours, theirs = (
        (study.positive, second.positive)
        if name in study.positive
        else (study.uncertain, second.uncertain)
    )
    other = _find(name, theirs)
    if other is None or name not in ours:
        return "C"
    return "A" if set(ours[name].instances) == set(theirs[other].instances) else "B"


def _find(name: str, names: Iterable[str]) -> str | None:
    return next((other for other in names if concept(other) == concept(name)), None)
