"""What judges answer, and what must not be taken for a verdict."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.judge_reply import CRITERIA, OVERALL, SCALE, read_scores, read_verdicts

FINE = dict(zip(CRITERIA, (4, 3, 2, 1), strict=True))
VERDICTS = {**dict.fromkeys(CRITERIA, "1"), OVERALL: "tie"}


@given(st.fixed_dictionaries({name: st.sampled_from(SCALE) for name in CRITERIA}))
def test_plain_json_is_read(scores: dict[str, int]) -> None:
    read = read_scores(json.dumps(scores), CRITERIA)
    assert (read.status, read.values) == ("ok", scores)


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{json.dumps(FINE)}\n```",
        f"<think>accuracy: 1? no.</think>{json.dumps(FINE)}",
        json.dumps({"scores": FINE, "reason": "short"}),
        json.dumps({name: {"score": score, "why": "so"} for name, score in FINE.items()}),
        json.dumps({name.upper(): f"{score}/4" for name, score in FINE.items()}),
        json.dumps({name: float(score) for name, score in FINE.items()}),
        f"{json.dumps(FINE)}\nIn short: {json.dumps(FINE)}",
        "{accuracy: 4, conciseness: 3, understandability: 2, consistency: 1,}",
        "Accuracy: 4\nConciseness: 3\nUnderstandability: 2\nConsistency: 1",
        "- **Accuracy**: 4/4\n- **Conciseness**: 3\n- **Understandability** = 2\n- Consistency: 1.",
    ],
)
def test_what_judges_wrap_around_it_does_not_matter(text: str) -> None:
    assert read_scores(text, CRITERIA).values == FINE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("A good answer, I would say.", "no_json"),
        ("I'm sorry, but I cannot assist with that.", "refusal"),
        (json.dumps({**FINE, "accuracy": 5}), "off_scale"),
        (json.dumps({**FINE, "accuracy": 0}), "off_scale"),
        (json.dumps({**FINE, "accuracy": 3.5}), "off_scale"),
        (json.dumps({**FINE, "accuracy": True}), "off_scale"),
        (json.dumps({**FINE, "accuracy": "good"}), "off_scale"),
        (json.dumps({**FINE, "accuracy": None}), "off_scale"),
        (json.dumps({k: v for k, v in FINE.items() if k != "accuracy"}), "missing_criterion"),
        (f"{json.dumps(FINE)} or rather {json.dumps({**FINE, 'accuracy': 1})}", "ambiguous"),
        ("Accuracy: 4 at first, then accuracy: 2", "no_json"),
        ('{"accuracy": 4, "conciseness": 3, "understandab', "missing_criterion"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, reason: str) -> None:
    read = read_scores(text, CRITERIA)
    assert (read.status, read.reason, read.values) == ("none", reason, {})
    assert "answer, I would" not in read.detail


def test_a_cut_reply_is_not_read_even_if_it_looks_whole() -> None:
    assert read_scores(json.dumps(FINE), CRITERIA, "length").reason == "length"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("1", "1"), (2, "2"), ("Answer 2", "2"), ("answer1", "1"), ("tie", "tie"), ("Equal", "tie"),
        ("2 is better", "2"), ("both", "tie"),
    ],
)  # fmt: skip
def test_verdicts_are_read_in_their_usual_words(said: str | int, meant: str) -> None:
    text = json.dumps({**VERDICTS, "accuracy": said})
    assert read_verdicts(text, (*CRITERIA, OVERALL)).values["accuracy"] == meant


@pytest.mark.parametrize("said", ["3", "neither of them, really", "", None, True, ["1"], "12"])
def test_other_verdicts_are_not(said: object) -> None:
    text = json.dumps({**VERDICTS, "accuracy": said})
    read = read_verdicts(text, (*CRITERIA, OVERALL))
    assert (read.status, read.reason, read.detail) == ("none", "off_scale", "accuracy")


@given(st.text(max_size=300))
def test_any_text_gives_a_result(text: str) -> None:
    for read in (read_scores(text, CRITERIA), read_verdicts(text + "{", ("accuracy",))):
        assert (read.status == "none") == (not read.values)
