"""Figures of judged answers, against values worked out by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline.evaluation.judge_report import judge_report
from pipeline.evaluation.judged import (
    Resampling,
    agreement,
    judgements,
    score_differences,
    score_means,
    win_rates,
)

HOW = Resampling(500, 1)


def scored(scores: list[tuple[int, int]], per_patient: int = 1) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{number}/answers/0",
            "subject_id": f"p{number // per_patient}",
            "scores": {"a": {"accuracy": first}, "b": {"accuracy": second}},
        }
        for number, (first, second) in enumerate(scores)
    ]


def compared(verdicts: list[tuple[str, str]]) -> list[dict[str, Any]]:
    return [
        {"id": str(n), "subject_id": None, "systems": ["a", "b"], "verdicts": {"overall": list(v)}}
        for n, v in enumerate(verdicts)
    ]


def test_means_and_differences() -> None:
    records = scored([(4, 1), (3, 3), (2, 4), (4, 2)])
    first, second = score_means(records, HOW)
    assert (first.of, first.n) == ({"system": "a", "criterion": "accuracy"}, 4)
    assert first.value is not None and first.value.value == 3.25
    assert first.counts == {"score 1": 0, "score 2": 1, "score 3": 1, "score 4": 2}
    assert second.value is not None and second.value.value == 2.5
    (difference,) = score_differences(records, HOW)
    assert difference.value is not None
    assert difference.value.value == pytest.approx(0.75)
    low, high = difference.value.low, difference.value.high
    assert low is not None and high is not None
    assert -2 <= low <= 0.75 <= high <= 3


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    draw = random.Random(4)
    covered = 0
    for trial in range(100):
        records = scored([(draw.choice((1, 2, 3, 4)), 1) for _ in range(60)])
        value = score_means(records, Resampling(300, trial))[0].value
        assert value is not None and value.low is not None and value.high is not None
        covered += value.low <= 2.5 <= value.high
    assert 88 <= covered <= 100


def test_patients_are_drawn_with_all_their_questions() -> None:
    scores = [(1 if number // 10 % 2 else 4, 1) for number in range(100)]
    apart = score_means(scored(scores), HOW)[0].value
    together = score_means(scored(scores, per_patient=10), HOW)[0].value
    assert apart is not None and apart.high is not None and apart.low is not None
    assert together is not None and together.high is not None and together.low is not None
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_win_rates_over_both_orders() -> None:
    verdicts = [("a", "a"), ("b", "b"), ("tie", "tie"), ("a", "b"), ("a", "tie")]
    (rate,) = win_rates(compared(verdicts), HOW)
    # Points of a: 1 + 0 + 0.5 + 0.5 + 0.75 of 5.
    assert rate.value is not None and rate.value.value == pytest.approx(0.55)
    counts = rate.counts
    assert (counts["first wins"], counts["second wins"], counts["ties"]) == (1, 1, 1)
    assert counts["changed with order"] == 2
    assert counts["order agreement"] == pytest.approx(0.6)
    # First order: a a a b tie; second order: a b b tie tie; chance (3*1 + 1*2 + 1*2) / 25.
    assert counts["order kappa"] == pytest.approx((0.6 - 7 / 25) / (1 - 7 / 25))
    # Decided verdicts: a a a b (first order), a b b (second). Named first: a a a, and b b.
    assert counts["first named"] == pytest.approx(5 / 7)


def test_a_judge_that_always_takes_the_first_is_found_out() -> None:
    (rate,) = win_rates(compared([("a", "b")] * 10), HOW)
    assert rate.value is not None and rate.value.value == 0.5
    assert rate.counts["first named"] == 1
    assert rate.counts["changed with order"] == 10


def test_agreement_with_an_expert() -> None:
    ours = scored([(1, 1), (2, 2), (3, 4), (4, 4)])
    experts = {"0/answers/0": {("a", "accuracy"): 2, ("b", "accuracy"): 1}}
    experts["2/answers/0"] = {("a", "accuracy"): 3, ("b", "accuracy"): 1, ("c", "accuracy"): 1}
    (found,) = agreement(ours, experts, HOW)
    assert found.n == 4
    assert found.counts == {"exact": 0.5, "within one": 0.75}
    # Pairs (1,2) (1,1) (3,3) (4,1): squared gaps 0 + 0 + 1 + 9 against 4x4 gaps by chance.
    left, right = (1, 1, 3, 4), (2, 1, 3, 1)
    chance = sum((a - b) ** 2 for a in left for b in right) / 4
    assert found.value is not None and found.value.value == pytest.approx(1 - 10 / chance)
    (full,) = agreement(ours, judgements(ours), HOW)
    assert full.value is not None and full.value.value == pytest.approx(1)


def test_kappa_of_constant_scores_is_not_defined() -> None:
    same = scored([(4, 4)] * 5)
    (found,) = agreement(same, judgements(same), HOW)
    assert found.value is None
    assert found.as_json()["figure"] is None


def test_the_same_seed_gives_the_same_report() -> None:
    records = scored([(1, 2), (3, 4), (4, 4), (2, 1)])
    facts = {"dropped": {}, "rejected": 0}
    one = judge_report(records, compared([("a", "tie")]), None, HOW, facts)
    assert one == judge_report(records, compared([("a", "tie")]), None, HOW, facts)
    assert (one["judged"], one["compared"], one["agreement"]) == (4, 1, [])
    assert judge_report([], [], None, HOW, facts)["scores"] == []
