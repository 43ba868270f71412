from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import ConfigError
from pipeline.llm.backends import rules
from pipeline.llm.types import Outcome, Reply, Request
from pipeline.run.recipe import load_recipe
from pipeline.stages.answer import Answer, AnswerParams
from pipeline.stages.base import Reject, Result, StageParams
from pipeline.stages.check_answers import CheckAnswerParams, CheckAnswers
from pipeline.stages.clean_instructions import CleanInstructions
from pipeline.stages.dedupe import Dedupe, DedupeParams
from pipeline.stages.fewshot import FewShot, FewShotParams
from pipeline.stages.instruct import Instruct, InstructParams
from pipeline.stages.tasks import TaskParams, Tasks

READING = (
    "There is a small left pleural effusion with atelectasis at the left base. No pneumothorax. "
    "The heart is moderately enlarged, which is unchanged. Follow-up is recommended."
)
NOTE = {
    "id": "s1",
    "study_id": "s1",
    "subject_id": "p1",
    "split": "train",
    "sections": {"findings": READING},
    "reading": READING,
}


class ListRows:
    def __init__(self, rows: Iterable[dict[str, Any]]) -> None:
        self.rows = list(rows)

    def __iter__(self) -> Any:
        return iter(self.rows)

    def at(self, position: int) -> dict[str, Any]:
        return self.rows[position]


def process(stage: Any, record: Mapping[str, Any], *replies: Reply) -> Any:
    """What a stage makes of a record; replies are given in turn, by rules where there are none."""
    left = list(replies)

    async def ask(request: Request) -> Reply:
        return left.pop(0) if left else rules.answer(request)

    return asyncio.run(stage.process(dict(record), ask))


def task(number: int = 0, wave: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"s{number}/tasks/0",
        "study_id": f"s{number}",
        "report": f"FINDINGS: {READING}",
        "family": "question_answering",
        "language": "English",
        "wave": wave,
        "flags": [],
        **fields,
    }


def rejected(result: Result) -> str:
    assert isinstance(result, Reject)
    return result.reason


def test_tasks_draw_families_that_fit_each_once_and_the_same_every_time() -> None:
    stage = Tasks(TaskParams(per_note=6))
    made = process(stage, NOTE)
    families = [row["family"] for row in made]
    assert len(families) == len(set(families)) == 6
    assert "abbreviation" not in families  # the report uses none
    assert process(stage, NOTE) == made
    assert all(row["wave"] in (1, 2) and row["subject_id"] == "p1" for row in made)


def test_weights_decide_and_weight_zero_leaves_out() -> None:
    weights = {"question_answering": 9.0, "localisation": 1.0, "comparison": 0.0}
    stage = Tasks(TaskParams(families=weights, per_note=1))
    drawn = [process(stage, {**NOTE, "id": str(i)})[0]["family"] for i in range(300)]
    assert 240 <= drawn.count("question_answering") <= 290
    assert "comparison" not in drawn


