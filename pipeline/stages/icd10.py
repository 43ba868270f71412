"""ICD-10: every phrase of a report that names what the patient has, with its ICD-10-CM code."""

from __future__ import annotations

import orjson
from pydantic import Field

from pipeline.clinical.icd10_reply import PHRASES_SCHEMA, parse_phrases_reply
from pipeline.clinical.label_examples import draw_examples
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.prompted import PromptParams
from pipeline.stages.structured import ask_until_read


class Icd10Params(PromptParams):
    """Parameters of the ICD-10 stage.

    Attributes:
        hedges: keep what is only suspected as well, with ``certain`` false.
        examples: number of worked examples in the prompt.
        seed: seed of their draw.
        attempts: how often a reply that cannot be used is asked for again.
    """

    variables = frozenset({"report", "examples", "hedges"})

    hedges: bool = False
    prompt: str = "icd10"
    examples: int = Field(default=3, ge=0)
    seed: int = 0
    attempts: int = Field(default=2, ge=1)


class Icd10(RecordStage[Icd10Params]):
    """Adds ``phrases`` and ``phrases_by``; a code that does not exist is a reject."""

    name = "icd10"
    params_type = Icd10Params
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: Icd10Params) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)
        self._examples = [
            {
                "report": one.report,
                "answer": orjson.dumps(
                    {"phrases": [p for p in one.phrases if params.hedges or p["certain"]]}
                ).decode(),
            }
            for one in draw_examples(params.examples, params.seed)
        ]

    async def process(self, record: Record, ask: Ask) -> Result:
        """Code one report."""
        reading: str = record["reading"]
        request = Request(
            task="icd10",
            messages=self._template.render(
                report=reading, examples=self._examples, hedges=self.params.hedges
            ),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            schema=PHRASES_SCHEMA,
            payload={"text": reading},
            record_id=record["id"],
        )
        answered = await ask_until_read(
            ask,
            request,
            self.params.attempts,
            lambda reply: parse_phrases_reply(reply.text, reply.finish_reason, reading),
        )
        if isinstance(answered, Reject):
            return answered
        found = answered.parsed.phrases or ()
        made: Record = {**identity(record), "reading": reading}
        if "readers" in record:
            made["readers"] = record["readers"]
        made["phrases"] = [p for p in found if self.params.hedges or p["certain"]]
        made["phrases_by"] = answered.model
        return [made]
