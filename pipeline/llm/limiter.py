"""How fast one deployment may be asked: requests and tokens per minute, and how many at once.

Three rules, from what Azure and others were seen to enforce:

- starts are spread evenly, each one paying for the time until the next, and a hard count keeps
  every window of 1 s and 10 s within the limit (services check those, not the minute);
- one permit per attempt, settled exactly once, whatever happened to the attempt;
- a single 429 delays its own request and widens the safety margin a little; only when 429s are a
  fifth of the recent answers is the deployment slowed down, once per episode, and it grows back
  while it is really used.

Pure: the time is handed in, so that tests run on a clock of their own. Times are seconds of one
monotonic clock.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pipeline.llm.backends.base import RateHeaders
from pipeline.llm.config import Deployment

SLACK_S = 0.1
"""Lateness of the event loop that the pace makes up for; the windows stay hard."""
LEAST_INTERVAL_S = 0.0005
"""Even without limits starts are spread a little: answers in one heap are answers not yet kept."""
MARGIN_S, MOST_MARGIN_S, MARGIN_STEP_S = 0.008, 0.08, 0.002
"""Windows are held so much longer than the service's: requests do not all travel alike."""
FIRST_MARGIN_S = 0.03
"""The margin at first, until it has shrunk: the first requests also open their connections."""
RECENT, EPISODE = 64, 13
"""An episode of rate limiting: so many 429s among the most recent answers."""
CUT, GROWTH = 0.7, 0.05
"""Concurrency and pace keep 70 % in an episode; concurrency grows 5 % per round of answers."""
LEAST_PACE = 0.02
DEAD_AFTER, LONGEST_REST_S = 8, 30.0
"""A deployment that fails so often in a row rests, longer each time, while others work."""


class Ending(Enum):
    """What became of an attempt, as far as limits are concerned."""

    ANSWERED = "answered"
    RATE_LIMITED = "rate_limited"
    FAULT = "fault"
    ABANDONED = "abandoned"


@dataclass(slots=True)
class _Entry:
    time: float
    amount: float


