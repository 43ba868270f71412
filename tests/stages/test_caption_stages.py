"""Stages of captions: asked again with the reason, rejected, flagged; any language."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import ConfigError
from pipeline.llm.types import Outcome, Reply, Request
from pipeline.stages.base import Reject
from pipeline.stages.caption import Caption, CaptionParams
from pipeline.stages.translate import Translate, TranslateParams
from pipeline.stages.verify_translation import VerifyTranslation, VerifyTranslationParams
from tests.stages.test_instruct_stages import process

FINDINGS = "Small left pleural effusion, unchanged. No pneumothorax. Heart size is normal."
STUDY = {
    "id": "s1",
    "study_id": "s1",
    "subject_id": "p1",
    "sections": {"findings": FINDINGS, "impression": "Stable left effusion."},
    "reading": FINDINGS,
}
GOOD = "There is a small left pleural effusion. No pneumothorax. The heart size is normal."
CAPTIONED = {"id": "s1", "study_id": "s1", "caption": GOOD, "flags": [], "by": "gpt"}
CHINESE = "左侧少量胸腔积液。未见气胸。心影大小正常。"


def said(text: str, field: str = "caption") -> Reply:
    return Reply(Outcome.OK, json.dumps({field: text}), model="gpt")


def translated(text: str) -> Reply:
    return said(text, "translation")


def test_a_caption_by_a_model_and_by_the_rules() -> None:
    stage = Caption(CaptionParams())
    (made,) = process(stage, STUDY, said(GOOD))
    assert (made["caption"], made["by"], made["flags"]) == (GOOD, "gpt", [])
    assert made["report"] == f"{FINDINGS} Stable left effusion."
    (made,) = process(stage, STUDY)
    assert made["by"] == "rules"
    assert made["caption"] == (
        "Small left pleural effusion. No pneumothorax. Heart size is normal."
    )


def test_a_wrong_caption_is_asked_for_once_more_with_what_is_wrong() -> None:
    asked: list[Request] = []
    stage = Caption(CaptionParams())
    replies = [said(GOOD.replace("left", "right")), said(GOOD)]

    async def ask(request: Request) -> Reply:
        asked.append(request)
        return replies.pop(0)

    (made,) = asyncio.run(stage.process(dict(STUDY), ask))  # type: ignore[misc]
    assert made["caption"] == GOOD
    first, second = asked
    assert first.key() != second.key()
    wrong = "left, right or both sides do not agree (pleural effusion)"
    assert wrong in str(second.messages[-1].content)
    assert second.messages[-2].role == "assistant"


@pytest.mark.parametrize(
    ("replies", "reason", "attempts"),
    [
        ([said(GOOD.replace("left", "right"))] * 2, "side", 2),
        ([said(f"{GOOD} There is a rib fracture.")] * 2, "finding", 2),
        ([said("")] * 2, "empty", 2),
        ([said("左侧少量胸腔积液。")] * 2, "wrong_language", 2),
        ([Reply(Outcome.REFUSAL, "", model="gpt")] * 2, "empty", 2),
        ([Reply(Outcome.LENGTH, '{"caption": "There is a small left', "length")] * 2,
         "truncated", 2),
        ([Reply(Outcome.CONTENT_FILTER, "", detail="violence")], "content_filter", 1),
    ],
)  # fmt: skip
def test_captions_that_stay_wrong_are_rejects(
    replies: list[Reply], reason: str, attempts: int
) -> None:
    made = process(Caption(CaptionParams()), STUDY, *replies)
    assert isinstance(made, Reject)
    assert (made.reason, made.attempts) == (reason, attempts)
    assert "Small" not in made.detail


def test_a_report_of_which_nothing_is_left_is_rejected_as_empty() -> None:
    blank = {**STUDY, "sections": {"findings": "Compared to ___."}, "reading": "Compared to ___."}
    made = process(Caption(CaptionParams()), blank)
    assert isinstance(made, Reject)
    assert (made.reason, made.attempts) == ("empty", 1)


def test_omissions_are_flagged_or_rejected() -> None:
    short = "No pneumothorax. The heart size is normal."
    (made,) = process(Caption(CaptionParams()), STUDY, said(short))
    flag = {"kind": "omitted", "finding": "pleural effusion", "span": [0, 0], "of": "caption"}
    assert made["flags"] == [flag]
    made = process(Caption(CaptionParams(reject_omissions=True)), STUDY, said(short), said(short))
    assert isinstance(made, Reject)
    assert made.reason == "omitted"


def test_a_translation_carries_what_was_checked() -> None:
    stage = Translate(TranslateParams())
    (made,) = process(stage, CAPTIONED, translated(CHINESE))
    assert made["translation"] == CHINESE
    assert (made["caption"], made["caption_by"], made["by"]) == (GOOD, "gpt", "gpt")
    assert made["language"] == "Chinese"
    assert made["checks"][-5:] == ["script", "sides", "negation", "findings", "glossary"]
    (made,) = process(stage, CAPTIONED)
    assert (made["translation"], made["by"]) == (CHINESE, "rules")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CHINESE.replace("左", "右"), "side"),
        (CHINESE.replace("未见", "可见"), "negation"),
        (GOOD, "wrong_language"),
        (CHINESE.replace("气胸", "pneumothorax"), "untranslated"),
        (CHINESE + "左肺约3 mm结节。", "number"),
        ("抱歉，我无法翻译。", "refusal"),
        ("", "empty"),
    ],
)
def test_a_translation_that_stays_wrong_is_a_reject(text: str, reason: str) -> None:
    stage = Translate(TranslateParams())
    made = process(stage, CAPTIONED, translated(text), translated(text))
    assert isinstance(made, Reject)
    assert (made.reason, made.attempts) == (reason, 2)
    (better,) = process(stage, CAPTIONED, translated(text), translated(CHINESE))
    assert better["translation"] == CHINESE


def test_any_other_language_is_checked_as_far_as_it_can_be() -> None:
    german = "Kleiner Pleuraerguss links. Kein Pneumothorax. Das Herz ist nicht vergrößert."
    stage = Translate(TranslateParams(language="German"))
    (made,) = process(stage, CAPTIONED, translated(german))
    assert made["checks"] == ["form", "language", "untranslated", "numbers", "length"]
    made = process(stage, CAPTIONED)  # there are no rules to write German with
    assert isinstance(made, Reject)
    assert made.reason == "empty"


def test_the_prompt_holds_the_terms_of_the_caption_and_the_script() -> None:
    seen: list[Any] = []
    stage = Translate(TranslateParams(script="traditional"))

    async def ask(request: Request) -> Reply:
        seen.append(request)
        return translated("左側少量胸腔積液。未見氣胸。心影大小正常。")

    (made,) = asyncio.run(stage.process(dict(CAPTIONED), ask))  # type: ignore[misc]
    assert made["translation"].startswith("左側")
    prompt = str(seen[0].messages[0].content)
    assert "traditional Chinese" in prompt
    assert "pleural effusion: 胸腔积液" in prompt
    assert "fracture" not in prompt


def test_parameters_that_do_not_fit_are_refused(tmp_path: Any) -> None:
    with pytest.raises(ValidationError):
        TranslateParams(language=" ")
    with pytest.raises(ConfigError, match="cannot be read"):
        Translate(TranslateParams(glossary=str(tmp_path / "none.csv")))


def test_a_second_opinion_by_translating_back_or_once_more() -> None:
    record = {**CAPTIONED, "translation": CHINESE, "language": "Chinese"}
    stage = VerifyTranslation(VerifyTranslationParams(least_agreement=0.9))
    (made,) = process(stage, record, translated(GOOD))
    assert made["second_opinion"]["agreement"] == 1.0
    (made,) = process(stage, record)
    assert made["second_opinion"]["by"] == "rules"
    assert made["second_opinion"]["agreement"] == 1.0
    other = GOOD.replace("left", "right").replace("No pneumothorax", "Small pneumothorax")
    made = process(stage, record, translated(other))
    assert isinstance(made, Reject)
    assert made.reason == "disagreement"
    again = VerifyTranslation(VerifyTranslationParams(by="second"))
    (made,) = process(again, record, translated(CHINESE.replace("气胸", "骨折")))
    opinion = made["second_opinion"]
    assert opinion["differ"] == ["pneumothorax", "fracture"]
    assert 0 < opinion["agreement"] < 1
