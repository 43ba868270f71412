"""Instruct: a model, or templates in its place, writes the instruction of each task of a wave."""

from __future__ import annotations

from pydantic import Field

from pipeline.core.records import Record
from pipeline.llm.types import Ask, Outcome, Request
from pipeline.prompting.families import load_family
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.prompted import PromptParams


class InstructParams(PromptParams):
    """Parameters of the instruction stage.

    Attributes:
        wave: the wave whose tasks are asked for; other rows are passed on.
        temperature: above 0, so that instructions differ.
        attempts: how often a reply without a text is asked for again.
    """

    variables = frozenset({"report", "family", "guidance", "language", "examples"})

    wave: int = Field(default=1, ge=1)
    prompt: str = "instructions"
    max_tokens: int = Field(default=200, ge=1)
    temperature: float = Field(default=0.7, ge=0)
    attempts: int = Field(default=2, ge=1)


class Instruct(RecordStage[InstructParams]):
    """Adds ``instruction`` as replied; :class:`CleanInstructions` judges it."""

    name = "instruct"
    params_type = InstructParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: InstructParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask for one instruction."""
        if record["wave"] != self.params.wave or "instruction" in record:
            return [record]
        family = load_family(record["family"])
        request = Request(
            task="instructions",
            messages=self._template.render(
                report=record["report"],
                family=family.name.replace("_", " "),
                guidance=family.instruction,
                language=record["language"],
                examples=record["examples"],
            ),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            payload={
                "report": record["report"],
                "family": family.name,
                "language": record["language"],
                "seed": record["id"],
            },
            record_id=record["id"],
        )
        made = {name: value for name, value in record.items() if name != "examples"}
        reason = ""
        for attempt in range(self.params.attempts):
            reply = await ask(request.again(attempt))
            if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
                return Reject(str(reply.outcome), reply.detail, attempts=attempt + 1)
            if reply.outcome is Outcome.OK and reply.text.strip():
                return [{**made, "instruction": reply.text}]
            reason = "length" if reply.outcome is Outcome.LENGTH else "empty"
        return Reject(reason, attempts=self.params.attempts)
