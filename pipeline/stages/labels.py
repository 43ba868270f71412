"""Labels: which of the 13 classes a report states, doubts or denies, by a model and by rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import orjson
from pydantic import Field

from pipeline.clinical.class_meanings import CLASS_MEANINGS
from pipeline.clinical.label_examples import draw_examples
from pipeline.clinical.label_reply import LABELS_SCHEMA, LabelReply, parse_labels_reply
from pipeline.clinical.label_rules import rule_labels
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask, Reply, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result, StageParams
from pipeline.stages.prompted import PromptParams
from pipeline.stages.structured import ask_until_read


class RuleLabelParams(StageParams):
    """Parameters of the rule labels.

    Attributes:
        reader: the name under which ``readers`` keeps them.
    """

    reader: str = Field(default="rules", min_length=1)


class LabelParams(PromptParams):
    """Parameters of the label stage.

    Attributes:
        reader: the name under which ``readers`` keeps the labels; each stage needs its own.
        examples: number of worked examples in the prompt.
        seed: seed of their draw.
        evidence: what happens to a reply whose sentences do not stand in the report: ``flag`` lists
            the classes in ``unsupported``, ``reject`` asks again and then rejects.
        attempts: how often a reply that cannot be used is asked for again.
    """

    variables = frozenset({"report", "examples", "classes"})

    reader: str = Field(default="model", min_length=1)
    prompt: str = "labels"
    examples: int = Field(default=3, ge=0)
    seed: int = 0
    evidence: Literal["flag", "reject"] = "flag"
    attempts: int = Field(default=2, ge=1)


class RuleLabels(RecordStage[RuleLabelParams]):
    """Adds what the rules read to ``readers``, whatever backend the recipe asks."""

    name = "rule-labels"
    params_type = RuleLabelParams
    libs = (".",)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Label one report."""
        found = {**rule_labels(record["reading"]).as_json(), "by": "rules"}
        return [with_reader(record, self.params.reader, found)]


class Labels(RecordStage[LabelParams]):
    """Adds what the backend reads to ``readers``; a label outside the list is a reject."""

    name = "labels"
    params_type = LabelParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: LabelParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)
        self._examples = [
            {"report": one.report, "answer": orjson.dumps({"labels": one.labels}).decode()}
            for one in draw_examples(params.examples, params.seed)
        ]

    async def process(self, record: Record, ask: Ask) -> Result:
        """Label one report."""
        reading: str = record["reading"]
        request = Request(
            task="labels",
            messages=self._template.render(
                report=reading, examples=self._examples, classes=list(CLASS_MEANINGS.items())
            ),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            schema=LABELS_SCHEMA,
            payload={"text": reading},
            record_id=record["id"],
        )
        answered = await ask_until_read(
            ask, request, self.params.attempts, lambda reply: self._parse(reply, reading)
        )
        if isinstance(answered, Reject):
            return answered
        reply = answered.parsed
        assert reply.labels is not None
        found = {**reply.labels.as_json(), "by": answered.model, "reply": reply.status}
        return [with_reader(record, self.params.reader, found)]

    def _parse(self, reply: Reply, reading: str) -> LabelReply:
        parsed = parse_labels_reply(reply.text, reply.finish_reason, reading)
        labels = parsed.labels
        if labels is None or not labels.unsupported or self.params.evidence == "flag":
            return parsed
        missing = f"{len(labels.unsupported)} without a sentence of the report"
        return replace(
            parsed, status="none", labels=None, reason="evidence_not_found", detail=missing
        )


def with_reader(record: Record, reader: str, found: dict[str, Any]) -> Record:
    """The record with one more reader; other tasks' results go along."""
    made: Record = {**identity(record), "reading": record["reading"]}
    for name in ("readers", "phrases", "phrases_by"):
        if name in record:
            made[name] = record[name]
    made["readers"] = {**record.get("readers", {}), reader: found}
    return made
