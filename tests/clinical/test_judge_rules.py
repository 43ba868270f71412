"""The rules as a judge: cruder than a reader, but never the wrong way round."""

from __future__ import annotations

import pytest

from pipeline.clinical.judge_reply import CRITERIA, OVERALL
from pipeline.clinical.judge_rules import compare_answers, judge_answer

REPORT = (
    "FINDINGS: There is a small left pleural effusion. No pneumothorax. The heart is enlarged.\n"
    "IMPRESSION: Small left pleural effusion. Cardiomegaly."
)
ASKED = "What does the report say about the pleura?"
RIGHT = "There is a small left pleural effusion, and there is no pneumothorax."


def test_a_right_short_answer_is_best_in_everything() -> None:
    assert judge_answer(ASKED, REPORT, RIGHT) == dict.fromkeys(CRITERIA, 4)


@pytest.mark.parametrize(
    ("answer", "criterion", "score"),
    [
        ("There is a small right pleural effusion.", "accuracy", 1),
        ("There is a pneumothorax.", "accuracy", 1),
        ("There is no pleural effusion.", "accuracy", 1),
        ("There is a small left pleural effusion and a rib fracture.", "accuracy", 3),
        (f"{RIGHT} {RIGHT} {RIGHT}", "conciseness", 2),
        ("The heart is enlarged. The heart is not enlarged.", "consistency", 1),
        ("左侧少量胸腔积液。", "consistency", 2),
        ("PA and AP CXR: LLL and RLL, CHF and COPD.", "understandability", 3),
        (f"{RIGHT[:-1]}{', and the heart is enlarged' * 4}.", "understandability", 2),
    ],
)  # fmt: skip
def test_what_is_wrong_costs_points(answer: str, criterion: str, score: int) -> None:
    found = judge_answer(ASKED, REPORT, answer)
    assert found[criterion] == score


def test_two_sides_are_no_contradiction() -> None:
    answer = "There is a left pleural effusion. There is a right pleural effusion. No pneumothorax."
    assert judge_answer(ASKED, REPORT, answer)["consistency"] == 4


def test_without_a_report_the_expected_answer_stands_in() -> None:
    assert judge_answer(ASKED, "", "There is a pneumothorax.", RIGHT)["accuracy"] == 1
    assert judge_answer(ASKED, "", RIGHT, RIGHT)["accuracy"] == 4


def test_where_the_rules_cannot_tell_they_do_not_pretend() -> None:
    assert judge_answer(ASKED, "", RIGHT)["accuracy"] is None
    assert judge_answer("소견은?", REPORT, "왼쪽에 소량의 흉수가 있습니다.")["accuracy"] is None
    assert compare_answers(ASKED, "", [RIGHT, RIGHT])["accuracy"] is None


def test_comparing_does_not_depend_on_the_order() -> None:
    wrong = "There is a pneumothorax."
    swap = {"1": "2", "2": "1", "tie": "tie"}
    for first, second in ((RIGHT, wrong), (RIGHT, RIGHT), (f"{RIGHT} {RIGHT}", RIGHT)):
        one = compare_answers(ASKED, REPORT, [first, second])
        other = compare_answers(ASKED, REPORT, [second, first])
        assert {name: swap[str(v)] for name, v in one.items()} == other
    assert compare_answers(ASKED, REPORT, [RIGHT, wrong])[OVERALL] == "1"
