"""What stages and the engine exchange: a request and its reply.

Text of notes and answers is left out of every ``repr``, so that none can reach a log or traceback.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from pipeline.core.hashing import fingerprint

KEY_SCHEME = 1
"""Version of the request key. A change here orphans every journal, so it is pinned by a test."""

IMAGE_PART = "image"
"""Type of the parts that :mod:`pipeline.llm.images` makes."""

_IMAGE_IDENTITY = ("type", "sha256", "max_side", "detail", "encoding")
"""What of an image part can change the answer: what it shows, not where the file lies."""


class Outcome(StrEnum):
    """How a request ended. Outcomes are values; only ``failed`` means that no answer came."""

    OK = "ok"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"
    MALFORMED = "malformed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message; ``content`` is text or a tuple of content parts (text, image)."""

    role: str
    content: str | tuple[Mapping[str, Any], ...] = field(repr=False)

    def as_json(self) -> dict[str, Any]:
        """The message as chat APIs take it, but for images, of which it says what they are."""
        content = self.content if isinstance(self.content, str) else [*map(_part, self.content)]
        return {"role": self.role, "content": content}


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one request as the service counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Request:
    """Everything that can change an answer, and nothing else, plus how to answer without a model.

    Attributes:
        task: what is asked for, such as ``keyinfo``; the ``rules`` backend answers by it.
        messages: the chat.
        model: the logical model of the recipe, not a deployment: deployments are interchangeable.
        params: sampling parameters that change the text (``temperature``, ``max_tokens``, ...).
        schema: JSON schema the answer must follow, or None.
        sample: number of the sample; a repeated question needs a number of its own.
        payload: the structured input, for the ``rules`` backend. Not part of the identity.
        record_id: the record it is asked for, for logs and rejects. Not part of the identity.
    """

    task: str
    messages: tuple[Message, ...] = ()
    model: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    schema: Mapping[str, Any] | None = field(default=None, repr=False)
    sample: int = 0
    payload: Mapping[str, Any] = field(default_factory=dict, repr=False)
    record_id: str = ""

    def key(self) -> str:
        """SHA-256 of what can change the answer: the key of cache, sharing and resume."""
        return fingerprint(
            {
                "scheme": KEY_SCHEME,
                "messages": [message.as_json() for message in self.messages],
                "model": self.model,
                "params": dict(self.params),
                "schema": None if self.schema is None else dict(self.schema),
                "sample": self.sample,
            }
        )

    def again(self, times: int) -> Request:
        """The same question once more: a sample of its own, so that a new answer is asked for."""
        return replace(self, sample=self.sample + times) if times else self


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a request.

    Attributes:
        outcome: how it ended.
        text: the raw text of the model, complete only if ``outcome`` is ``ok``.
        finish_reason: as the service said it.
        usage: tokens, zero where nothing was reported.
        model: the model name the service reported.
        detail: error code or filter category; safe to log, never text of a note or an answer.
        reused: it came from the journal and cost nothing.
    """

    outcome: Outcome
    text: str = field(default="", repr=False)
    finish_reason: str = "stop"
    usage: Usage = Usage()
    model: str = ""
    detail: str = ""
    reused: bool = False


class Deferred(Exception):
    """The reply will come by batch: leave the record for now and process it again later."""


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") != IMAGE_PART:
        return dict(part)
    return {name: part[name] for name in _IMAGE_IDENTITY}


Ask: TypeAlias = Callable[[Request], Awaitable[Reply]]
"""The only thing a stage knows of the engine."""
