from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.grounding import check_grounding


class Pair(NamedTuple):
    report: str
    kind: str
    question: str
    right: str
    wrong: str


def pairs() -> list[Pair]:
    """100 questions, each with a right answer and one that is wrong in one thing."""
    found: list[Pair] = []
    report = ""
    path = Path(__file__).with_name("grounding_pairs.psv")
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("R: "):
            report = line[3:]
        elif not line.startswith("#"):
            found.append(Pair(report, *line.split("|")))
    return found


def test_of_the_wrong_nine_in_ten_are_caught_and_of_the_right_hardly_any_rejected() -> None:
    found = pairs()
    assert len(found) == 100
    caught = rejected = flagged = false = 0
    for pair in found:
        wrong = check_grounding(pair.wrong, pair.report, pair.question)
        right = check_grounding(pair.right, pair.report, pair.question)
        caught += bool(wrong.contradictions or wrong.unsupported)
        rejected += bool(wrong.contradictions)
        false += bool(right.contradictions)
        flagged += bool(right.unsupported)
    assert caught >= 90
    assert false <= 3
    assert flagged <= 5
    contradicting = sum(pair.kind != "finding" for pair in found)
    assert rejected >= 0.9 * contradicting


REPORT = (
    "FINDINGS: The small left pleural effusion has decreased. No pneumothorax. Right lower lobe "
    "opacity, possibly pneumonia. Heart size is normal.\nIMPRESSION: Small left effusion."
)


@pytest.mark.parametrize(
    ("answer", "question", "kind"),
    [
        ("There is fluid around the right lung.", "", "side"),
        ("Yes.", "Is there a pneumothorax?", "negation"),
        ("No.", "Is there a left pleural effusion?", "negation"),
        ("The effusion has increased.", "", "change"),
        ("There is an opacity in the right upper lobe.", "", "place"),
        ("The lungs are clear.", "", "negation"),
        ("Your heart is bigger than normal.", "", "negation"),
        ("The report does not mention an effusion.", "", "negation"),
        ("The chest is normal.", "", "negation"),
        ("右侧胸腔积液。", "", "side"),
        ("有气胸。", "", "negation"),
    ],
)
def test_contradictions(answer: str, question: str, kind: str) -> None:
    found = check_grounding(answer, REPORT, question)
    assert [issue.kind for issue in found.contradictions][:1] == [kind]
    assert not found.is_grounded


@pytest.mark.parametrize(
    ("answer", "question"),
    [
        ("There is a small amount of fluid around the left lung.", ""),
        ("No.", "Is there a right pleural effusion?"),
        ("No.", "Is there a large effusion?"),
        ("No.", "Has the effusion increased?"),
        ("Yes.", "Is the heart normal in size?"),
        ("A pneumothorax means that air is outside of the lung.", ""),
        ("If a pneumothorax develops, a new image is needed.", ""),
        ("The report does not mention a fracture.", ""),
        ("The report does not say.", "Is there a fracture?"),
        (
            "The report says: “Small left pleural effusion” “No pneumothorax.” “Heart is normal.”",
            "",
        ),
        ("左侧少量胸腔积液，无气胸。", ""),
        ("", ""),
    ],
)
def test_what_keeps_to_the_report(answer: str, question: str) -> None:
    found = check_grounding(answer, REPORT, question)
    assert found.is_grounded
    assert not found.unsupported


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ("There is a fracture of a rib.", "finding", "fracture"),
        ("There is no hiatal hernia.", "denial", "hiatal hernia"),
        ("There is pneumonia.", "certainty", "pneumonia"),
        ("The left effusion is large.", "degree", "effusion"),
        ("On the left, there is a broken rib.", "finding", "broken rib"),
    ],
)
def test_additions_are_flagged_with_their_place(answer: str, kind: str, words: str) -> None:
    found = check_grounding(answer, REPORT)
    assert found.is_grounded
    (issue,) = found.unsupported
    assert (issue.kind, answer[slice(*issue.span)]) == (kind, words)
    assert issue.as_json() == {
        "kind": kind,
        "finding": issue.finding,
        "span": list(issue.span),
    }


def test_a_language_the_rules_cannot_read_is_said_not_to_be_checked() -> None:
    found = check_grounding("왼쪽에 흉수가 있습니다.", REPORT)
    assert not found.checked
    assert found.is_grounded


@settings(max_examples=60)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=40))
def test_any_text_is_judged_and_spans_lie_in_it(answer: str, report: str, question: str) -> None:
    found = check_grounding(answer, report, question)
    for issue in (*found.contradictions, *found.unsupported):
        assert 0 <= issue.span[0] <= issue.span[1] <= len(answer)


def test_a_report_never_contradicts_itself() -> None:
    for pair in pairs():
        assert check_grounding(pair.report, pair.report).is_grounded, pair.report
