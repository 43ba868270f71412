"""What judgements come to: means, differences, win rates and agreement, with intervals.

Every figure is a function of a table of counts (how often score 3 met score 4, ...), so that its
bootstrap interval is that function of resampled counts. Patients are drawn with all their
questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.clinical.judge_reply import SCALE
from pipeline.core.records import Record, root_id
from pipeline.evaluation.resample import Interval, bootstrap, cluster_sums, interval
from pipeline.evaluation.scores import Floats

Statistic = Callable[[Floats], Floats]
"""From counts (any leading axes) to the figure; NaN where it is not defined."""

Judgements = Mapping[str, Mapping[tuple[str, str], int]]
"""Question id -> (system, criterion) -> score."""

_POINTS = np.array(SCALE, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Resampling:
    """How intervals are made: bootstrap samples, their seed, and the level they cover."""

    replicates: int = 1000
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure with its interval.

    Attributes:
        of: what it is about, such as ``{"system": "a", "criterion": "accuracy"}``.
        n: questions it rests on.
        value: the figure; None where it is not defined, as kappa of constant scores.
        counts: further numbers, such as how often each score was given.
    """

    of: Mapping[str, str]
    n: int
    value: Interval | None
    counts: Mapping[str, float | None]

    def as_json(self) -> dict[str, Any]:
        """The form of the JSON report."""
        value = self.value.as_json() if self.value is not None else None
        return {**self.of, "n": self.n, "figure": value, **self.counts}


def score_means(records: Sequence[Record], how: Resampling) -> list[Figure]:
    """The mean score of each system on each criterion, with how often each score was given."""
    made = []
    clusters = [cluster_of(record) for record in records]
    for system, criterion in _judged(records):
        scores = [(record["scores"][system][criterion],) for record in records]
        cells = _cells(scores, SCALE)
        total = cells.sum(axis=0)
        shares = {f"score {score}": int(total[i]) for i, score in enumerate(SCALE)}
        of = {"system": system, "criterion": criterion}
        made.append(_figure(of, cells, clusters, _mean, how, shares))
    return made


def score_differences(records: Sequence[Record], how: Resampling) -> list[Figure]:
    """Mean of the first system minus the second, question by question, for each two systems."""
    made = []
    clusters = [cluster_of(record) for record in records]
    keys = _judged(records)
    systems = list(dict.fromkeys(system for system, _ in keys))
    for first, second in combinations(systems, 2):
        for criterion in (name for system, name in keys if system == first):
            scores = [
                (r["scores"][first][criterion], r["scores"][second][criterion]) for r in records
            ]
            of = {"first": first, "second": second, "criterion": criterion}
            made.append(_figure(of, _cells(scores, SCALE), clusters, _difference, how, {}))
    return made


def win_rates(records: Sequence[Record], how: Resampling) -> list[Figure]:
    """How often the first system is the better one, over both orders; a tie is half a win.

    ``order agreement`` and ``order kappa`` say how far the judge gives the same verdict when the
    answers change places; ``first named`` is the share of verdicts for the answer named first,
    one half where place does not matter.
    """
    if not records:
        return []
    made = []
    first, second = records[0]["systems"]
    verdicts = (first, "tie", second)
    clusters = [cluster_of(record) for record in records]
    for criterion in records[0]["verdicts"]:
        pairs = [tuple(record["verdicts"][criterion]) for record in records]
        cells = _cells(pairs, verdicts)
        total = cells.sum(axis=0).astype(np.float64)
        n = max(1, len(records))
        for_first_named = total[0].sum() + total[:, 2].sum()
        decided = for_first_named + total[2].sum() + total[:, 0].sum()
        counts = {
            "first wins": total[0, 0],
            "second wins": total[2, 2],
            "ties": total[1, 1],
            "changed with order": len(records) - np.trace(total),
            "order agreement": np.trace(total) / n,
            "order kappa": float(_kappa(total, _same(3))),
            "first named": for_first_named / decided if decided else 0.5,
        }
        of = {"first": first, "second": second, "criterion": criterion}
        made.append(_figure(of, cells, clusters, _win_rate, how, counts))
    return made


