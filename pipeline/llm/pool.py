"""Deployments that can answer for one another: each request starts on the one free first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from pipeline.llm.limiter import Ending, Limiter, Permit

SOON_S = 0.0005
"""A start this near is not worth a timer: the clock of the event loop is no finer."""

STARTS_PER_TURN = 4
"""Starts in one turn of the event loop: answers that came meanwhile go first.

A start costs as much CPU as an answer; in heaps of hundreds, answers would wait behind starts, and
an answer that waits is not in the journal yet.
"""


class Pool:
    """A queue, first come first served, in front of the limiters of several deployments."""

    def __init__(self, limiters: Sequence[Limiter]) -> None:
        self.limiters = tuple(limiters)
        self._waiting: deque[tuple[int, asyncio.Future[Permit]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._starts = 0

    async def acquire(self, tokens: int) -> Permit:
        """Wait for the right to send a request of ``tokens`` (prompt and maximum output)."""
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[Permit] = loop.create_future()
        self._waiting.append((tokens, granted))
        self._serve()
        try:
            permit = await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.settle(granted.result(), Ending.ABANDONED)
            raise
        permit.start(loop.time())
        return permit

    def settle(self, permit: Permit, ending: Ending, used_tokens: int | None = None) -> None:
        """Give a permit back and let the next ones start."""
        permit.settle(asyncio.get_running_loop().time(), ending, used_tokens)
        self._serve()

    def _serve(self) -> None:
        """Start whoever can start, in order; set the timer for the next one."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        while self._waiting:
            tokens, granted = self._waiting[0]
            if granted.done():  # cancelled while it waited
                self._waiting.popleft()
                continue
            now = loop.time()
            when, limiter = min(
                ((one.ready_at(now, tokens), one) for one in self.limiters), key=_start
            )
            if when > now + SOON_S:
                if when < float("inf"):
                    self._timer = loop.call_at(when, self._serve)
                return
            if self._starts >= STARTS_PER_TURN:
                return  # _next_turn is on its way
            if not self._starts:
                loop.call_soon(self._next_turn)
            self._starts += 1
            self._waiting.popleft()
            granted.set_result(limiter.take(max(now, when), tokens))

    def _next_turn(self) -> None:
        self._starts = 0
        self._serve()


def _start(choice: tuple[float, Limiter]) -> tuple[float, float]:
    """Earliest first; among equals the one with most room left."""
    when, limiter = choice
    return when, limiter.in_flight / limiter.deployment.concurrency