def test_notes_that_serve_nothing_or_are_too_long() -> None:
    stage = Tasks(TaskParams(families={"recommendation": 1.0}))
    bare = {**NOTE, "sections": {"findings": "Tubes."}, "reading": "Tubes."}
    assert rejected(process(stage, bare)) == "no_family"
    long = {**NOTE, "sections": {"findings": "Clear. " * 20_000, "impression": READING}}
    assert rejected(process(Tasks(TaskParams()), long)) == "too_long"
    (made, *_) = process(Tasks(TaskParams(long_notes="sections")), long)
    assert made["flags"] == ["sectioned"]
    assert made["report"].startswith("IMPRESSION: ")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("tasks.families", "{riddles: 1}", "riddles"),
        ("tasks.families", "{question_answering: 0}", "sum to zero"),
        ("tasks.families", "{question_answering: -1}", "must be 0 or more"),
        ("tasks.families", "{}", "sum to zero"),
        ("tasks.language", "''", "language"),
        ("tasks.long_notes", "guess", "long_notes"),
        ("instruct-1.prompt", "answers", "variables"),
        ("instruct-1.prompt", "nowhere.md", "nowhere.md"),
        ("answer.prompt", "keyinfo", "variables"),
        ("dedupe-1.threshold", "1.5", "threshold"),
    ],
)
def test_what_cannot_work_is_said_before_anything_is_done(
    key: str, value: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        load_recipe("radiology-gpt", source={"path": "data"}, sets=[f"stages.{key}={value}"])


def test_a_template_with_an_unknown_variable(tmp_path: Path) -> None:
    path = tmp_path / "mine.md"
    path.write_text("---\nvariables: [report, mood]\n---\n## user\n{{ report }} {{ mood }}\n")
    with pytest.raises(ConfigError, match="mood"):
        InstructParams(prompt=str(path))


def test_a_family_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "teaching.yaml"
    facts = {
        "weight": 1,
        "needs": ["finding"],
        "max_words": 20,
        "instruction": "Ask an examination question.",
        "answer": "Answer it.",
        "seeds": {"en": ["Which sign is described?"]},
    }
    path.write_text(yaml.safe_dump(facts))
    params = TaskParams(families={str(path): 1.0})
    assert params.files() == (str(path),)
    (row,) = process(Tasks(params), NOTE)
    (row,) = process(Instruct(InstructParams()), {**row, "wave": 1, "examples": []})
    (row,) = process(CleanInstructions(StageParams()), row)
    (row,) = process(CheckAnswers(CheckAnswerParams()), process(Answer(AnswerParams()), row)[0])
    assert row["family"] == "teaching"
    path.write_text("needs: [magic]")
    with pytest.raises(ConfigError, match="family"):
        TaskParams(families={str(tmp_path / "teaching.yaml") + "x": 1.0})


def test_examples_come_from_seeds_then_from_accepted_instructions_in_any_order() -> None:
    accepted = [task(n, instruction=f"Accepted number {n}?") for n in range(50)]
    waiting = [task(n, wave=2) for n in range(50, 60)]
    stage = FewShot(FewShotParams(wave=2, pool=10))
    made = [row for (row,) in stage.process(ListRows([*accepted, *waiting]))]
    assert [row for row in made if "instruction" in row] == accepted
    examples = {row["id"]: row["examples"] for row in made if "examples" in row}
    assert len(examples) == 10
    assert all(len(set(found)) == len(found) == 5 for found in examples.values())
    used = {text for found in examples.values() for text in found if "Accepted" in text}
    assert 2 <= len(used) <= 10
    turned = stage.process(ListRows([*waiting[::-1], *accepted[::-1]]))
    assert {r["id"]: r["examples"] for (r,) in turned if "examples" in r} == examples
    first = FewShot(FewShotParams(wave=1)).process(ListRows([*accepted, task(99)]))
    assert all("Accepted" not in str(row.get("examples")) for (row,) in first)


def test_seeds_are_of_the_language_where_there_are_some() -> None:
    for language, letters in (("Korean", "가힣"), ("Chinese", "一鿿"), ("Finnish", "az")):
        ((row,),) = FewShot(FewShotParams()).process(ListRows([task(language=language)]))
        assert all(any(letters[0] <= c <= letters[1] for c in text) for text in row["examples"])


def test_instruct_asks_for_its_wave_alone() -> None:
    stage = Instruct(InstructParams(wave=1))
    other = task(wave=2)
    assert process(stage, other) == [other]
    (made,) = process(stage, task(examples=["x"]), Reply(Outcome.OK, "Where is it?"))
    assert made == task(instruction="Where is it?")


@pytest.mark.parametrize(
    ("replies", "reason"),
    [
        ([Reply(Outcome.REFUSAL)], "refusal"),
        ([Reply(Outcome.CONTENT_FILTER)], "content_filter"),
        ([Reply(Outcome.OK, " "), Reply(Outcome.OK, "")], "empty"),
        ([Reply(Outcome.LENGTH, "Whe"), Reply(Outcome.LENGTH, "Whe")], "length"),
    ],
)
def test_replies_that_hold_no_instruction(replies: list[Reply], reason: str) -> None:
    stage = Instruct(InstructParams(attempts=2))
    assert rejected(process(stage, task(examples=[]), *replies)) == reason


def test_cleaning_drops_with_a_reason_that_is_no_failure() -> None:
    stage = CleanInstructions(StageParams())
    (made,) = process(stage, task(instruction='1. "Is there a pneumothorax?"'))
    assert made["instruction"] == "Is there a pneumothorax?"
    result = process(stage, task(instruction="How large is the nodule?"))
    assert (rejected(result), result.failed) == ("not_answerable", False)
    assert process(stage, task()) == [task()]


def test_dedupe_keeps_earlier_waves_and_then_the_first() -> None:
    same = "Is there a pneumothorax in this report?"
    rows = [
        task(0, wave=2, instruction=same),
        task(1, wave=1, instruction=same),
        task(2, wave=1, instruction="Where does the catheter end?"),
        task(3, wave=1, instruction="Is there a pneumothorax in the report?"),
        task(4, wave=3),
    ]
    results = list(Dedupe(DedupeParams()).process(ListRows(rows)))
    kept = [not isinstance(result, Reject) for result in results]
    assert kept == [False, True, True, False, True]
    assert results[0].detail == "of s1/tasks/0"
    by_note = Dedupe(DedupeParams(scope="note")).process(ListRows(rows))
    assert not any(isinstance(result, Reject) for result in by_note)


def check(output: str, params: CheckAnswerParams | None = None, **fields: Any) -> Any:
    record = task(output=output, instruction="Describe the effusion.", finish_reason="stop")
    return process(CheckAnswers(params or CheckAnswerParams()), {**record, **fields})


def test_a_sample_has_the_shape_of_the_exports() -> None:
    (made,) = check("Answer: A small left pleural effusion.", subject_id="p1", split="train")
    assert made == {
        "id": "s0/tasks/0",
        "study_id": "s0",
        "subject_id": "p1",
        "split": "train",
        "instruction": "Describe the effusion.",
        "input": f"FINDINGS: {READING}",
        "output": "A small left pleural effusion.",
        "system": "",
        "history": [],
        "family": "question_answering",
        "language": "English",
        "wave": 1,
        "flags": [],
    }
    (made,) = check("It is small.", CheckAnswerParams(with_report=False, system="Be brief."))
    assert (made["input"], made["system"]) == ("", "Be brief.")


@pytest.mark.parametrize(
    ("output", "fields", "reason"),
    [
        ("There is a small right pleural effusion.", {}, "ungrounded"),
        ("There is no pleural effusion.", {}, "ungrounded"),
        ("A pneumothorax is present.", {}, "ungrounded"),
        ("A small left", {"finish_reason": "length"}, "truncated"),
        ("I'm sorry, I cannot say.", {}, "refusal"),
        ("", {}, "empty"),
        ("Describe the effusion.", {}, "question_repeated"),
        ("左侧有少量积液。", {}, "wrong_language"),
        ("word " * 200 + ".", {}, "too_long"),
    ],
)
def test_answers_that_go(output: str, fields: dict[str, Any], reason: str) -> None:
    assert rejected(check(output, **fields)) == reason


def test_additions_are_flagged_or_rejected() -> None:
    output = "A small left effusion, and there is a rib fracture."
    (made,) = check(output)
    (flag,) = made["flags"]
    assert output[slice(*flag["span"])] == "rib fracture"
    assert rejected(check(output, CheckAnswerParams(reject_unsupported=True))) == "unsupported"
    (made,) = check("A right effusion.", CheckAnswerParams(grounding=False))
    assert made["flags"] == []


def test_a_wave_nobody_asked_for_is_a_reject() -> None:
    assert rejected(process(Answer(AnswerParams()), task(wave=3))) == "no_instruction"
