"""Multiple choice: the true answer among others that are wrong for certain."""

from __future__ import annotations

import csv
from functools import cache

from pipeline.clinical.questions.candidate import Candidate, Context
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Study
from pipeline.core.resources import resource_path

_MOST = 4
_LETTERS = "ABCD"


def choices(
    candidate: Candidate, answer: str, study: Study, draw: Draw, context: Context
) -> tuple[str, str, str] | None:
    """Template, choices and lettered answer, or None where no wrong answer is certain.

    * presence (yes): findings that the report negates are wrong;
    * level: words of another rank in ``libs/level_lib.csv`` are wrong;
    * location: places apart from every place of the finding are wrong;
    * view: the other direction is wrong.

    Types do not exclude each other, so type questions stay open.
    """
    template = candidate.template
    if template in ("presence.evidence", "presence.plain") and answer == "yes":
        template, answer = "choice.presence", candidate.values["name"]
        wrong = [name for name in study.negative if context.may_ask(name)]
    elif template == "level.what":
        wrong = _other_levels(answer)
    elif template in ("location.located", "location.where"):
        wrong = _other_places(candidate, context)
    elif template == "view.which":
        wrong = [f"{view} view" for view in ("PA", "AP") if f"{view} view" != answer]
    else:
        return None
    if not wrong:
        return None
    offered = draw.shuffled([answer, *draw.shuffled(wrong)[: _MOST - 1]])
    lettered = [f"{letter}. {text}" for letter, text in zip(_LETTERS, offered, strict=False)]
    return template, "; ".join(lettered), lettered[offered.index(answer)]


def _other_levels(level: str) -> list[str]:
    ranks = load_level_ranks()
    rank = ranks.get(level)
    if rank is None:
        return []
    return list({other: name for name, other in ranks.items() if other != rank}.values())


def _other_places(candidate: Candidate, context: Context) -> list[str]:
    location = candidate.values["location"]
    relation = context.regions.relation
    if not context.regions.parts(location):
        return []
    return [
        f"{place} area"
        for place in context.regions.choices
        if relation(location, place) is Relation.APART
        and relation(place, location) is Relation.APART
    ]


@cache
def load_level_ranks() -> dict[str, str]:
    """Rank by level word, from the column ``rank`` of ``libs/level_lib.csv``; empty without one."""
    path = resource_path("libs", "level_lib.csv")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            row["level"].strip().lower(): row["rank"].strip()
            for row in csv.DictReader(file)
            if row.get("level") and row.get("rank")
        }
