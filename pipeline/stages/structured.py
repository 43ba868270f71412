"""Asks until an answer can be read: what the stages with a structured answer have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pipeline.llm.types import Ask, Outcome, Reply, Request
from pipeline.stages.base import Reject


class Parsed(Protocol):
    """What a parser makes of a reply; ``status`` is ``none`` where it cannot be read."""

    @property
    def status(self) -> str:
        """``ok``, ``repaired`` or ``none``."""
        ...

    @property
    def reason(self) -> str:
        """Why it cannot be read, as a reject's reason."""
        ...

    @property
    def detail(self) -> str:
        """Counts, never text."""
        ...


P = TypeVar("P", bound=Parsed)


class Answered(Generic[P]):
    """A reply that could be read, with the model that gave it."""

    __slots__ = ("model", "parsed")

    def __init__(self, parsed: P, model: str) -> None:
        self.parsed = parsed
        self.model = model


async def ask_until_read(
    ask: Ask, request: Request, attempts: int, parse: Callable[[Reply], P]
) -> Answered[P] | Reject:
    """Ask up to ``attempts`` times from the original prompt; the last reason is the reject's."""
    reason = detail = ""
    for attempt in range(attempts):
        reply = await ask(request.again(attempt))
        if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
            return Reject(str(reply.outcome), reply.detail, attempts=attempt + 1)
        parsed = parse(reply)
        if parsed.status != "none":
            return Answered(parsed, reply.model)
        reason, detail = parsed.reason, parsed.detail
    return Reject(_REASONS.get(reason, reason), detail or reason, attempts=attempts)


_REASONS = {
    "no_json": "unreadable_reply",
    "empty": "unreadable_reply",
    "ambiguous": "unreadable_reply",
    "wrong_shape": "unreadable_reply",
}