class Window:
    """At most ``per_minute * seconds / 60`` in any stretch of ``seconds``.

    An amount larger than the whole window passes when the window is empty; else it never could.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._entries: deque[_Entry] = deque()
        self._total = 0.0

    def ready_at(self, now: float, amount: float, per_minute: float, margin_s: float) -> float:
        """The earliest time, ``now`` or later, at which ``amount`` fits."""
        held = self.seconds + margin_s
        entries = self._entries
        while entries and entries[0].time + held <= now:
            self._total -= entries.popleft().amount
        if not entries:
            self._total = 0.0
            return now
        excess = self._total + amount - per_minute * self.seconds / 60 - 1e-6
        ready = now
        for entry in entries:
            if excess <= 0:
                break
            excess -= entry.amount
            ready = entry.time + held
        return ready

    def take(self, now: float, amount: float) -> _Entry:
        """Count ``amount`` as started now."""
        entry = _Entry(now, amount)
        self._entries.append(entry)
        self._total += amount
        return entry

    def correct(self, entry: _Entry, amount: float) -> None:
        """Replace the amount of an entry, if it is still in the window."""
        if self._entries and entry.time >= self._entries[0].time:
            self._total += amount - entry.amount
            entry.amount = amount


@dataclass(slots=True)
class Permit:
    """The right to one attempt; :meth:`settle` gives it back, exactly once."""

    limiter: Limiter
    tokens: int
    started: float
    calls: list[_Entry]
    entries: list[_Entry]
    settled: bool = False

    def start(self, now: float) -> None:
        """Say when the attempt really started: on a busy loop later than the permit was given."""
        self.started = now
        for entry in self.calls:
            entry.time = now
        for entry in self.entries:
            entry.time = now

    def settle(self, now: float, ending: Ending, used_tokens: int | None = None) -> None:
        """Give the permit back.

        Args:
            now: the time.
            ending: what became of the attempt.
            used_tokens: prompt and completion tokens the service counted, if it said so.

        Raises:
            RuntimeError: it was settled before.
        """
        if self.settled:
            raise RuntimeError("a permit was settled twice")
        self.settled = True
        self.limiter._settle(self, now, ending, used_tokens)


@dataclass(slots=True)
class LimiterStats:
    """What a deployment did so far."""

    sent: int = 0
    answered: int = 0
    rate_limited: int = 0
    faults: int = 0
    episodes: int = 0


@dataclass(slots=True)
class _Health:
    recent: deque[bool] = field(default_factory=lambda: deque(maxlen=RECENT))
    cut_at: float = -math.inf
    failures: int = 0
    rest_until: float = -math.inf


class Limiter:
    """The limits of one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.stats = LimiterStats()
        self.in_flight = 0
        self.concurrency = float(deployment.concurrency)
        self.pace = 1.0
        self.rpm = deployment.rpm or math.inf
        self.tpm = deployment.tpm or math.inf
        self._requests = [Window(seconds) for seconds in deployment.windows_s]
        self._tokens = [Window(seconds) for seconds in deployment.windows_s]
        self._next_start = -math.inf
        self._margin_s = FIRST_MARGIN_S
        self._health = _Health()

    def ready_at(self, now: float, tokens: int) -> float:
        """When a request of ``tokens`` could start; infinite while every slot is taken."""
        if self.in_flight >= max(1, int(self.concurrency)):
            return math.inf
        ready = max(now, self._next_start, self._health.rest_until)
        rpm, tpm = self.rpm * self.pace, self.tpm * self.pace
        if rpm < math.inf:
            for window in self._requests:
                ready = max(ready, window.ready_at(now, 1, rpm, self._margin_s))
        if tpm < math.inf:
            for window in self._tokens:
                ready = max(ready, window.ready_at(now, tokens, tpm, self._margin_s))
        return ready

    def take(self, now: float, tokens: int) -> Permit:
        """Start a request now; only where :meth:`ready_at` said so."""
        self.in_flight += 1
        self.stats.sent += 1
        on_time = self._next_start >= now - SLACK_S
        self._next_start = (self._next_start if on_time else now) + self._interval(tokens)
        calls = [window.take(now, 1) for window in self._requests if self.rpm < math.inf]
        entries = [window.take(now, tokens) for window in self._tokens if self.tpm < math.inf]
        return Permit(self, tokens, now, calls, entries)

    def learn(self, headers: RateHeaders) -> None:
        """Follow the limits the service reports, never above what the recipe allows."""
        if headers.requests:
            self.rpm = min(headers.requests, self.deployment.rpm or math.inf)
        if headers.tokens:
            self.tpm = min(headers.tokens, self.deployment.tpm or math.inf)

    def as_json(self) -> dict[str, Any]:
        """What it did and what it allows now, for statistics."""
        return {
            "sent": self.stats.sent,
            "answered": self.stats.answered,
            "rate_limited": self.stats.rate_limited,
            "faults": self.stats.faults,
            "under_way": self.in_flight,
            "concurrency": int(self.concurrency),
            "rpm": None if self.rpm == math.inf else self.rpm,
            "tpm": None if self.tpm == math.inf else self.tpm,
            "pace": round(self.pace, 3),
        }

    def _interval(self, tokens: int) -> float:
        return max(60 / self.rpm, tokens * 60 / self.tpm, LEAST_INTERVAL_S) / self.pace

    def _settle(self, permit: Permit, now: float, ending: Ending, used: int | None) -> None:
        self.in_flight -= 1
        if used is not None and self.deployment.refund_tokens:
            for window, entry in zip(self._tokens, permit.entries, strict=False):
                window.correct(entry, used)
            if permit.entries:
                self._next_start -= (permit.tokens - used) * 60 / (self.tpm * self.pace)
        match ending:
            case Ending.ANSWERED:
                self.stats.answered += 1
                self._answered(permit, limited=False)
            case Ending.RATE_LIMITED:
                self.stats.rate_limited += 1
                self._margin_s = min(MOST_MARGIN_S, self._margin_s + MARGIN_STEP_S)
                self._next_start = max(self._next_start, now) + self._interval(permit.tokens)
                self._answered(permit, limited=True)
                self._cut_if_episode(now)
            case Ending.FAULT:
                self.stats.faults += 1
                self._failed(permit, now)
            case Ending.ABANDONED:
                pass

    def _answered(self, permit: Permit, *, limited: bool) -> None:
        """The service is alive; count the answer and grow back while the limit is really used."""
        health = self._health
        health.failures = 0
        if permit.started <= health.cut_at:
            return  # sent before the cut: belongs to the episode that is over
        health.recent.append(limited)
        if limited:
            return
        self._margin_s = max(MARGIN_S, self._margin_s - MARGIN_STEP_S / 20)
        self.pace = min(1.0, self.pace + GROWTH / RECENT)
        if self.in_flight + 1 >= 0.8 * int(self.concurrency):
            grown = self.concurrency + max(1.0, GROWTH * self.concurrency) / self.concurrency
            self.concurrency = min(grown, float(self.deployment.concurrency))

    def _cut_if_episode(self, now: float) -> None:
        if sum(self._health.recent) < EPISODE:
            return
        self._health.recent.clear()
        self._health.cut_at = now
        self.stats.episodes += 1
        self.pace = max(LEAST_PACE, self.pace * CUT)
        self.concurrency = max(1.0, min(self.concurrency, self.in_flight + 1) * CUT)

    def _failed(self, permit: Permit, now: float) -> None:
        health = self._health
        if permit.started < health.rest_until:
            return  # one outage counts once, however many requests it caught
        health.failures += 1
        if health.failures >= DEAD_AFTER:
            rest = 0.5 * 2.0 ** min(health.failures - DEAD_AFTER, 10)
            health.rest_until = now + min(rest, LONGEST_REST_S)
