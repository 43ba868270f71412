"""Multiple choice: the true answer among others that are wrong for certain."""

from __future__ import annotations

from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.questions.candidate import Candidate, Context, place_words
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.regions import Relation
from pipeline.clinical.questions.study import Study

_MOST = 4
_LETTERS = "ABCD"
# Words that people choose among: amounts and sizes, or severity.
_SIZES = ("tiny", "small", "moderate", "large")
_GRADES = ("minimal", "mild", "moderate", "severe")
_ONLY_SIZES = frozenset(_SIZES) - frozenset(_GRADES)
# Ranks of libs/level_lib.csv closer than this are too alike for one to be wrong.
_RANKS_APART = 2


def choices(
    candidate: Candidate, answer: str, study: Study, draw: Draw, context: Context
) -> tuple[str, str, str] | None:
    """Template, choices and lettered answer, or None where no wrong answer is certain.

    * presence (yes): findings that the report negates are wrong;
    * level: words at least two ranks away in ``libs/level_lib.csv`` are wrong;
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
    lexicon = load_lexicon()

    def rank_of(word: str) -> int | None:
        return lexicon.ranks.get(lexicon.levels.get(word, word))

    rank = rank_of(level)
    if rank is None:
        return []
    # "moderate" is in both scales: the words beside it tell which one is meant.
    ladder = _SIZES if any(word in _ONLY_SIZES for word in level.split()) else _GRADES
    return [
        word
        for word in ladder
        if (other := rank_of(word)) is not None and abs(other - rank) >= _RANKS_APART
    ]


def _other_places(candidate: Candidate, context: Context) -> list[str]:
    location = candidate.values["location"]
    relation = context.regions.relation
    if not context.regions.parts(location):
        return []
    return [
        f"{place_words(place)} area"
        for place in context.regions.choices
        if relation(location, place) is Relation.APART
        and relation(place, location) is Relation.APART
    ]
