"""Scores of label predictions against gold: per class, over all, with intervals and examples."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.clinical.agreement import PairCounts
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.evaluation.annotators import pair_counts
from pipeline.evaluation.resample import Interval, bootstrap, cluster_sums, interval
from pipeline.evaluation.scores import (
    FN,
    FP,
    MEASURES,
    TP,
    Floats,
    averages,
    indicators,
    precision_recall_f1,
    ratio,
)
from pipeline.evaluation.table import (
    BlankPolicy,
    Flags,
    LabelTable,
    UncertainPolicy,
    aligned,
    read_cells,
)

MissingPolicy = Literal["absent", "exclude", "error"]


@dataclass(frozen=True, slots=True)
class LabelOptions:
    """How labels are scored.

    Attributes:
        uncertain: what an uncertain cell of a prediction counts as.
        uncertain_gold: what an uncertain cell of gold counts as.
        blank: what a cell of gold counts as where the report does not speak of the class.
        missing: what a gold study without prediction counts as: no label, not scored, or an error.
        replicates: bootstrap samples; 0 for no intervals.
        level: of the intervals.
        seed: of all draws.
        examples: wrong studies listed per class and kind.
    """

    uncertain: UncertainPolicy = "absent"
    uncertain_gold: UncertainPolicy = "absent"
    blank: BlankPolicy = "absent"
    missing: MissingPolicy = "absent"
    replicates: int = 1000
    level: float = 0.95
    seed: int = 0
    examples: int = 5


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class.

    Attributes:
        counts: cells where gold and prediction say yes, one of them, or neither.
        excluded: cells that did not count.
        measures: ``precision``, ``recall``, ``f1``.
        false_positives: ids of studies, a seeded sample in the order of gold.
        false_negatives: likewise.
    """

    counts: PairCounts
    excluded: int
    measures: Mapping[str, Interval]
    false_positives: tuple[str, ...] = ()
    false_negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LabelScore:
    """One prediction file.

    Attributes:
        name: how tables call it.
        classes: class -> score.
        overall: ``micro f1``, ``macro recall`` ... -> value.
        normal: ``precision``, ``recall``, ``f1`` of *no class present*, over the studies of which
            every cell counts.
        exact: share of studies of which every cell that counts is right.
        missing: gold studies without prediction.
        extra: predicted studies that gold lacks; they are not scored.
        sums: counts per patient, class and kind, for paired tests.
        draws: counts of the bootstrap samples; the same patients for every file of one evaluation.
        right: studies by classes, where the prediction is right.
        counted: likewise, which cells count.
    """

    name: str
    classes: Mapping[str, ClassScore]
    overall: Mapping[str, Interval]
    normal: Mapping[str, float]
    exact: float
    missing: tuple[str, ...]
    extra: int
    sums: Floats = field(repr=False)
    draws: Floats = field(repr=False)
    right: NDArray[np.bool_] = field(repr=False)
    counted: NDArray[np.bool_] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The form of the JSON report; ids only."""
        return {
            "name": self.name,
            "missing": len(self.missing),
            "missing_examples": list(self.missing[:20]),
            "extra": self.extra,
            "overall": {name: value.as_json() for name, value in self.overall.items()},
            "normal": dict(self.normal),
            "exact": self.exact,
            "classes": {
                name: {
                    "true_positives": score.counts.both,
                    "false_positives": score.counts.only_b,
                    "false_negatives": score.counts.only_a,
                    "true_negatives": score.counts.neither,
                    "excluded": score.excluded,
                    "kappa": score.counts.kappa,
                    **{measure: value.as_json() for measure, value in score.measures.items()},
                    "false_positive_ids": list(score.false_positives),
                    "false_negative_ids": list(score.false_negatives),
                }
                for name, score in self.classes.items()
            },
        }


def score_labels(
    gold: LabelTable, prediction: LabelTable, classes: Sequence[str], options: LabelOptions
) -> LabelScore:
    """Score one prediction file against gold.

    Raises:
        ConfigError: no study in common, or studies are missing and ``missing`` is ``error``.
    """
    truth, truth_counts = read_cells(
        gold.columns(classes).cells, options.uncertain_gold, options.blank
    )
    cells, has = aligned(prediction.columns(classes), gold.ids)
    _check_overlap(gold, prediction, has, options)
    said, said_counts = read_cells(cells, options.uncertain)
    counts = truth_counts & said_counts
    if options.missing == "exclude":
        counts &= has[:, None]
    kinds = indicators(truth, said, counts)
    totals = kinds.sum(axis=0).astype(np.float64)
    sums = cluster_sums(kinds, gold.patients or gold.ids)
    draws = bootstrap(sums, options.replicates, options.seed)
    in_gold = (totals[:, TP] + totals[:, FN]) > 0
    per_class, drawn = precision_recall_f1(totals), precision_recall_f1(draws)
    right = truth == said
    return LabelScore(
        name=prediction.name,
        classes={
            name: ClassScore(
                counts=pair_counts(truth[:, k], said[:, k], counts[:, k]),
                excluded=int((~counts[:, k]).sum()),
                measures={
                    measure: interval(per_class[m][k], drawn[m][:, k], options.level)
                    for m, measure in enumerate(MEASURES)
                },
                false_positives=_examples(gold.ids, kinds[:, k, FP], options, name),
                false_negatives=_examples(gold.ids, kinds[:, k, FN], options, name),
            )
            for k, name in enumerate(classes)
        },
        overall=_overall(totals, draws, in_gold, options.level),
        normal=_normal(truth, said, counts),
        exact=_exact(right, counts),
        missing=tuple(study for study, there in zip(gold.ids, has, strict=True) if not there),
        extra=len(prediction.ids) - int(has.sum()),
        sums=sums,
        draws=draws,
        right=right,
        counted=counts,
    )


def _check_overlap(
    gold: LabelTable, prediction: LabelTable, has: Flags, options: LabelOptions
) -> None:
    if not has.any():
        raise ConfigError(
            f"no study of {prediction.name} is in {gold.name}: gold has ids such as "
            f"{str(gold.ids[0])[:20]!r}, the prediction {str(prediction.ids[0])[:20]!r}; are the "
            "id columns right (--id COLUMN)?"
        )
    missing = int((~has).sum())
    if missing and options.missing == "error":
        some = [str(s)[:20] for s, there in zip(gold.ids, has, strict=True) if not there][:5]
        raise ConfigError(
            f"{prediction.name} lacks {missing:,} of {len(gold.ids):,} gold studies, such as "
            f"{', '.join(some)}"
        )


def _overall(
    totals: Floats, draws: Floats, in_gold: NDArray[np.bool_], level: float
) -> dict[str, Interval]:
    drawn = averages(draws, in_gold).by_name()
    return {
        name: interval(float(value), drawn[name], level)
        for name, value in averages(totals, in_gold).by_name().items()
    }


def _normal(truth: Flags, said: Flags, counts: Flags) -> dict[str, float]:
    """Scores of saying that nothing is there, where every cell of the study counts."""
    whole = counts.all(axis=1)
    gold, predicted = ~truth[whole].any(axis=1), ~said[whole].any(axis=1)
    kinds = [gold & predicted, ~gold & predicted, gold & ~predicted]
    totals = np.array([kind.sum() for kind in kinds], dtype=np.float64)
    measures = precision_recall_f1(totals)
    scores = {name: float(value) for name, value in zip(MEASURES, measures, strict=True)}
    false_alarms = float(ratio(np.array(totals[FN]), np.array(totals[TP] + totals[FN])))
    return {
        "studies": float(whole.sum()),
        "in_gold": float(gold.sum()),
        "normal_with_label": false_alarms,
        **scores,
    }


def _exact(right: Flags, counts: Flags) -> float:
    scored = counts.any(axis=1)
    if not scored.any():
        return 0.0
    whole = np.all(right | ~counts, axis=1)
    return float(np.mean(whole[scored]))


def _examples(
    ids: Sequence[str], wrong: Flags, options: LabelOptions, name: str
) -> tuple[str, ...]:
    places = np.flatnonzero(wrong).tolist()
    if len(places) > options.examples:
        rng = random.Random(stable_seed(options.seed, "examples", name))
        places = sorted(rng.sample(places, options.examples))
    return tuple(ids[place] for place in places)
