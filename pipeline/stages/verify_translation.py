"""Verify translation: a second opinion, by another model or by translating back, in figures."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.clinical.instructing.generated_text import clean_text
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.translation_agreement import compare_texts
from pipeline.core.records import Record
from pipeline.llm.types import Ask, Outcome, Request
from pipeline.prompting.template import load_template
from pipeline.stages.asking_again import text_schema
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class VerifyTranslationParams(StageParams):
    """Parameters of the second opinion.

    Attributes:
        by: ``back`` has the translation translated back into English and compares it with the
            caption; ``second`` has the caption translated once more and compares the two.
            Give the stage a ``backend`` of its own, so that it is another model that is asked.
        least_agreement: share of findings in common below which a record is rejected as
            ``disagreement``; 0 only writes the figures down.
        prompt: name or path of a template; by default ``back-translation`` or ``translation``.
        max_tokens: limit of the reply.
        temperature: 0 for the most likely wording.
        structured: ask the server to follow a JSON schema.
    """

    by: Literal["back", "second"] = "back"
    least_agreement: float = Field(default=0.0, ge=0, le=1)
    prompt: str | None = None
    max_tokens: int = Field(default=800, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    structured: bool = True

    def files(self) -> tuple[str, ...]:
        """The template, if it is the user's."""
        own = self.prompt
        return (own,) if own is not None and own.endswith(".md") else ()


class VerifyTranslation(RecordStage[VerifyTranslationParams]):
    """Adds ``second_opinion``: ``text``, ``by``, ``agreement``, ``findings``, ``differ``.

    ``agreement`` is the share of findings (name, status and side) that both texts have, or None
    where neither has one or the rules cannot read the language; ``differ`` lists those that only
    one of them has.
    """

    name = "verify-translation"
    params_type = VerifyTranslationParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: VerifyTranslationParams) -> None:
        super().__init__(params)
        usual = "back-translation" if params.by == "back" else "translation"
        self._template = load_template(params.prompt or usual)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Get a second opinion on one translation."""
        back = self.params.by == "back"
        language = record["language"]
        asked = record["translation"] if back else record["caption"]
        filled = (
            {"translation": asked, "language": language}
            if back
            else {"caption": asked, "language": language, "glossary": ""}
        )
        reply = await ask(
            Request(
                task="back-translation" if back else "translation",
                messages=self._template.render(**filled),
                params={
                    "max_tokens": self.params.max_tokens,
                    "temperature": self.params.temperature,
                },
                schema=text_schema("translation") if self.params.structured else None,
                payload={"text": asked, "language": language},
                record_id=record["id"],
            )
        )
        if reply.outcome is not Outcome.OK:
            return Reject(str(reply.outcome), reply.detail)
        text = clean_text(reply.text)
        if not text:
            return Reject("empty")
        readable = back or language_code(language) == "zh"
        other = record["caption"] if back else record["translation"]
        found = compare_texts(other, text) if readable else None
        agreement = found.agreement if found is not None else None
        if agreement is not None and agreement < self.params.least_agreement:
            return Reject("disagreement", f"{agreement:.2f} of the findings in common")
        opinion = {
            "text": text,
            "by": reply.model or "model",
            "way": self.params.by,
            "agreement": None if agreement is None else round(agreement, 3),
            "findings": found.findings if found is not None else 0,
            "differ": list(found.differ) if found is not None else [],
        }
        return [{**record, "second_opinion": opinion}]
