"""What rules say in a conversation."""

from __future__ import annotations

import pytest

from pipeline.clinical.talk_rules import answer_by_rules, impression_by_rules

REPORT = (
    "FINDINGS: There is mild cardiomegaly. Small left pleural effusion. No pneumothorax. Possible "
    "pneumonia at the right base. The left lung is clear."
)
CHINESE = "心影轻度增大。右侧少量胸腔积液，未见气胸。"


def test_a_report_is_read_to_findings_and_labels() -> None:
    assert answer_by_rules(REPORT).splitlines() == [
        "Read by rules; no model was asked.",
        "Present: cardiomegaly (mild); pleural effusion (left, small).",
        "Uncertain: pneumonia (right base).",
        "Absent: pneumothorax.",
        "Clear: left lung.",
        "Labels: Cardiomegaly, Pleural Effusion; uncertain: Pneumonia; negated: Pneumothorax.",
    ]


def test_a_chinese_report_is_answered_in_chinese() -> None:
    lines = answer_by_rules(CHINESE).splitlines()
    assert lines[0] == "由规则读取，未询问任何模型。"
    assert "胸腔积液（右侧、少量）" in lines[1]
    assert lines[2] == "否认：气胸。"


@pytest.mark.parametrize(
    ("question", "earlier", "said"),
    [
        ("Is there a pneumothorax?", (REPORT, "thank you"), "“No pneumothorax.”"),
        ("Any rib fracture?", (REPORT,), "The text says nothing of"),
        ("有没有气胸？", (CHINESE,), "未见气胸"),
        ("Is the heart large? Mild cardiomegaly.", (), "“Mild cardiomegaly.”"),
    ],
)
def test_a_question_is_answered_with_the_words_of_the_report(
    question: str, earlier: tuple[str, ...], said: str
) -> None:
    assert said in answer_by_rules(question, earlier)


@pytest.mark.parametrize(
    "text", ["Hello.", "What is a pneumothorax?", "Who are you?", "", "你好", "肺炎是什么？"]
)
def test_what_rules_cannot_answer_is_said(text: str) -> None:
    """A question without a report is no finding: the word in it says nothing of an image."""
    answer = answer_by_rules(text)
    assert "no model" in answer or "没有模型" in answer
    assert "Present" not in answer
    assert "存在" not in answer


def test_images_are_not_looked_at() -> None:
    assert "The image was not looked at" in answer_by_rules("What is seen?", images=True)


@pytest.mark.parametrize(
    ("text", "impression"),
    [
        (
            REPORT,
            "Mild cardiomegaly. Small left pleural effusion. Possible pneumonia in the right base.",
        ),
        ("右侧少量胸腔积液。未见气胸。", "右侧少量胸腔积液。"),
        ("双肺纹理清晰。", "未见明显异常。"),
        ("The lungs are clear.", "No abnormality."),
    ],
)
def test_an_impression_says_what_is_there(text: str, impression: str) -> None:
    assert impression_by_rules(text) == impression
