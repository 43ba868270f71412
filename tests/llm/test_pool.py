"""Several deployments as one: first come first served, each on the one that is free first."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from pipeline.llm.config import DeploymentConfig
from pipeline.llm.limiter import Ending, Limiter
from pipeline.llm.pool import Pool
from tests.support.virtual_time import run_virtual


def limiter(name: str, **fields: Any) -> Limiter:
    return Limiter(
        DeploymentConfig.model_validate(
            {"kind": "openai", "url": "http://localhost:1", "deployment": name, **fields}
        )
    )


def test_requests_go_where_there_is_room_first() -> None:
    async def main() -> Counter[str]:
        pool = Pool([limiter("slow", rpm=60), limiter("fast", rpm=600)])
        used: Counter[str] = Counter()

        async def one() -> None:
            permit = await pool.acquire(10)
            used[permit.limiter.deployment.deployment] += 1
            await asyncio.sleep(0.1)
            pool.settle(permit, Ending.ANSWERED)

        await asyncio.gather(*(one() for _ in range(110)))
        assert asyncio.get_running_loop().time() == pytest.approx(1_010, abs=0.5)
        return used

    used = run_virtual(main())
    assert used["fast"] == pytest.approx(100, abs=2)
    assert used["slow"] == pytest.approx(10, abs=2)


def test_equal_deployments_share_the_work() -> None:
    async def main() -> list[int]:
        limiters = [limiter(name, concurrency=10) for name in "abc"]
        pool = Pool(limiters)

        async def one() -> None:
            permit = await pool.acquire(10)
            await asyncio.sleep(1)
            pool.settle(permit, Ending.ANSWERED)

        await asyncio.gather(*(one() for _ in range(90)))
        return [one.stats.sent for one in limiters]

    assert run_virtual(main()) == [30, 30, 30]


def test_first_come_first_served() -> None:
    async def main() -> list[int]:
        pool = Pool([limiter("a", concurrency=1)])
        order: list[int] = []

        async def one(number: int) -> None:
            permit = await pool.acquire(1)
            order.append(number)
            await asyncio.sleep(0.1)
            pool.settle(permit, Ending.ANSWERED)

        await asyncio.gather(*(one(number) for number in range(20)))
        return order

    assert run_virtual(main()) == list(range(20))


def test_whoever_is_cancelled_takes_no_slot_with_him() -> None:
    async def main() -> int:
        one = limiter("a", concurrency=1)
        pool = Pool([one])
        first = await pool.acquire(1)
        waiting = [asyncio.create_task(pool.acquire(1)) for _ in range(3)]
        await asyncio.sleep(0.01)
        waiting[0].cancel()  # while it waits
        await asyncio.sleep(0.01)
        pool.settle(first, Ending.ANSWERED)  # grants the second ...
        waiting[1].cancel()  # ... which is cancelled before it could run
        permit = await waiting[2]
        pool.settle(permit, Ending.ANSWERED)
        return one.in_flight

    assert run_virtual(main()) == 0


def test_a_dead_deployment_does_not_swallow_the_requests() -> None:
    """It answers at once with faults, and so would always be the first one free."""

    async def main() -> int:
        dead, alive = limiter("dead", concurrency=4), limiter("alive", concurrency=4)
        pool = Pool([dead, alive])

        async def one() -> None:
            while True:
                permit = await pool.acquire(1)
                if permit.limiter is alive:
                    await asyncio.sleep(0.5)
                    pool.settle(permit, Ending.ANSWERED)
                    return
                pool.settle(permit, Ending.FAULT)

        await asyncio.gather(*(one() for _ in range(100)))
        return dead.stats.faults

    assert run_virtual(main()) < 30
