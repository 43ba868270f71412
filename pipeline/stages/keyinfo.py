"""KeyInfo: a model, or the rules in its place, reads the findings of a report."""

from __future__ import annotations

from dataclasses import replace

from pydantic import Field

from pipeline.clinical.keyinfo import KEYINFO_SCHEMA
from pipeline.clinical.reply import parse_keyinfo_reply
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask, Outcome, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.prompted import PromptParams

RULES = "rules"
"""The model name under which the rules answer."""


class KeyInfoParams(PromptParams):
    """Parameters of the KeyInfo stage.

    Attributes:
        prompt: ``keyinfo-short`` is for a model fine-tuned on samples of the stage
            ``keyinfo-samples``.
        max_tokens: limit of the reply; about the 99th percentile of real replies.
        most_tokens: where a reply was cut, it is asked for again with twice the limit, up to this.
        attempts: how often a record is asked for, if its reply is cut or cannot be read.
        structured: ask the server to follow the JSON schema of KeyInfo.
    """

    variables = frozenset({"report"})

    prompt: str = "keyinfo"
    most_tokens: int = Field(default=4096, ge=1)
    attempts: int = Field(default=3, ge=1)
    structured: bool = True


class KeyInfo(RecordStage[KeyInfoParams]):
    """Adds ``keyinfo`` as replied; a failed reply is a reject, never an empty record.

    ``reply`` says whether the reply was strict JSON (``ok``) or ``repaired``, ``by`` who read the
    report: ``model`` or ``rules``.
    """

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
            schema=KEYINFO_SCHEMA if self.params.structured else None,
            payload={"text": reading},
            record_id=record["id"],
        )
        reason = detail = ""
        again = attempt = 0
        for attempt in range(self.params.attempts):
            reply = await ask(request.again(again))
            if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
                return Reject(str(reply.outcome), reply.detail, attempts=attempt + 1)
            parsed = parse_keyinfo_reply(reply.text, reply.finish_reason)
            if parsed.value is not None and parsed.status in ("ok", "repaired"):
                made = {**identity(record), "reading": reading, "keyinfo": parsed.value}
                by = "rules" if reply.model == RULES else "model"
                return [{**made, "reply": parsed.status, "by": by}]
            detail = parsed.reason
            if parsed.status != "truncated" and parsed.reason != "length":
                reason, again = "unreadable_reply", again + 1
                continue
            reason = "length"
            limit = int(request.params["max_tokens"])
            if limit >= self.params.most_tokens:
                break
            larger = min(2 * limit, self.params.most_tokens)
            request = replace(request, params={**request.params, "max_tokens": larger})
        return Reject(reason, detail, attempts=attempt + 1)
