"""Translate: a model, or the glossary in its place, writes captions in another language."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipeline.clinical.glossary import Glossary, load_glossary
from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.text_check import TextCheck
from pipeline.clinical.translation_check import check_translation
from pipeline.core.records import Record
from pipeline.llm.types import Ask, Request
from pipeline.prompting.template import load_template
from pipeline.stages.asking_again import ask_until_it_passes, text_schema
from pipeline.stages.base import RecordStage, Reject, Result, StageParams

VARIABLES = frozenset({"caption", "language", "glossary"})
"""What the template of this stage is given."""

_MOST_TERMS = 40


class TranslateParams(StageParams):
    """Parameters of the translation stage.

    Attributes:
        language: language to translate into, by name.
        script: characters of a Chinese translation.
        glossary: a CSV with columns of ``libs/glossary_zh.csv`` whose rows come before the packaged
            ones; for Chinese.
        prompt: name of the template in ``prompts/``, or the path of one.
        max_tokens: limit of the reply.
        temperature: 0 for the most likely wording.
        attempts: how often a translation is asked for; the second time with what was wrong.
        structured: ask the server to follow a JSON schema.
    """

    language: str = "Chinese"
    script: Literal["simplified", "traditional"] = "simplified"
    glossary: str | None = None
    prompt: str = "translation"
    max_tokens: int = Field(default=800, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    attempts: int = Field(default=2, ge=1, le=5)
    structured: bool = True

    @field_validator("language")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("name a language, such as Chinese")
        return value

    @field_validator("prompt")
    @classmethod
    def _fits(cls, value: str) -> str:
        load_template(value).require(VARIABLES)
        return value

    def files(self) -> tuple[str, ...]:
        """The template and the glossary of the user's."""
        own = (self.glossary,) if self.glossary is not None else ()
        return (*own, self.prompt) if self.prompt.endswith(".md") else own


class Translate(RecordStage[TranslateParams]):
    """Adds ``translation``, ``language``, ``checks``, its flags, and ``by``.

    ``checks`` names the checks that could be made for the language. ``flags`` goes on with what the
    check of the translation found, each with ``of: translation``. ``caption_by`` keeps who wrote
    the caption.
    """

    name = "translate"
    params_type = TranslateParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: TranslateParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)
        own = params.glossary
        self._glossary = load_glossary(Path(own) if own is not None else None)
        self._is_chinese = language_code(params.language) == "zh"

    async def process(self, record: Record, ask: Ask) -> Result:
        """Translate one caption."""
        caption = record["caption"]
        params = self.params
        request = Request(
            task="translation",
            messages=self._template.render(
                caption=caption, language=self._language(), glossary=self._terms(caption)
            ),
            params={"max_tokens": params.max_tokens, "temperature": params.temperature},
            schema=text_schema("translation") if params.structured else None,
            payload={"text": caption, "language": params.language, "script": params.script},
            record_id=record["id"],
        )

        def check(text: str, finish_reason: str) -> TextCheck:
            return check_translation(
                caption,
                text,
                params.language,
                script=params.script,
                glossary=self._glossary,
                finish_reason=finish_reason,
            )

        made = await ask_until_it_passes(ask, request, params.attempts, check)
        if isinstance(made, Reject):
            return made
        flags = [{**issue.as_json(), "of": "translation"} for issue in made.check.flags]
        kept = {name: value for name, value in record.items() if name not in ("flags", "by")}
        return [
            {
                **kept,
                "caption_by": record["by"],
                "translation": made.text,
                "language": params.language,
                "checks": list(made.check.checks),
                "flags": [*record["flags"], *flags],
                "by": made.by,
            }
        ]

    def _language(self) -> str:
        return f"{self.params.script} Chinese" if self._is_chinese else self.params.language

    def _terms(self, caption: str) -> str:
        """The glossary rows that occur in the caption, as the prompt lists them."""
        return glossary_lines(self._glossary, caption) if self._is_chinese else ""


def glossary_lines(glossary: Glossary, caption: str) -> str:
    """One line for each term of a caption: ``pleural effusion: 胸腔积液; 胸水``."""
    terms = glossary.select(caption)[:_MOST_TERMS]
    return "\n".join(f"{term.english}: {'; '.join(term.chinese[:3])}" for term in terms)
