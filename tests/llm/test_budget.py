"""The budget: near its end requests wait for those under way, and none goes over it."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.errors import BudgetExceeded
from pipeline.llm.budget import BudgetGuard, Cost
from pipeline.llm.config import Budget
from tests.support.virtual_time import run_virtual


@settings(max_examples=80)
@given(
    limit=st.integers(1, 300),
    spent=st.integers(0, 100),
    works=st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), max_size=30),
)
def test_what_is_spent_never_exceeds_the_budget(
    limit: int, spent: int, works: list[tuple[int, float]]
) -> None:
    async def main() -> None:
        guard = BudgetGuard(Budget(tokens=limit), Cost(tokens=spent))

        async def work(worst: int, share: float) -> None:
            await guard.reserve(Cost(1, worst))
            await asyncio.sleep(share)
            guard.settle(Cost(1, worst), Cost(1, int(worst * share)))

        results = await asyncio.gather(*(work(*one) for one in works), return_exceptions=True)
        assert all(one is None or isinstance(one, BudgetExceeded) for one in results)
        assert guard.spent.tokens <= max(limit, spent)
        assert guard.reserved == Cost(0, 0, 0.0)
        refused = [w for w, r in zip(works, results, strict=True) if r is not None]
        assert all(guard.spent.tokens + worst > limit or spent > limit for worst, _ in refused)

    run_virtual(main())


def test_whoever_waits_for_the_budget_can_be_cancelled() -> None:
    async def main() -> None:
        guard = BudgetGuard(Budget(requests=1))
        await guard.reserve(Cost(1))
        waiting = asyncio.create_task(guard.reserve(Cost(1)))
        await asyncio.sleep(1)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        guard.settle(Cost(1), Cost(0))
        await guard.reserve(Cost(1))

    run_virtual(main())


def test_the_message_says_what_ran_out() -> None:
    async def main() -> None:
        guard = BudgetGuard(Budget(money=2.5), Cost(money=2.0))
        with pytest.raises(BudgetExceeded, match=r"2\.5 money is used up \(2 spent\)"):
            await guard.reserve(Cost(1, 10, 0.6))

    run_virtual(main())
