"""Requests and tokens per minute, enforced over short windows as Azure does it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

AZURE_WINDOWS = (1.0, 10.0)
"""Seconds over which Azure is known to enforce a limit per minute."""

Style = Literal["sliding", "fixed"]


class Window:
    """At most ``per_minute * seconds / 60`` in any ``seconds``, or in each aligned slice of them.

    A single amount above the limit passes when the window is empty: otherwise it never could.
    """

    def __init__(self, per_minute: float, seconds: float, style: Style) -> None:
        self.limit = per_minute * seconds / 60.0
        self.seconds = seconds
        self._sliding = style == "sliding"
        self._events: deque[tuple[float, float]] = deque()
        self._total = 0.0

    def room(self, now: float) -> float:
        """What is left in the window that holds ``now``."""
        self._expire(now)
        return max(0.0, self.limit - self._total)

    def delay(self, now: float, amount: float) -> float:
        """Seconds until ``amount`` would be admitted; 0 if it is now."""
        self._expire(now)
        if not self._events or self._total + amount <= self.limit + 1e-9:
            return 0.0
        if not self._sliding:
            return self._slice_end(now) - now
        excess = self._total + amount - self.limit
        for when, taken in self._events:
            excess -= taken
            if excess <= 1e-9:
                return when + self.seconds - now
        return self._events[-1][0] + self.seconds - now

    def take(self, now: float, amount: float) -> None:
        """Count ``amount``."""
        self._events.append((now, amount))
        self._total += amount

    def _slice_end(self, now: float) -> float:
        return (math.floor(now / self.seconds) + 1) * self.seconds

    def _expire(self, now: float) -> None:
        oldest = now - self.seconds if self._sliding else self._slice_end(now) - self.seconds
        events = self._events
        while events and (events[0][0] <= oldest if self._sliding else events[0][0] < oldest):
            self._total -= events.popleft()[1]
        if not events:
            self._total = 0.0


@dataclass(slots=True)
class Limits:
    """The limits of one deployment.

    Attributes:
        rpm: requests per minute, None for no limit.
        tpm: tokens per minute (prompt estimate + ``max_tokens``), None for no limit.
        windows: seconds over which both are enforced.
        style: ``sliding`` (any stretch of that length) or ``fixed`` (aligned slices).
        count_rejected: a rejected request uses up requests per minute too.
        headers: send ``x-ratelimit-*``; not every deployment does.
    """

    rpm: float | None = None
    tpm: float | None = None
    windows: tuple[float, ...] = AZURE_WINDOWS
    style: Style = "sliding"
    count_rejected: bool = False
    headers: bool = True
    _requests: list[Window] = field(init=False, repr=False)
    _tokens: list[Window] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._requests = [Window(self.rpm, s, self.style) for s in self.windows if self.rpm]
        self._tokens = [Window(self.tpm, s, self.style) for s in self.windows if self.tpm]

    def admit(self, now: float, tokens: float) -> tuple[str, float]:
        """Admit a request of ``tokens`` or say what is short.

        Returns:
            ``("", 0)`` if admitted, else ``("call" or "token", seconds to wait)``.
        """
        calls = max((w.delay(now, 1.0) for w in self._requests), default=0.0)
        token = max((w.delay(now, tokens) for w in self._tokens), default=0.0)
        if calls > 0 or token > 0:
            if self.count_rejected:
                for window in self._requests:
                    window.take(now, 1.0)
            return ("call", calls) if calls >= token else ("token", token)
        for window in self._requests:
            window.take(now, 1.0)
        for window in self._tokens:
            window.take(now, tokens)
        return "", 0.0

    def rate_headers(self, now: float) -> Iterator[tuple[str, str]]:
        """The ``x-ratelimit-*`` headers; what remains is counted in the tightest window."""
        if not self.headers:
            return
        for name, per_minute, windows in (
            ("requests", self.rpm, self._requests),
            ("tokens", self.tpm, self._tokens),
        ):
            if per_minute:
                tightest = min(windows, key=lambda w: w.room(now))
                yield f"x-ratelimit-limit-{name}", str(int(per_minute))
                yield f"x-ratelimit-remaining-{name}", str(int(tightest.room(now)))
                yield f"x-ratelimit-reset-{name}", str(math.ceil(tightest.seconds))
