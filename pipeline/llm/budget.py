"""What a run may still use: the worst case is reserved before a request, then what it took."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from pipeline.core.errors import BudgetExceeded
from pipeline.llm.config import Budget


@dataclass(frozen=True, slots=True)
class Cost:
    """Requests, tokens and money of one request, or of many."""

    requests: int = 0
    tokens: int = 0
    money: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.requests + other.requests,
            self.tokens + other.tokens,
            self.money + other.money,
        )

    def __sub__(self, other: Cost) -> Cost:
        return self + Cost(-other.requests, -other.tokens, -other.money)


class BudgetGuard:
    """Keeps spent plus reserved within the budget.

    Near the end a request waits until those under way are settled, because they mostly take less
    than their worst case; only when none is under way and there is still no room it is refused.
    """

    def __init__(self, budget: Budget, spent: Cost = Cost()) -> None:
        self._limits = {
            "requests": budget.requests or math.inf,
            "tokens": budget.tokens or math.inf,
            "money": budget.money or math.inf,
        }
        self._limited = any(limit < math.inf for limit in self._limits.values())
        self.spent = spent
        self.reserved = Cost()
        self._under_way = 0
        self._changed = asyncio.Event()

    async def reserve(self, worst: Cost) -> None:
        """Set ``worst`` aside.

        Raises:
            BudgetExceeded: there is no room and nothing under way could make some.
        """
        while self._limited and (short := self._short(worst)):
            if not self._under_way:
                raise BudgetExceeded(
                    f"the budget of {self._limits[short]:g} {short} is used up "
                    f"({getattr(self.spent, short):.6g} spent); raise it and run again"
                )
            self._changed.clear()
            await self._changed.wait()
        self.reserved += worst
        self._under_way += 1

    def settle(self, worst: Cost, used: Cost) -> None:
        """Replace a reservation by what was used."""
        self.reserved -= worst
        self.spent += used
        self._under_way -= 1
        self._changed.set()

    def _short(self, worst: Cost) -> str | None:
        total = self.spent + self.reserved + worst
        for name, limit in self._limits.items():
            if getattr(total, name) > limit * (1 + 1e-12):
                return name
        return None
