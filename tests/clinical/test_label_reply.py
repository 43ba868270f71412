"""Label answers: what is read, what is refused, what they rest on."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.label_reply import parse_labels_reply
from pipeline.clinical.label_rules import answer_labels, rule_labels
from pipeline.clinical.labels import label_report

REPORT = "Mild cardiomegaly. Possible pneumonia at the left base. No pneumothorax."


def reply(*entries: tuple[str, str, str]) -> str:
    keys = ("label", "status", "evidence")
    return json.dumps({"labels": [dict(zip(keys, entry, strict=True)) for entry in entries]})


GOOD = reply(
    ("Pneumonia", "uncertain", "Possible pneumonia at the left base."),
    ("cardiomegaly", "present", "mild cardiomegaly"),
    ("Pneumothorax", "absent", "No pneumothorax"),
)


def test_an_answer_becomes_labels_in_the_order_of_the_classes() -> None:
    found = parse_labels_reply(GOOD, "stop", REPORT)
    assert found.status == "ok" and found.labels is not None
    assert found.labels.as_json() == {
        "labels": ["Cardiomegaly"],
        "uncertain": ["Pneumonia"],
        "negated": ["Pneumothorax"],
        "evidence": {
            "Cardiomegaly": "Mild cardiomegaly.",
            "Pneumonia": "Possible pneumonia at the left base.",
            "Pneumothorax": "No pneumothorax.",
        },
        "unsupported": [],
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (reply(("Sadness", "present", "")), "unknown_label"),
        (reply(("Edema", "present", ""), ("Airways", "absent", "")), "unknown_label"),
        (reply(("Normal", "present", ""), ("Edema", "present", "")), "contradiction"),
        ('{"labels": []}', "no_label"),
        (reply(("Normal", "absent", "")), "no_label"),
        ('{"labels": [{"label": "Edema", "status": "perhaps"}]}', "wrong_shape"),
        ('{"labels": [3]}', "wrong_shape"),
        ('{"labels": "Edema"}', "no_json"),
        ("Edema", "no_json"),
        ("", "empty"),
        ("I'm sorry, I cannot help with that.", "refusal"),
        (f"{reply(('Edema', 'present', ''))}\n{GOOD}", "ambiguous"),
        (GOOD[:-20], "no_json"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(text: str, reason: str) -> None:
    found = parse_labels_reply(text, "stop", REPORT)
    assert (found.status, found.labels, found.reason) == ("none", None, reason)


def test_no_label_of_a_reply_reaches_a_message() -> None:
    found = parse_labels_reply(reply(("Sadness", "present", "")))
    assert "Sadness" not in found.detail


@pytest.mark.parametrize("ending", ["length", "content_filter"])
def test_an_answer_that_did_not_end_is_refused(ending: str) -> None:
    assert parse_labels_reply(GOOD, ending, REPORT).reason == ending


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"<think>{{}} hm</think>{GOOD}",
        f'{{"answer": {GOOD}}}',
        f"{GOOD}\n{GOOD}",
        GOOD.replace('"', "'"),
        GOOD[:-1] + ",}",
    ],
)
def test_wrapped_and_sloppy_answers_are_read(text: str) -> None:
    found = parse_labels_reply(text, "stop", REPORT)
    assert found.labels == parse_labels_reply(GOOD, "stop", REPORT).labels


def test_stated_beats_doubted_beats_denied() -> None:
    text = reply(("Edema", "absent", ""), ("Edema", "uncertain", ""), ("Edema", "present", ""))
    found = parse_labels_reply(text)
    assert found.labels is not None and found.labels.states == {"Edema": "present"}


def test_evidence_that_the_report_does_not_hold_is_listed() -> None:
    text = reply(("Cardiomegaly", "present", "The heart is huge."))
    found = parse_labels_reply(text, "stop", REPORT)
    assert found.labels is not None
    assert found.labels.unsupported == ("Cardiomegaly",) and not found.labels.evidence


def test_doubt_alone_is_normal_and_uncertain() -> None:
    found = parse_labels_reply(reply(("Edema", "uncertain", "")))
    assert found.labels is not None and found.labels.as_json()["labels"] == ["Normal"]


@given(st.text(max_size=200))
def test_any_text_gives_a_result(text: str) -> None:
    found = parse_labels_reply(text, "stop", text)
    assert (found.labels is None) == (found.status == "none")


@pytest.mark.parametrize(
    "text",
    [
        REPORT,
        "Lungs are clear.",
        "Borderline heart size. The tube has been removed. Small left effusion, likely new.",
    ],
)
def test_the_rules_answer_in_the_same_shape(text: str) -> None:
    found = parse_labels_reply(json.dumps(answer_labels(text)), "stop", text)
    assert found.labels == rule_labels(text)
    assert tuple(found.labels.as_json()["labels"]) == label_report(text).labels
    assert not found.labels.unsupported
