"""How close answers are to the expected ones: words, and findings as the rules read them.

Sums per row are enough for every figure, so intervals come from drawing patients (rows, where no
patient is known) with all their rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from rapidfuzz.distance import LCSseq

from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.rouge import f_measure, tokens_of
from pipeline.core.errors import ConfigError
from pipeline.evaluation.answers import Answer
from pipeline.evaluation.bleu import COUNTS, bleu, bleu_counts, bleu_tokens
from pipeline.evaluation.resample import Interval, bootstrap, cluster_sums, interval
from pipeline.evaluation.scores import Floats, ratio

LEVEL = 0.95
FIGURES = (
    "ROUGE-1",
    "ROUGE-2",
    "ROUGE-L",
    "BLEU",
    "exact match",
    "findings precision",
    "findings recall",
    "findings F1",
    "same side",
    "contradictions",
)
"""All shares of 1, but for BLEU, which goes to 100.

ROUGE: mean F measure of rows, tokens and arithmetic of rouge-score (a Chinese character is a
token). Exact match: the same but for white space. Findings: canonical names that are present or
possible, over all rows (micro). Same side: of the findings in both where either names a side, those
with the same sides. Contradictions: rows in which one says present what the other denies.
"""

_ROUGE, _EXACT, _TP, _SAID, _EXPECTED, _SIDED, _SAME, _AGAINST = 0, 3, 4, 5, 6, 7, 8, 9
_BLEU = 10
_HAN = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class TextScores:
    """The figures of one system.

    Attributes:
        rows: rows scored: those with an expected answer.
        empty: of these, rows without an answer; they count as wrong.
        without_reference: rows left out, because nothing is expected.
        tokens: ``zh`` where most expected answers are Chinese, else ``13a``: how BLEU cuts words.
        figures: :data:`FIGURES` with their intervals; None where nothing can be divided.
    """

    rows: int
    empty: int
    without_reference: int
    tokens: str
    figures: Mapping[str, Interval | None]

    def as_json(self) -> dict[str, object]:
        """The form of the JSON report."""
        return {
            "rows": self.rows,
            "empty": self.empty,
            "without_reference": self.without_reference,
            "bleu_tokens": self.tokens,
            "figures": {n: None if v is None else v.as_json() for n, v in self.figures.items()},
        }


def score_texts(
    answers: Mapping[str, Answer], *, replicates: int = 1000, seed: int = 0
) -> TextScores:
    """Score the answers of one system against the expected ones.

    Raises:
        ConfigError: no row has an expected answer.
    """
    rows = [answer for answer in answers.values() if answer.reference]
    if not rows:
        raise ConfigError(
            "no row has an expected answer: name its column reference, response or expected, "
            "beside the answers in generated"
        )
    chinese = sum(_HAN.search(row.reference) is not None for row in rows) * 2 > len(rows)
    counts = np.array([_counts(row.answer, row.reference, chinese) for row in rows])
    ones = np.ones((len(rows), 1))
    clusters = [
        f"patient {row.subject_id}" if row.subject_id else f"row {number}"
        for number, row in enumerate(rows)
    ]
    sums = cluster_sums(np.hstack([counts, ones]), clusters)
    values = _figures(sums.sum(axis=0))
    drawn = _figures(bootstrap(sums, replicates, seed))
    return TextScores(
        rows=len(rows),
        empty=sum(not row.answer for row in rows),
        without_reference=len(answers) - len(rows),
        tokens="zh" if chinese else "13a",
        figures={
            name: None
            if not np.isfinite(values[name])
            else interval(float(values[name]), np.nan_to_num(drawn[name]), LEVEL)
            for name in FIGURES
        },
    )


def _counts(answer: str, reference: str, chinese: bool) -> list[float]:
    said, expected = tokens_of(answer), tokens_of(reference)
    rouge = [
        _overlap(said, expected),
        _overlap([*pairwise(said)], [*pairwise(expected)]),
        f_measure(LCSseq.similarity(expected, said), len(expected), len(said)) if said else 0.0,
    ]
    exact = float("".join(answer.split()) == "".join(reference.split()))
    words = bleu_counts(
        bleu_tokens(answer, chinese=chinese), bleu_tokens(reference, chinese=chinese)
    )
    return [*rouge, exact, *_findings(claims_of(answer), claims_of(reference)), *words]


def _overlap(said: Sequence[object], expected: Sequence[object]) -> float:
    common = sum((Counter(said) & Counter(expected)).values())
    return f_measure(common, len(expected), len(said)) if said and expected else 0.0


def _findings(said: Sequence[Claim], expected: Sequence[Claim]) -> list[float]:
    """Found, said, expected; sided, on the same sides; whether one denies what the other says."""
    ours, theirs = _stated(said), _stated(expected)
    both = ours.keys() & theirs.keys()
    sided = [name for name in both if ours[name] or theirs[name]]
    same = sum(ours[name] == theirs[name] for name in sided)
    against = (_denied(said) & theirs.keys()) | (_denied(expected) & ours.keys())
    return [
        *map(float, (len(both), len(ours), len(theirs), len(sided), same)),
        float(bool(against)),
    ]


def _stated(claims: Sequence[Claim]) -> dict[str, frozenset[str]]:
    """Finding -> its sides, all instances together."""
    found: dict[str, frozenset[str]] = {}
    for claim in claims:
        if claim.status in ("present", "uncertain"):
            found[claim.name] = found.get(claim.name, frozenset()) | claim.sides
    return found


def _denied(claims: Sequence[Claim]) -> set[str]:
    stated = _stated(claims)
    return {claim.name for claim in claims if claim.status == "absent"} - stated.keys()


def _figures(sums: Floats) -> dict[str, Floats]:
    """The figures of sums ``[..., counts]``; not a number where nothing can be divided."""
    rows = sums[..., -1]
    found, said, expected = sums[..., _TP], sums[..., _SAID], sums[..., _EXPECTED]
    sided = sums[..., _SIDED]
    made = {name: sums[..., _ROUGE + place] / rows for place, name in enumerate(FIGURES[:3])}
    nothing = np.where(said + expected == 0, np.nan, 0.0)
    made["BLEU"] = bleu(sums[..., _BLEU : _BLEU + COUNTS])
    made["exact match"] = sums[..., _EXACT] / rows
    made["findings precision"] = ratio(found, said) + nothing
    made["findings recall"] = ratio(found, expected) + nothing
    made["findings F1"] = ratio(2 * found, said + expected) + nothing
    made["same side"] = ratio(sums[..., _SAME], sided) + np.where(sided == 0, np.nan, 0.0)
    made["contradictions"] = sums[..., _AGAINST] / rows
    return made
