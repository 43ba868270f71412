"""KeyInfo: a model, or the rules in its place, reads the findings of a report."""

from __future__ import annotations

from pydantic import Field

from pipeline.clinical.keyinfo import KEYINFO_SCHEMA
from pipeline.clinical.reply import parse_keyinfo_reply
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask, Outcome, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class KeyInfoParams(StageParams):
    """Parameters of the KeyInfo stage.

    Attributes:
        prompt: name of the template in ``prompts/``.
        max_tokens: limit of the reply; about the 99th percentile of real replies.
        temperature: 0 for the most likely reading.
        attempts: how often a reply that cannot be read is asked for again.
    """

    prompt: str = "keyinfo"
    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    attempts: int = Field(default=2, ge=1)


class KeyInfo(RecordStage[KeyInfoParams]):
    """Adds ``keyinfo`` as replied and ``reply`` (``ok`` or ``repaired``); never an empty record."""

    name = "keyinfo"
    params_type = KeyInfoParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: KeyInfoParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Read one report; a reply that cannot be read is asked for again, then rejected."""
        reading = record["reading"]
        request = Request(
            task="keyinfo",
            messages=self._template.render(report=reading),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            schema=KEYINFO_SCHEMA,
            payload={"text": reading},
            record_id=record["id"],
        )
        reason = detail = ""
        for attempt in range(self.params.attempts):
            reply = await ask(request.again(attempt))
            if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
                return Reject(str(reply.outcome), reply.detail, attempts=attempt + 1)
            parsed = parse_keyinfo_reply(reply.text, reply.finish_reason)
            if parsed.value is not None and parsed.status in ("ok", "repaired"):
                made = {**identity(record), "reading": reading, "keyinfo": parsed.value}
                return [{**made, "reply": parsed.status}]
            reason = "length" if parsed.status == "truncated" else "unreadable_reply"
            detail = parsed.reason
        return Reject(reason, detail, attempts=self.params.attempts)
