from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.followup_answer import answer_by_rules
from pipeline.clinical.reply import parse_keyinfo_reply
from pipeline.clinical.standardise import standardise
from pipeline.core.errors import ConfigError
from pipeline.core.records import Record
from pipeline.exports.samples import read_sample
from pipeline.llm.backends import rules
from pipeline.llm.types import Deferred, Outcome, Reply, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import Reject
from pipeline.stages.followup import Followup, FollowupParams
from pipeline.stages.keyinfo import KeyInfo, KeyInfoParams
from pipeline.stages.keyinfo_samples import KeyInfoSampleParams, KeyInfoSamples
from pipeline.stages.postprocess import Postprocess, PostprocessParams

REPORT = (
    "There is a small left pleural effusion. Possible pneumonia in the right lower lobe. "
    "No pneumothorax. The heart is mildly enlarged."
)
ROW: Record = {"id": "1", "study_id": "1", "subject_id": "p", "split": "train", "reading": REPORT}


class Model:
    """Answers with the next of some texts, then with the last one; remembers what it was asked."""

    def __init__(self, *replies: Reply | str | Callable[[Request], str]) -> None:
        self.replies = list(replies)
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Reply):
            return reply
        return Reply(Outcome.OK, reply if isinstance(reply, str) else reply(request), model="m")


def by_rules(request: Request) -> str:
    return json.dumps(answer_by_rules(request.payload["text"], request.payload["name"]))


CUT = Reply(Outcome.LENGTH, '{"entity": {"edema": {"location": "le', "length", model="m")


async def keyinfo(model: Model, **params: Any) -> Any:
    return await KeyInfo(KeyInfoParams(**params)).process(ROW, model.ask)


async def test_a_cut_reply_is_asked_for_with_twice_the_limit() -> None:
    model = Model(CUT, CUT, '{"entity": {"edema": null}}')
    (record,) = await keyinfo(model)
    assert record["keyinfo"] == {"entity": {"edema": None}} and record["by"] == "model"
    assert [one.params["max_tokens"] for one in model.asked] == [1024, 2048, 4096]
    assert {one.sample for one in model.asked} == {0}


async def test_the_largest_limit_ends_it() -> None:
    model = Model(CUT)
    result = await keyinfo(model, most_tokens=1500, attempts=9)
    assert isinstance(result, Reject) and result.reason == "length" and result.attempts == 2
    assert [one.params["max_tokens"] for one in model.asked] == [1024, 1500]


async def test_an_unreadable_reply_is_asked_for_as_another_sample() -> None:
    model = Model("no idea", "still none", "sorry?")
    result = await keyinfo(model)
    assert isinstance(result, Reject) and result.reason == "unreadable_reply"
    assert [one.sample for one in model.asked] == [0, 1, 2]


async def test_the_schema_is_sent_unless_it_is_not_wanted() -> None:
    model = Model('{"entity": {}}')
    await keyinfo(model)
    await keyinfo(model, structured=False)
    assert [one.schema is None for one in model.asked] == [False, True]


@pytest.mark.parametrize(
    "reply",
    [
        '{"entity": {"' + "x" * 1_000_000 + '": null}}',
        '{"entity": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
        '{"entity": {"__proto__": {"location": "left"}, "constructor": null}}',
        '{"entity": {"' + "y" * 4_000 + '": null, "edema": null}}',
        '{"entity": {"\\ud800": null}}',
    ],
    ids=["megabyte", "deep", "proto", "long name", "surrogate"],
)
async def test_hostile_replies_become_a_record_or_a_reject(reply: str) -> None:
    result = await keyinfo(Model(reply))
    if isinstance(result, Reject):
        assert result.reason in ("unreadable_reply", "length")
        return
    (record,) = result
    followed = await Followup(FollowupParams()).process(record, Model(by_rules).ask)
    assert not isinstance(followed, Reject)
    (made,) = await Postprocess(PostprocessParams()).process(followed[0], Model("").ask)  # type: ignore[misc]
    json.dumps(made).encode()


async def follow(keyinfo: Any, model: Model, row: Record | None = None, **params: Any) -> Record:
    record = {**ROW, "keyinfo": keyinfo, "by": "model", **(row or {})}
    result = await Followup(FollowupParams(**params)).process(record, model.ask)
    assert not isinstance(result, Reject)
    (made,) = result
    return made


async def test_what_the_model_overlooked_is_asked_for_and_merged() -> None:
    model = Model(by_rules)
    made = await follow({"entity": {"effusion": None, "pneumonia": None}}, model)
    found = standardise(made["keyinfo"]).record
    rules_say = standardise(extract_keyinfo(REPORT)).record
    assert found["entity"]["cardiomegaly"] == rules_say["entity"]["cardiomegaly"]
    assert found["entity"]["effusion"] == rules_say["entity"]["pleural effusion"]
    assert set(found["uncertain_entity"]) == {"pneumonia"}
    assert found["no_entity"] == ["pneumothorax"]
    first = made["followup"]["rounds"][0]
    assert first["asked"] == first["answered"] == first["changed"] == 4
    assert first["gained"] > 4 and made["followup"]["left"] <= 1
    assert {one["kind"] for one in made["followup"]["answers"]} == {
        "missing",
        "negation",
        "status",
        "attribute",
    }
    assert all(one["quote"] in REPORT for one in made["followup"]["answers"])
    shown = str(model.asked[0].messages[-1].content)
    assert REPORT in shown and "pleural" not in shown.rpartition("Question:")[2]