def agreement(ours: Sequence[Record], others: Judgements, how: Resampling) -> list[Figure]:
    """Cohen's kappa, quadratically weighted, with another judge or an expert, by criterion.

    Every answer that both scored counts; ``exact`` and ``within one`` are shares of these.
    """
    pairs: dict[str, list[tuple[int, int]]] = {}
    clusters: dict[str, list[str]] = {}
    for record in ours:
        theirs = others.get(record["id"], {})
        for system, scores in record["scores"].items():
            for criterion, score in scores.items():
                other = theirs.get((system, criterion))
                if other is not None:
                    pairs.setdefault(criterion, []).append((score, other))
                    clusters.setdefault(criterion, []).append(cluster_of(record))
    made = []
    for criterion, scores in pairs.items():
        gaps = [abs(a - b) for a, b in scores]
        counts = {
            "exact": sum(gap == 0 for gap in gaps) / len(gaps),
            "within one": sum(gap <= 1 for gap in gaps) / len(gaps),
        }
        cells = _cells(scores, SCALE)
        of = {"criterion": criterion}
        made.append(_figure(of, cells, clusters[criterion], _weighted_kappa, how, counts))
    return made


def judgements(records: Sequence[Record]) -> Judgements:
    """Records of the stage ``judge`` as what :func:`agreement` compares with."""
    return {
        record["id"]: {
            (system, criterion): score
            for system, scores in record["scores"].items()
            for criterion, score in scores.items()
        }
        for record in records
    }


def cluster_of(record: Record) -> str:
    """What is drawn as a whole: the patient, or the study where no patient is known."""
    return str(record.get("subject_id") or root_id(str(record["id"])))


def _judged(records: Sequence[Record]) -> list[tuple[str, str]]:
    if not records:
        return []
    return [(system, name) for system, scores in records[0]["scores"].items() for name in scores]


def _cells(values: Sequence[tuple[Any, ...]], categories: Sequence[Any]) -> NDArray[np.bool_]:
    """One cell per question is true: that of its value, or of its pair of values."""
    place = {category: i for i, category in enumerate(categories)}
    sides = len(values[0]) if values else 1
    cells = np.zeros((len(values), *[len(categories)] * sides), dtype=np.bool_)
    for number, value in enumerate(values):
        cells[(number, *(place[each] for each in value))] = True
    return cells


def _figure(
    of: Mapping[str, str],
    cells: NDArray[np.bool_],
    clusters: Sequence[str],
    statistic: Statistic,
    how: Resampling,
    counts: Mapping[str, float],
) -> Figure:
    value = float(statistic(cells.sum(axis=0).astype(np.float64)))
    further = {name: float(n) if np.isfinite(n) else None for name, n in counts.items()}
    if not np.isfinite(value):
        return Figure(of, len(cells), None, further)
    drawn = statistic(bootstrap(cluster_sums(cells, clusters), how.replicates, how.seed))
    found = interval(value, drawn[np.isfinite(drawn)], how.level)
    return Figure(of, len(cells), found, further)


def _mean(counts: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(counts @ _POINTS / counts.sum(axis=-1))


def _difference(counts: Floats) -> Floats:
    return _mean(counts.sum(axis=-1)) - _mean(counts.sum(axis=-2))


def _win_rate(counts: Floats) -> Floats:
    points = np.array([1.0, 0.5, 0.0])
    either = counts.sum(axis=-1) + counts.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(either @ points / either.sum(axis=-1))


def _weighted_kappa(counts: Floats) -> Floats:
    steps = np.subtract.outer(_POINTS, _POINTS)
    return _kappa(counts, 1 - steps**2 / steps.max() ** 2)


def _kappa(counts: Floats, weights: Floats) -> Floats:
    """Cohen's kappa of square tables of counts; ``weights`` is 1 for full agreement."""
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = counts / counts.sum(axis=(-2, -1), keepdims=True)
        chance = shares.sum(axis=-1)[..., :, None] * shares.sum(axis=-2)[..., None, :]
        expected = (chance * weights).sum(axis=(-2, -1))
        observed = (shares * weights).sum(axis=(-2, -1))
        return np.asarray((observed - expected) / (1 - expected))


def _same(size: int) -> Floats:
    return np.eye(size)
