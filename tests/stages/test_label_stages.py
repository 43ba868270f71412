"""The label stages by themselves: what they ask, keep and refuse."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.records import Record
from pipeline.llm.backends import rules
from pipeline.llm.types import Outcome, Reply, Request
from pipeline.stages.base import Reject
from pipeline.stages.combine import Combine, CombineParams
from pipeline.stages.icd10 import Icd10, Icd10Params
from pipeline.stages.label_samples import LabelSampleParams, LabelSamples
from pipeline.stages.labels import LabelParams, Labels, RuleLabelParams, RuleLabels

RECORD: Record = {"id": "1", "study_id": "1", "reading": "Mild edema. Possible pneumonia."}


class Answers:
    """Answers requests in turn and remembers them."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.asked: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        return self.replies[len(self.asked) - 1]


async def by_rules(request: Request) -> Reply:
    return rules.answer(request)


def labelled(label: str, evidence: str = "Mild edema.") -> Reply:
    entry = {"label": label, "status": "present", "evidence": evidence}
    return Reply(Outcome.OK, json.dumps({"labels": [entry]}), model="m")


async def test_readers_stand_side_by_side() -> None:
    (first,) = await RuleLabels(RuleLabelParams()).process(RECORD, by_rules)
    (second,) = await Labels(LabelParams(reader="m")).process(first, Answers(labelled("Edema")))
    assert list(second["readers"]) == ["rules", "m"]
    assert second["readers"]["rules"]["uncertain"] == ["Pneumonia"]
    assert second["readers"]["m"]["by"] == "m"
    (third,) = await Icd10(Icd10Params(hedges=True)).process(second, by_rules)
    assert [(p["code"], p["certain"]) for p in third["phrases"]] == [
        ("J81.1", True),
        ("J18.9", False),
    ]
    (certain,) = await Icd10(Icd10Params()).process(second, by_rules)
    assert [p["code"] for p in certain["phrases"]] == ["J81.1"]
    (combined,) = await Combine(CombineParams()).process(third, by_rules)
    assert (combined["labels"], combined["disputed"]) == (["Edema"], ["Pneumonia"])
    assert combined["phrases"] == third["phrases"]


async def test_an_unknown_label_is_asked_for_again_and_then_rejected() -> None:
    ask = Answers(labelled("Sadness"), labelled("Edema"))
    (made,) = await Labels(LabelParams()).process(RECORD, ask)
    assert made["readers"]["model"]["labels"] == ["Edema"]
    assert [request.sample for request in ask.asked] == [0, 1]
    found = await Labels(LabelParams()).process(
        RECORD, Answers(labelled("Sadness"), labelled("Joy"))
    )
    assert found == Reject("unknown_label", "1 outside the list", attempts=2)


async def test_evidence_that_is_not_in_the_report_can_be_refused() -> None:
    invented = labelled("Edema", "The lungs are wet.")
    (flagged,) = await Labels(LabelParams()).process(RECORD, Answers(invented))
    assert flagged["readers"]["model"]["unsupported"] == ["Edema"]
    params = LabelParams(evidence="reject", attempts=1)
    found = await Labels(params).process(RECORD, Answers(invented))
    assert isinstance(found, Reject) and found.reason == "evidence_not_found"


@pytest.mark.parametrize("outcome", [Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED])
async def test_outcomes_without_an_answer_are_rejects(outcome: Outcome) -> None:
    found = await Icd10(Icd10Params()).process(RECORD, Answers(Reply(outcome, detail="x")))
    assert found == Reject(str(outcome), "x")


async def test_the_prompt_holds_the_drawn_examples_and_the_schema() -> None:
    ask = Answers(labelled("Edema"), labelled("Edema"), labelled("Edema"))
    for params in (LabelParams(), LabelParams(seed=1), LabelParams(examples=0)):
        await Labels(params).process(RECORD, ask)
    prompts = [str(request.messages[0].content) for request in ask.asked]
    assert len(set(prompts)) == 3
    assert [prompt.count("Example report:") for prompt in prompts] == [3, 3, 0]
    assert all(request.schema and request.task == "labels" for request in ask.asked)


async def test_combine_says_which_reader_is_missing() -> None:
    found = await Combine(CombineParams(readers=("model",))).process(RECORD, by_rules)
    assert found == Reject("no_reader", "the record has no labels by model")


async def test_disputed_reports_can_be_left_out() -> None:
    readers = {"a": {"labels": ["Edema"]}, "b": {"labels": ["Normal"]}}
    found = await Combine(CombineParams(drop_disputed=True)).process(
        {**RECORD, "readers": readers}, by_rules
    )
    assert isinstance(found, Reject) and (found.reason, found.failed) == ("disputed", False)


class Rows:
    """Rows of a set stage."""

    def __init__(self, rows: Sequence[Record]) -> None:
        self.rows = rows

    def __iter__(self) -> Any:
        return iter(self.rows)

    def at(self, position: int) -> Record:
        return self.rows[position]


def sampled(rows: Sequence[Record], **params: Any) -> list[Any]:
    return list(LabelSamples(LabelSampleParams(**params)).process(Rows(rows)))


def row(number: int, **values: Any) -> Record:
    labels = {"labels": ["Normal"], "uncertain": [], "negated": [], "disputed": [], "phrases": []}
    return {"id": str(number), "study_id": str(number), "reading": "Clear.", **labels, **values}


def test_a_recorded_split_counts_for_the_whole_patient() -> None:
    rows = [row(1, subject_id="p"), row(2, subject_id="p", split="test"), row(3, subject_id="q")]
    first, second, _ = sampled(rows)
    assert {sample["split"] for sample in [*first, *second]} == {"test"}
    assert "id" not in first[0]


def test_answers_of_both_tasks() -> None:
    phrase = {"phrase": "edema", "code": "J81.0", "certain": True, "reason": "", "title": "x"}
    ((labels, phrases),) = sampled([row(1, labels=["Edema", "Fracture"], phrases=[phrase])])
    assert (labels["output"], phrases["output"]) == ("Edema, Fracture", "edema | J81.0")
    ((labels, phrases),) = sampled([row(1)])
    assert (labels["output"], phrases["output"]) == ("Normal", "None")


def test_disputed_labels_can_be_kept_from_training() -> None:
    (samples,) = sampled([row(1, disputed=["Edema"])], disputed=False)
    assert [sample["family"] for sample in samples] == ["icd10"]
    (found,) = sampled([row(1, disputed=["Edema"])], disputed=False, tasks=["labels"])
    assert found.reason == "no_sample" and not found.failed


def test_shares_must_add_up() -> None:
    with pytest.raises(ValidationError, match="add up to 1"):
        LabelSampleParams(shares=(0.5, 0.1, 0.1))
