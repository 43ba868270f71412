"""The view of an image: whether a study is asked about at all, and view questions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache

from pipeline.clinical.questions.candidate import Candidate, Context
from pipeline.clinical.questions.draw import Draw
from pipeline.clinical.questions.options import QuestionOptions
from pipeline.clinical.questions.study import Study


class View(Enum):
    """What is known about the direction of an image."""

    PA = "PA"
    AP = "AP"
    FRONTAL = "frontal"
    UNKNOWN = "unknown"
    OTHER = "other"


_WORDS = {
    "pa": View.PA, "posteroanterior": View.PA, "postero anterior": View.PA,
    "posterior anterior": View.PA,
    "ap": View.AP, "anteroposterior": View.AP, "antero posterior": View.AP,
    "anterior posterior": View.AP,
    "frontal": View.FRONTAL,
}  # fmt: skip
_LATERAL = re.compile(r"\b(?:lateral|ll|rl|lat)\b")
_MISSING = frozenset({"", "none", "nan", "null", "unknown"})


def read_view(study: Study) -> View:
    """The view of the study's image.

    A record that names an image whose view is empty is ``OTHER``: the metadata was there and
    could not say that it is frontal. Without an image an empty view is ``UNKNOWN``.
    """
    view = parse_view(study.view)
    return View.OTHER if view is View.UNKNOWN and study.dicom_id else view


@lru_cache(maxsize=1024)
def parse_view(text: str) -> View:
    """The view that metadata calls ``text``, such as ``antero-posterior``, ``PA`` or ``LL``."""
    text = " ".join(re.sub(r"[^a-z]+", " ", text.lower()).split())
    if text in _MISSING:
        return View.UNKNOWN
    if _LATERAL.search(text):
        return View.OTHER
    for wording, view in _WORDS.items():
        if re.search(rf"\b{wording}\b", text):
            return view
    return View.OTHER


def is_asked(study: Study, options: QuestionOptions) -> bool:
    """Whether the option ``views`` lets questions be made about this study."""
    if options.views == "any":
        return True
    view = read_view(study)
    if options.views == "strict":
        return view in (View.PA, View.AP)
    return view is not View.OTHER


def candidates(study: Study, draw: Draw, context: Context) -> Iterator[Candidate]:
    """PA always, AP at the published rate; half open, half yes or no. Nothing if not known."""
    view = read_view(study)
    if view not in (View.PA, View.AP):
        return
    if view is View.AP and not draw.chance(context.options.ap_view_rate):
        return
    open_question = Candidate("view.which", {"answer": f"{view.value} view"}, ())
    closed = [
        Candidate(f"view.{asked}", {"answer": "yes" if view.value.lower() == asked else "no"}, ())
        for asked in draw.shuffled(("pa", "ap"))
    ]
    order = [open_question, *closed]
    if draw.chance(0.5):
        order = [*closed, open_question]
    yield from order
