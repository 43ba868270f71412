"""Caption: a model, or the rules in its place, rewrites a report as one self-contained caption."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator

from pipeline.clinical.caption_check import check_caption
from pipeline.clinical.sections.model import COMBINED, FINDINGS, IMPRESSION
from pipeline.clinical.text_check import TextCheck
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask, Request
from pipeline.prompting.template import load_template
from pipeline.stages.asking_again import ask_until_it_passes, text_schema
from pipeline.stages.base import RecordStage, Reject, Result, StageParams

VARIABLES = frozenset({"report", "max_words"})
"""What the template of this stage is given."""


class CaptionParams(StageParams):
    """Parameters of the caption stage.

    Attributes:
        prompt: name of the template in ``prompts/``, or the path of one.
        max_words: length the model is asked for.
        max_tokens: limit of the reply.
        temperature: 0 for the most likely wording.
        attempts: how often a caption is asked for; the second time with what was wrong.
        structured: ask the server to follow a JSON schema.
        reject_omissions: reject a caption that leaves out a positive finding (``omitted``)
            instead of flagging it.
    """

    prompt: str = "caption"
    max_words: int = Field(default=120, ge=1)
    max_tokens: int = Field(default=400, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    attempts: int = Field(default=2, ge=1, le=5)
    structured: bool = True
    reject_omissions: bool = False

    @field_validator("prompt")
    @classmethod
    def _fits(cls, value: str) -> str:
        load_template(value).require(VARIABLES)
        return value

    def files(self) -> tuple[str, ...]:
        """The template, if it is the user's."""
        return (self.prompt,) if self.prompt.endswith(".md") else ()


class Caption(RecordStage[CaptionParams]):
    """Makes ``caption`` of findings and impression, with ``report``, ``flags`` and ``by``.

    ``flags`` holds what the check found worth knowing, each with ``of: caption``; ``by`` is the
    model that wrote it, or ``rules``.
    """

    name = "caption"
    params_type = CaptionParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: CaptionParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Write one caption."""
        findings, impression = _body(record["sections"], record["reading"])
        report = " ".join(filter(None, (findings, impression)))
        request = Request(
            task="caption",
            messages=self._template.render(
                report=_titled(findings, impression), max_words=self.params.max_words
            ),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            schema=text_schema("caption") if self.params.structured else None,
            payload={"findings": findings, "impression": impression},
            record_id=record["id"],
        )

        def check(text: str, finish_reason: str) -> TextCheck:
            verdict = check_caption(report, text, finish_reason=finish_reason)
            return _with_omissions(verdict) if self.params.reject_omissions else verdict

        made = await ask_until_it_passes(ask, request, self.params.attempts, check)
        if isinstance(made, Reject):
            return made
        return [
            {
                **identity(record),
                "report": report,
                "caption": made.text,
                "flags": [{**issue.as_json(), "of": "caption"} for issue in made.check.flags],
                "by": made.by,
            }
        ]


def _body(sections: Mapping[str, str], reading: str) -> tuple[str, str]:
    """Findings and impression, white space collapsed; the reading where there is neither."""
    findings = sections.get(FINDINGS) or sections.get(COMBINED) or ""
    impression = sections.get(IMPRESSION) or ""
    if not findings and not impression:
        findings = reading
    return " ".join(findings.split()), " ".join(impression.split())


def _titled(findings: str, impression: str) -> str:
    named = (("FINDINGS", findings), ("IMPRESSION", impression))
    return "\n".join(f"{title}: {text}" for title, text in named if text)


def _with_omissions(verdict: TextCheck) -> TextCheck:
    """The verdict with the omissions among the reasons."""
    omitted = tuple(issue for issue in verdict.flags if issue.kind == "omitted")
    others = tuple(issue for issue in verdict.flags if issue.kind != "omitted")
    return TextCheck((*verdict.rejects, *omitted), others, verdict.checks)
