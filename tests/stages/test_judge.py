"""The judging stages: what they ask, what they make of the replies."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.clinical.judge_reply import CRITERIA, OVERALL
from pipeline.core.errors import DataError
from pipeline.llm.backends import rules
from pipeline.llm.types import Outcome, Reply, Request
from pipeline.stages.base import Reject
from pipeline.stages.judge import Compare, Judge, JudgeParams

RECORD = {
    "id": "50000001/answers/2",
    "study_id": "50000001/answers/2",
    "subject_id": "10000001",
    "split": None,
    "text": "Is there an effusion?",
    "report": "FINDINGS: Small left pleural effusion.",
    "reference": None,
    "family": "qa",
    "answer_ours": "Yes, a small left pleural effusion.",
    "answer_theirs": "No, there is no pleural effusion.",
}
SCORES = dict(zip(CRITERIA, (4, 3, 2, 1), strict=True))


class Model:
    """Answers with what ``say`` gives, and keeps the requests."""

    def __init__(self, say: Callable[[Request], str | Reply]) -> None:
        self.say = say
        self.requests: list[Request] = []

    async def __call__(self, request: Request) -> Reply:
        self.requests.append(request)
        said = self.say(request)
        return said if isinstance(said, Reply) else Reply(Outcome.OK, said)

    def prompt(self, number: int) -> str:
        return "\n".join(str(message.content) for message in self.requests[number].messages)


async def test_every_answer_is_scored_by_itself() -> None:
    model = Model(lambda request: json.dumps(SCORES))
    (made,) = await Judge(JudgeParams()).process(RECORD, model)  # type: ignore[misc]
    assert made == {
        "id": "50000001/answers/2",
        "study_id": "50000001",
        "subject_id": "10000001",
        "family": "qa",
        "scores": {"ours": SCORES, "theirs": SCORES},
    }
    assert len(model.requests) == 2
    assert RECORD["answer_ours"] in model.prompt(0)
    assert RECORD["answer_theirs"] not in model.prompt(0)
    assert "<expected>" not in model.prompt(0)
    assert "ours" not in model.prompt(0)


async def test_only_the_criteria_asked_for_are_in_the_prompt() -> None:
    model = Model(lambda request: '{"accuracy": 2}')
    params = JudgeParams(criteria=("accuracy",))
    (made,) = await Judge(params).process(RECORD, model)  # type: ignore[misc]
    assert made["scores"]["ours"] == {"accuracy": 2}
    assert "conciseness" not in model.prompt(0)
    assert '{"accuracy": N}' in model.prompt(0)


async def test_an_unreadable_reply_is_asked_for_again_then_rejected() -> None:
    model = Model(lambda request: json.dumps(SCORES) if request.sample else "Fine, I think.")
    (made,) = await Judge(JudgeParams()).process(RECORD, model)  # type: ignore[misc]
    assert made["scores"]["ours"] == SCORES
    assert [request.sample for request in model.requests] == [0, 1, 0, 1]
    never = Model(lambda request: "Fine, I think.")
    rejected = await Judge(JudgeParams(attempts=2)).process(RECORD, never)
    assert isinstance(rejected, Reject)
    assert (rejected.reason, rejected.attempts, len(never.requests)) == ("unreadable_reply", 2, 2)
    assert "Fine" not in rejected.detail


@pytest.mark.parametrize("outcome", [Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED])
async def test_a_judge_that_does_not_answer_rejects_the_question(outcome: Outcome) -> None:
    rejected = await Judge(JudgeParams()).process(RECORD, Model(lambda request: Reply(outcome)))
    assert isinstance(rejected, Reject)
    assert rejected.reason == str(outcome)


async def test_two_answers_are_compared_in_both_orders() -> None:
    def the_first(request: Request) -> str:
        return json.dumps({**dict.fromkeys(CRITERIA, "tie"), OVERALL: "1"})

    model = Model(the_first)
    (made,) = await Compare(JudgeParams()).process(RECORD, model)  # type: ignore[misc]
    assert made["systems"] == ["ours", "theirs"]
    assert made["verdicts"][OVERALL] == ["ours", "theirs"]
    assert made["verdicts"]["accuracy"] == ["tie", "tie"]
    one, other = model.prompt(0), model.prompt(1)
    assert one.index(RECORD["answer_ours"]) < one.index(RECORD["answer_theirs"])
    assert other.index(RECORD["answer_ours"]) > other.index(RECORD["answer_theirs"])
    assert "ours" not in one.replace("yours", "")


async def test_one_answer_cannot_be_compared() -> None:
    alone = {name: value for name, value in RECORD.items() if name != "answer_theirs"}
    rejected = await Compare(JudgeParams()).process(alone, Model(lambda request: ""))
    assert isinstance(rejected, Reject)
    assert (rejected.reason, rejected.failed) == ("not_two_answers", False)


async def test_without_an_answer_there_is_nothing_to_judge() -> None:
    with pytest.raises(DataError, match="no_answer"):
        await Judge(JudgeParams()).process(
            {**RECORD, "answer_ours": "", "answer_theirs": None}, Model(str)
        )


async def test_the_rules_can_judge() -> None:
    async def ask(request: Request) -> Reply:
        return rules.answer(request)

    (scored,) = await Judge(JudgeParams()).process(RECORD, ask)  # type: ignore[misc]
    assert scored["scores"]["ours"]["accuracy"] == 4
    assert scored["scores"]["theirs"]["accuracy"] == 1
    (compared,) = await Compare(JudgeParams()).process(RECORD, ask)  # type: ignore[misc]
    assert compared["verdicts"][OVERALL] == ["ours", "ours"]
    unknown = {**RECORD, "report": None}
    assert isinstance(await Judge(JudgeParams()).process(unknown, ask), Reject)


@pytest.mark.parametrize("criteria", [(), ("beauty",), ("accuracy", "accuracy")])
def test_criteria_must_be_known(criteria: tuple[Any, ...]) -> None:
    with pytest.raises(ValidationError):
        JudgeParams(criteria=criteria)
