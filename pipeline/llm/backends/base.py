"""What a backend is: one attempt at one request, classified. Everything else is the engine's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pipeline.llm.config import Deployment
from pipeline.llm.types import Reply, Request


class FaultKind(StrEnum):
    """What a fault means for the request; the engine decides what to do about it."""

    TRANSIENT = "transient"
    """May work next time: connection lost, deadline, 408, 409, 5xx, unreadable body."""
    RATE_LIMIT = "rate_limit"
    """429: too much at once."""
    REJECTED = "rejected"
    """This request can never work here (too long, unacceptable); others can."""
    FATAL = "fatal"
    """No request can work as configured: key, deployment, address, parameter."""


@dataclass(frozen=True, slots=True)
class Fault:
    """An attempt without an answer.

    Attributes:
        kind: what it means.
        code: short code, safe to log (``http_503``, ``timeout``, ``DeploymentNotFound``).
        retry_after: seconds the service asked to wait.
        suspect: it may come from a wrong address rather than from bad luck; repeated before the
            first answer it stops the run.
        hint: what to change, for the user; never text of a note or an answer.
        detail: numbers that belong into the reject of the record, such as a length and its limit.
    """

    kind: FaultKind
    code: str
    retry_after: float | None = None
    suspect: bool = False
    hint: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """Limits per minute as the service reported them in ``x-ratelimit-limit-*``."""

    requests: float | None = None
    tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """Result of one attempt: a reply, or a fault, and what the headers said of the limits."""

    reply: Reply | None = None
    fault: Fault | None = None
    headers: RateHeaders | None = None


Listen = Callable[[str], None]
"""Takes the next piece of an answer as it is made, for somebody who reads along."""


class Backend(Protocol):
    """One deployment, ready to be asked."""

    @property
    def deployment(self) -> Deployment:
        """What it talks to."""
        ...

    async def attempt(
        self, request: Request, deadline_s: float | None = None, listen: Listen | None = None
    ) -> Attempt:
        """Send ``request`` once. Never raises for anything the service or the network does.

        Args:
            request: what to send.
            deadline_s: a shorter deadline than that of the deployment.
            listen: takes the pieces of the answer as they are made, and must not raise. The attempt
                that is returned is the same as without it; the deadline then counts from the last
                piece, because somebody reads along and can stop it.

        Raises:
            DataError: the request cannot be sent by anyone, such as one with a damaged image.
        """
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...
