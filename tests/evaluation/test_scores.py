"""Scores, resampling and tests: the same numbers as scikit-learn, and their own properties."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    cohen_kappa_score,
    precision_recall_fscore_support,
)

from pipeline.clinical.lexicon import CLASSES
from pipeline.evaluation.compare import compare, holm_corrected, mcnemar
from pipeline.evaluation.label_files import LabelEvaluation, LabelFile, evaluate_labels
from pipeline.evaluation.labels import LabelOptions
from pipeline.evaluation.resample import bootstrap, cluster_sums, interval, swapped
from pipeline.evaluation.table import UncertainPolicy
from tests.evaluation.tables import CELLS, random_cells, write_labels

EXACT = 1e-9
QUICK = LabelOptions(replicates=50)


def evaluated(
    folder: Path, options: LabelOptions, studies: int = 80, patients: int | None = None
) -> LabelEvaluation:
    gold = write_labels(folder / "gold.csv", random_cells(studies, 1), patients)
    first = write_labels(folder / "a.csv", random_cells(studies, 2), patients)
    second = write_labels(folder / "b.csv", random_cells(studies, 3), patients)
    files = [LabelFile(first, "a"), LabelFile(second, "b")]
    return evaluate_labels([gold], files, options)


@pytest.mark.parametrize("policy", ["absent", "present"])
def test_scores_are_those_of_scikit_learn(tmp_path: Path, policy: UncertainPolicy) -> None:
    found = evaluated(tmp_path, LabelOptions(policy, policy, replicates=0))
    yes = ("1.0", "-1.0") if policy == "present" else ("1.0",)
    gold, said = np.isin(random_cells(80, 1), yes), np.isin(random_cells(80, 2), yes)
    score = found.scores[0]
    for average in ("micro", "macro"):
        expected = precision_recall_fscore_support(gold, said, average=average, zero_division=0)
        for measure, value in zip(("precision", "recall", "f1"), expected, strict=False):
            assert score.overall[f"{average} {measure}"].value == pytest.approx(value, abs=EXACT)
    per_class = precision_recall_fscore_support(gold, said, zero_division=0)
    for k, name in enumerate(CLASSES):
        one = score.classes[name]
        for m, measure in enumerate(("precision", "recall", "f1")):
            assert one.measures[measure].value == pytest.approx(per_class[m][k], abs=EXACT)
        kappa = cohen_kappa_score(gold[:, k], said[:, k])
        assert one.counts.kappa == pytest.approx(kappa, abs=EXACT)
    assert score.exact == pytest.approx(accuracy_score(gold, said), abs=EXACT)
    normal = precision_recall_fscore_support(
        ~gold.any(axis=1), ~said.any(axis=1), average="binary", zero_division=0
    )
    for measure, value in zip(("precision", "recall", "f1"), normal, strict=False):
        assert score.normal[measure] == pytest.approx(value, abs=EXACT)


def test_excluded_cells_are_left_out_of_each_class(tmp_path: Path) -> None:
    found = evaluated(tmp_path, LabelOptions("exclude", "exclude", blank="exclude", replicates=0))
    gold, said = random_cells(80, 1), random_cells(80, 2)
    for k, name in enumerate(CLASSES):
        counts = np.isin(gold[:, k], ["0.0", "1.0"]) & (said[:, k] != "-1.0")
        expected = precision_recall_fscore_support(
            gold[counts, k] == "1.0", said[counts, k] == "1.0", average="binary", zero_division=0
        )
        one = found.scores[0].classes[name]
        assert one.excluded == int((~counts).sum())
        assert one.measures["f1"].value == pytest.approx(expected[2], abs=EXACT)


def test_a_class_that_nobody_has_scores_zero_and_can_be_left_out_of_the_mean(
    tmp_path: Path,
) -> None:
    cells = random_cells(60, 1)
    cells[:, 0] = ""
    gold = write_labels(tmp_path / "gold.csv", cells)
    found = evaluate_labels([gold], [LabelFile(gold, "same")], QUICK)
    score = found.scores[0]
    assert score.classes["Atelectasis"].measures["f1"].value == 0
    assert score.overall["macro f1"].value == pytest.approx(12 / 13)
    assert score.overall["macro, classes in gold f1"].value == 1


def test_intervals_hold_the_value_and_repeat_with_the_seed(tmp_path: Path) -> None:
    first = evaluated(tmp_path, QUICK).as_json()
    assert first == evaluated(tmp_path, QUICK).as_json()
    micro = first["predictions"][0]["overall"]["micro f1"]
    assert micro["low"] < micro["value"] < micro["high"]
    other = evaluated(tmp_path, LabelOptions(replicates=50, seed=1)).as_json()
    assert other["predictions"][0]["overall"]["micro f1"]["low"] != micro["low"]


def test_patients_are_resampled_with_all_their_studies(tmp_path: Path) -> None:
    found = evaluated(tmp_path, QUICK, patients=20)
    assert found.patients == 20
    whole = found.scores[0].sums.sum(axis=0)
    draws = bootstrap(found.scores[0].sums, 400, 3)
    assert draws.mean(axis=0) == pytest.approx(whole, rel=0.15, abs=1.5)


def test_cluster_sums_add_up() -> None:
    cells = np.array([[[True]], [[False]], [[True]], [[True]]])
    sums = cluster_sums(cells, ["b", "a", "b", "a"])
    assert sums[:, 0, 0].tolist() == [1.0, 2.0]


def test_a_file_is_not_better_than_itself(tmp_path: Path) -> None:
    gold = write_labels(tmp_path / "gold.csv", random_cells(60, 1))
    same = write_labels(tmp_path / "a.csv", random_cells(60, 2))
    found = evaluate_labels([gold], [LabelFile(same, "a"), LabelFile(same, "b")], QUICK)
    (comparison,) = found.comparisons
    micro = comparison.overall["micro f1"]
    assert micro.difference.value == 0 and micro.p == 1
    assert all(one.p == 1 for one in comparison.classes.values())


def test_a_better_file_is_found_better(tmp_path: Path) -> None:
    truth = random_cells(200, 1)
    rng = np.random.default_rng(5)
    nearly = np.where(rng.random(truth.shape) < 0.05, rng.choice(CELLS, truth.shape), truth)
    gold = write_labels(tmp_path / "gold.csv", truth)
    bad = write_labels(tmp_path / "bad.csv", random_cells(200, 2))
    good = write_labels(tmp_path / "good.csv", nearly)
    options = LabelOptions(replicates=200)
    found = evaluate_labels([gold], [LabelFile(bad, "bad"), LabelFile(good, "good")], options)
    micro = found.comparisons[0].overall["micro f1"]
    assert micro.difference.low is not None and micro.difference.low > 0.3
    assert micro.p == pytest.approx(1 / 201)
    assert all(one.p_holm < 0.01 for one in found.comparisons[0].classes.values())
    back = compare(found.scores[1], found.scores[0], options).overall["micro f1"]
    assert back.difference.value == pytest.approx(-micro.difference.value)


def test_swapping_keeps_the_total() -> None:
    difference = np.arange(12.0).reshape(4, 1, 3) - 5
    change = swapped(difference, 500, 0)
    assert change.mean(axis=0) == pytest.approx(difference.sum(axis=0) / 2, abs=1.0)
    assert len(np.unique(change[:, 0, 0])) <= 16


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [(0, 0, 1.0), (5, 5, 1.0), (0, 5, 0.0625), (1, 9, 22 / 1024), (9, 1, 22 / 1024)],
)
def test_mcnemar(only_first: int, only_second: int, p: float) -> None:
    assert mcnemar(only_first, only_second) == pytest.approx(p)


def test_mcnemar_takes_large_counts() -> None:
    assert 0 <= mcnemar(80_000, 100_000) < 1e-300
    assert mcnemar(90_000, 90_010) == pytest.approx(0.983, abs=0.002)


def test_holm() -> None:
    assert holm_corrected([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50))
def test_an_interval_is_ordered(values: list[float]) -> None:
    found = interval(0.5, np.array(values), 0.9)
    assert found.low is not None and found.high is not None
    assert min(values) <= found.low <= found.high <= max(values)
