"""The ``chat`` part of a recipe: how a model of this recipe is talked to."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field


class ChatConfig(BaseModel):
    """Preset of ``chat`` and ``infer``; every key can be overridden on the command line.

    Attributes:
        system: system prompt; "" for none.
        prefix: put before what is typed.
        suffix: put behind it. A text that begins with the prefix or ends with the suffix carries
            the template already and is left as it is.
        history: whether earlier turns are sent along; False asks each question on its own.
        temperature: of the answers; None leaves it to the backend.
        max_tokens: limit of an answer.
        context: tokens that prompt and answer may take together; None where it is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    system: str = ""
    prefix: str = ""
    suffix: str = ""
    history: bool = True
    temperature: Annotated[float, Field(ge=0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    context: Annotated[int, Field(ge=64)] | None = None

    def dress(self, text: str) -> str:
        """``text`` between prefix and suffix, unless it carries them."""
        return wrap(text, self.prefix, self.suffix)

    def params(self) -> dict[str, Any]:
        """Request parameters that are set."""
        given = {"temperature": self.temperature, "max_tokens": self.max_tokens}
        return {name: value for name, value in given.items() if value is not None}


def wrap(text: str, prefix: str, suffix: str) -> str:
    """``text`` between ``prefix`` and ``suffix``, unless it begins or ends with one of them."""
    bare = text.strip()
    if (prefix and bare.startswith(prefix.strip())) or (suffix and bare.endswith(suffix.strip())):
        return text
    return f"{prefix}{text}{suffix}"
