"""Judging answers: scores for each one, and which of two is better, asked in both orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field, field_validator

from pipeline.clinical.judge_reply import CRITERIA, OVERALL, SCALE, read_scores, read_verdicts
from pipeline.core.errors import DataError
from pipeline.core.records import Record, root_id
from pipeline.llm.types import Ask, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.prompted import PromptParams
from pipeline.stages.structured import ask_until_read

ANSWER = "answer_"
"""Answers to judge stand in the fields ``answer_SYSTEM``."""


class JudgeParams(PromptParams):
    """Parameters of both judging stages.

    Attributes:
        criteria: what is judged.
        attempts: how often a reply that cannot be read is asked for again.
    """

    prompt: str = ""
    criteria: tuple[str, ...] = CRITERIA
    max_tokens: int = Field(default=400, ge=1)
    attempts: int = Field(default=3, ge=1)

    @field_validator("criteria")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or len(set(value)) < len(value) or not set(value) <= set(CRITERIA):
            raise ValueError(f"must be some of {', '.join(CRITERIA)}, each once")
        return value


class _Judging(RecordStage[JudgeParams]):
    params_type = JudgeParams
    asks = True
    libs = (".",)
    own_prompt = ""

    def __init__(self, params: JudgeParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt or self.own_prompt)

    def _request(
        self, task: str, record: Record, schema: Mapping[str, Any], **values: Any
    ) -> Request:
        item = {
            "instruction": str(record["text"]),
            "report": str(record.get("report") or ""),
            "reference": str(record.get("reference") or ""),
            **values,
        }
        params = {"max_tokens": self.params.max_tokens, "temperature": self.params.temperature}
        return Request(
            task=task,
            messages=self._template.render(criteria=list(self.params.criteria), **item),
            params=params,
            schema=schema,
            payload=item,
            record_id=record["id"],
        )


class Judge(_Judging):
    """Adds ``scores``: system -> criterion -> 1 to 4. The text is not handed on."""

    name = "judge"
    prompts = ("judge-scores.md",)
    own_prompt = "judge-scores"

    async def process(self, record: Record, ask: Ask) -> Result:
        """Score every answer of one question; all of them, or the question is rejected."""
        scores = {}
        schema = _schema(self.params.criteria, {"type": "integer", "enum": list(SCALE)})
        for system, answer in answers_of(record).items():
            found = await ask_until_read(
                ask,
                self._request("judge", record, schema, answer=answer),
                self.params.attempts,
                lambda reply: read_scores(reply.text, self.params.criteria, reply.finish_reason),
            )
            if isinstance(found, Reject):
                return found
            scores[system] = dict(found.parsed.values)
        return [{**_about(record), "scores": scores}]


class Compare(_Judging):
    """Adds ``verdicts``: criterion -> the better system, asked in one order and in the other.

    Two systems are compared; ``tie`` stands for neither. The text is not handed on.
    """

    name = "compare"
    prompts = ("judge-pair.md",)
    own_prompt = "judge-pair"

    async def process(self, record: Record, ask: Ask) -> Result:
        """Compare the two answers of one question, each being the first once."""
        answers = answers_of(record)
        if len(answers) != 2:
            return Reject("not_two_answers", f"{len(answers)} answers", failed=False)
        first, second = sorted(answers)
        criteria = (*self.params.criteria, OVERALL)
        schema = _schema(criteria, {"type": "string", "enum": ["1", "2", "tie"]})
        verdicts: dict[str, list[str]] = {name: [] for name in criteria}
        for order in ((first, second), (second, first)):
            found = await ask_until_read(
                ask,
                self._request(
                    "judge-pair", record, schema, answers=[answers[name] for name in order]
                ),
                self.params.attempts,
                lambda reply: read_verdicts(reply.text, criteria, reply.finish_reason),
            )
            if isinstance(found, Reject):
                return found
            for name, verdict in found.parsed.values.items():
                verdicts[name].append("tie" if verdict == "tie" else order[int(verdict) - 1])
        return [{**_about(record), "systems": [first, second], "verdicts": verdicts}]


def answers_of(record: Record) -> dict[str, str]:
    """System -> answer, of the fields ``answer_SYSTEM``.

    Raises:
        DataError: ``no_answer``: there is none.
    """
    found = {
        name.removeprefix(ANSWER): str(value)
        for name, value in record.items()
        if name.startswith(ANSWER) and value
    }
    if not found:
        raise DataError("no_answer")
    return found


def _about(record: Record) -> Record:
    """The identity of a question; its id is that of a sample, made of a study."""
    study = {"study_id": root_id(record["id"]), "subject_id": record.get("subject_id")}
    return {"id": record["id"], **study, "family": record.get("family")}


def _schema(criteria: tuple[str, ...], value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: dict(value) for name in criteria},
        "required": list(criteria),
        "additionalProperties": False,
    }
