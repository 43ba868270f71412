"""Answer: a model, or the sentences of the report in its place, answers each instruction."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.records import Record
from pipeline.llm.types import Ask, Outcome, Request
from pipeline.prompting.families import load_family
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.prompted import PromptParams


class AnswerParams(PromptParams):
    """Parameters of the answer stage."""

    variables = frozenset({"report", "instruction", "family", "guidance", "language", "max_words"})

    prompt: str = "answers"
    max_tokens: int = Field(default=400, ge=1)


class Answer(RecordStage[AnswerParams]):
    """Adds ``output`` as replied and ``finish_reason``; :class:`CheckAnswers` judges it."""

    name = "answer"
    params_type = AnswerParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: AnswerParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask for one answer."""
        if "instruction" not in record:
            return Reject("no_instruction", f"wave {record['wave']} was never asked for")
        family = load_family(record["family"])
        asked = {"report": record["report"], "instruction": record["instruction"]}
        reply = await ask(
            Request(
                task="answer",
                messages=self._template.render(
                    **asked,
                    family=family.name.replace("_", " "),
                    guidance=family.answer,
                    language=record["language"],
                    max_words=family.max_words,
                ),
                params={
                    "max_tokens": self.params.max_tokens,
                    "temperature": self.params.temperature,
                },
                payload={**asked, "family": family.name, "language": record["language"]},
                record_id=record["id"],
            )
        )
        if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
            return Reject(str(reply.outcome), reply.detail)
        finish = "length" if reply.outcome is Outcome.LENGTH else reply.finish_reason
        return [{**record, "output": reply.text, "finish_reason": finish}]