async def test_a_complete_record_costs_nothing() -> None:
    model = Model(by_rules)
    made = await follow(extract_keyinfo(REPORT), model)
    assert model.asked == []
    assert made["followup"] == {"rounds": [], "answers": [], "left": 0}


async def test_what_the_rules_read_themselves_passes_untouched() -> None:
    record = {**ROW, "keyinfo": {"entity": {}}, "by": "rules"}
    model = Model(by_rules)
    assert await Followup(FollowupParams()).process(record, model.ask) == [record]
    assert model.asked == []


@pytest.mark.parametrize("keyinfo", [None, [], "none", 3, {}])
async def test_a_record_that_is_none_is_left_to_postprocess(keyinfo: Any) -> None:
    made = await follow(keyinfo, Model("no"))
    assert made["keyinfo"] == keyinfo


async def test_rounds_are_bounded_and_end_where_nothing_changes() -> None:
    lazy = Model("I do not know.")
    made = await follow({"entity": {}}, lazy, rounds=9, attempts=1)
    assert len(made["followup"]["rounds"]) == 1
    assert made["followup"]["rounds"][0]["unreadable"] == len(lazy.asked) == 4
    assert made["followup"]["left"] == 4 and made["keyinfo"] == {"entity": {}}
    one_by_one = Model(by_rules)
    made = await follow({"entity": {}}, one_by_one, rounds=3, questions=1)
    assert [one["asked"] for one in made["followup"]["rounds"]] == [1, 1, 1]
    assert len(one_by_one.asked) == 3
    off = Model(by_rules)
    assert "followup" not in await follow({"entity": {}}, off, rounds=0)
    assert off.asked == []


async def test_an_answer_without_words_of_the_report_changes_nothing() -> None:
    invented = json.dumps({"status": "present", "findings": [], "quote": "widespread metastases"})
    made = await follow({"entity": {}}, Model(invented))
    assert made["keyinfo"] == {"entity": {}}
    assert made["followup"]["rounds"][0]["not_quoted"] == 4
    trusting = await follow({"entity": {}}, Model(invented), quoted=False)
    assert set(trusting["keyinfo"]["entity"]) >= {"pleural effusion", "cardiomegaly"}


async def test_an_invented_finding_is_taken_back() -> None:
    keyinfo = standardise(extract_keyinfo(REPORT)).record
    keyinfo["entity"]["granuloma"] = {"location": "left", "level": None, "type": None}
    made = await follow(keyinfo, Model(by_rules))
    assert "granuloma" not in made["keyinfo"]["entity"]
    assert made["followup"]["rounds"][0]["lost"] == 2
    kept = await follow(keyinfo, Model(by_rules), kinds=("missing", "negation"))
    assert "granuloma" in kept["keyinfo"]["entity"]


async def test_replies_that_come_by_batch_are_asked_for_together() -> None:
    asked: list[Request] = []

    async def later(request: Request) -> Reply:
        asked.append(request)
        raise Deferred

    record = {**ROW, "keyinfo": {"entity": {}}, "by": "model"}
    with pytest.raises(Deferred):
        await Followup(FollowupParams()).process(record, later)
    assert len(asked) == 4


async def test_the_changes_before_a_follow_up_stay_on_record() -> None:
    made = await follow({"entity": {"small effusions": None}}, Model(by_rules))
    (standard,) = await Postprocess(PostprocessParams()).process(made, Model("").ask)  # type: ignore[misc]
    assert "level_from_name" in {one["rule"] for one in standard["changes"]}


async def test_a_second_reading_grades_only_what_a_model_read() -> None:
    stage = Postprocess(PostprocessParams(second_reading=True))
    for by, expected in (("model", True), ("rules", False)):
        (made,) = await stage.process({**ROW, "keyinfo": {"entity": {}}, "by": by}, Model("").ask)  # type: ignore[misc]
        assert ("second_reading" in made) is expected


async def test_samples_are_asked_as_the_local_model_will_be() -> None:
    row = {**ROW, "keyinfo": extract_keyinfo(REPORT)}
    (record,) = await KeyInfoSamples(KeyInfoSampleParams()).process(row, Model("").ask)  # type: ignore[misc]
    sample = read_sample(record)
    (message,) = load_template("keyinfo-short").render(report=REPORT)
    assert sample.question == message.content and sample.system == ""
    assert (sample.study_id, sample.subject_id, sample.split) == ("1", "p", "train")
    parsed = parse_keyinfo_reply(sample.output)
    assert parsed.status == "ok" and parsed.value is not None
    assert standardise(parsed.value).record == standardise(extract_keyinfo(REPORT)).record


async def test_what_cannot_be_a_sample_is_rejected(tmp_path: Path) -> None:
    stage = KeyInfoSamples(KeyInfoSampleParams())
    for row in ({**ROW, "keyinfo": None}, {**ROW, "reading": "", "keyinfo": {}}):
        assert isinstance(await stage.process(row, Model("").ask), Reject)
    prompt = tmp_path / "other.md"
    prompt.write_text("---\nvariables: [report]\n---\n## user\n{{ report }}\nWhat is found?\n")
    with pytest.raises(ConfigError, match="ends with the report"):
        KeyInfoSamples(KeyInfoSampleParams(prompt=str(prompt)))


def test_the_rules_know_the_task() -> None:
    request = Request(task="followup", payload={"text": REPORT, "name": "pneumothorax"})
    assert json.loads(rules.answer(request).text)["status"] == "absent"
