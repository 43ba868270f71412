"""Rows of a table: made into samples, and answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.core.errors import DataError
from pipeline.exports.samples import read_sample
from pipeline.llm.backends import rules
from pipeline.llm.types import Outcome, Reply, Request
from pipeline.stages.base import Reject, Result
from pipeline.stages.csv_samples import CsvSampleParams, CsvSamples, clean_cell
from pipeline.stages.infer import Infer, InferParams, image_files

PREFIX, SUFFIX = "影像描述：", "诊断意见："


class Rows(list[dict[str, Any]]):
    def at(self, position: int) -> dict[str, Any]:
        return self[position]


def samples(*pairs: tuple[str | None, str | None], **params: Any) -> list[Result]:
    rows = Rows(
        {"id": str(n), "study_id": str(n), "text": text, "response": response}
        for n, (text, response) in enumerate(pairs, start=1)
    )
    return list(CsvSamples(CsvSampleParams(**params)).process(rows))


def test_a_row_becomes_a_sample() -> None:
    ((made,),) = samples(("未见气胸。", "正常。<|endoftext|>"), prefix=PREFIX, suffix=SUFFIX)
    sample = read_sample(made)
    assert sample.instruction == "影像描述：未见气胸。诊断意见："
    assert sample.output == "正常。"
    assert sample.input == ""


def test_words_that_are_there_are_not_put_twice() -> None:
    ((made,),) = samples(("胸片描述：未见气胸。诊断意见：", "正常。"), prefix=PREFIX, suffix=SUFFIX)
    assert made["instruction"] == "胸片描述：未见气胸。诊断意见："


@pytest.mark.parametrize(
    ("pair", "reason", "failed"),
    [
        (("", "b"), "no_instruction", True),
        ((None, "b"), "no_instruction", True),
        (("a", None), "no_response", True),
        (("a", " \ufeff</s> "), "no_response", True),
        (("same words", "same  words"), "response_repeats", True),
        (("first", "answer"), "duplicate", False),
        (("fir st", "answer"), "duplicate", False),
        (("first", "other answer"), "same_instruction", False),
        (("long" * 20, "b"), "too_long", True),
    ],
)
def test_what_is_no_sample(pair: tuple[str | None, str | None], reason: str, failed: bool) -> None:
    _, result = samples(("first", "answer"), pair, most_characters=50)
    assert isinstance(result, Reject)
    assert (result.reason, result.failed) == (reason, failed)


def test_cells_are_cleaned_and_not_rewritten() -> None:
    assert clean_cell(" a\r\n\x00b\u200b ") == "a\nb"
    assert clean_cell("5<6 mm") == "5<6 mm"
    assert clean_cell(7) == ""


async def infer(record: dict[str, Any], reply: Reply, **params: Any) -> tuple[Result, Request]:
    asked: list[Request] = []

    async def ask(request: Request) -> Reply:
        asked.append(request)
        return reply

    result = await Infer(InferParams(**params)).process({"id": "1", **record}, ask)
    return result, asked[0]


async def test_a_row_is_asked_in_the_words_of_the_recipe() -> None:
    reply = Reply(Outcome.OK, " 正常。\n")
    result, request = await infer(
        {"text": "未见气胸。"}, reply, prefix=PREFIX, suffix=SUFFIX, system="s", max_tokens=9
    )
    assert [m.content for m in request.messages] == ["s", "影像描述：未见气胸。诊断意见："]
    assert request.params == {"max_tokens": 9, "temperature": 0.0}
    assert result == [{"id": "1", "generated": "正常。", "cut": False}]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(Outcome.LENGTH, "half"), ("half", True)),
        (Reply(Outcome.OK, "正常。影像描述：另一段"), ("正常。", False)),
        (Reply(Outcome.OK, "影像描述：另一段"), "empty"),
        (Reply(Outcome.REFUSAL, "no"), "refusal"),
        (Reply(Outcome.CONTENT_FILTER, "", detail="violence"), "content_filter"),
        (Reply(Outcome.MALFORMED, "", detail="empty"), "malformed"),
        (Reply(Outcome.FAILED, "", detail="http_500"), "failed"),
    ],
)
async def test_what_comes_of_a_reply(reply: Reply, expected: object) -> None:
    result, _ = await infer({"text": "a"}, reply, prefix=PREFIX)
    if isinstance(result, Reject):
        assert result.reason == expected
    else:
        assert (result[0]["generated"], result[0]["cut"]) == expected


async def test_images_of_a_row_are_sent(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    record = {"text": "what?", "image_files": "a.png"}
    _, request = await infer(record, Reply(Outcome.OK, "x"), images=str(tmp_path))
    image, text = request.messages[0].content
    assert isinstance(image, dict)
    assert image["type"] == "image"
    assert text == {"type": "text", "text": "what?"}
    with pytest.raises(DataError, match="missing_image"):
        await infer({"text": "a", "image_files": "b.png"}, Reply(Outcome.OK), images=str(tmp_path))


def test_how_image_cells_are_read() -> None:
    assert image_files("a.png; b.png|c.png") == ["a.png", "b.png", "c.png"]
    assert image_files('["a;1.png", {"path": "b.png"}]') == ["a;1.png", "b.png"]
    assert image_files("  ") == image_files(None) == []


async def test_rules_answer_a_row() -> None:
    async def ask(request: Request) -> Reply:
        return rules.answer(request)

    result = await Infer(InferParams()).process({"id": "1", "text": "右侧少量胸腔积液。"}, ask)
    assert not isinstance(result, Reject)
    assert "右侧少量胸腔积液" in result[0]["generated"]
