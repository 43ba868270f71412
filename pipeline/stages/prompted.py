"""Parameters of a stage that asks with a template: one of ``prompts/``, or the user's own."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from pipeline.prompting.template import load_template
from pipeline.stages.base import StageParams


class PromptParams(StageParams):
    """What all asking stages take.

    Attributes:
        variables: what the stage fills into its template, so that one that needs others is refused
            early; None where that depends on the stage.
        prompt: name of the template in ``prompts/``, or the path of one (``.md``); "" takes the
            stage's own.
        max_tokens: limit of the reply.
        temperature: 0 for the most likely reply.
    """

    variables: ClassVar[frozenset[str] | None] = None

    prompt: str
    max_tokens: int = Field(default=1024, ge=1)
    temperature: float = Field(default=0.0, ge=0)

    @field_validator("prompt")
    @classmethod
    def _fits(cls, value: str) -> str:
        if value and cls.variables is not None:
            load_template(value).require(cls.variables)
        return value

    def files(self) -> tuple[str, ...]:
        """The template, if it is the user's: a change of it makes the stage stale."""
        return (*super().files(), *([self.prompt] if self.prompt.endswith(".md") else ()))
