"""Whenever a batch run is killed or loses an answer, nothing is paid twice and nothing is lost."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.llm.backends.batch import BatchService, Problem, ServiceProblem
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.journal import Journal
from pipeline.llm.types import Outcome
from tests.support.batch_bench import TEXTS, Bench
from tests.support.model_server import ModelServer
from tests.support.model_server_batch import BatchPlan


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with ModelServer() as server:
        yield Bench(server, tmp_path)


class Killed(BaseException):
    """The process ends here."""


class Killer:
    """Kills the process before or after the n-th deed that leaves a trace anywhere."""

    deeds = (
        (BatchService, ("upload", "create", "job", "download", "delete", "find_file", "find_job")),
        (Ledger, ("_append",)),
        (Journal, ("append",)),
    )

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for owner, names in self.deeds:
            for name in names:
                monkeypatch.setattr(owner, name, self._wrap(getattr(owner, name)))

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed

    def _wrap(self, deed: Callable[..., Any]) -> Callable[..., Any]:
        if asyncio.iscoroutinefunction(deed):

            async def later(*args: Any, **options: Any) -> Any:
                self._count()
                call: Awaitable[Any] = deed(*args, **options)
                result = await call
                self._count()
                return result

            return later

        def now(*args: Any, **options: Any) -> Any:
            self._count()
            result = deed(*args, **options)
            self._count()
            return result

        return now


async def test_killed_at_any_moment_nothing_is_paid_twice_or_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = Killer(monkeypatch)
    monkeypatch.setattr(os, "fsync", lambda _: None)  # a killed process loses nothing by that
    texts = TEXTS[:3]
    moments = 0
    for moment in range(1, 1000, 3):  # every third: before and after a deed take turns
        async with ModelServer() as server:
            bench = Bench(server, tmp_path / str(moment))
            server.batch.plans.append(BatchPlan(outcome="expired"))
            killer.left = moment
            try:
                await bench.stage(texts)
            except Killed:
                moments += 1
            else:
                break
            finally:
                killer.left = -1
            answers = await bench.stage(texts)
            assert [answer.outcome for answer in answers] == [Outcome.OK] * 3, moment
            assert Counter(server.batch.submitted.values()) == {1: 1, 2: 2}, moment
            assert bench.leftovers() == [], moment
            journal = Journal(bench.replies, "run-1")
            assert journal.spent["keyinfo"].replies == 3, moment
            await journal.close()
    assert moments > 30


@pytest.mark.parametrize("deed", ["upload", "create"])
async def test_an_answer_that_is_lost_is_not_taken_for_a_failure(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    done = getattr(BatchService, deed)
    lost: list[str] = []

    async def lose_the_first(*args: Any) -> Any:
        result = await done(*args)
        if not lost:
            lost.append(deed)
            bench.server.batch.faults.append(429)  # the look for it fails at first, too
            raise ServiceProblem(Problem.UNSURE, "APITimeoutError")
        return result

    monkeypatch.setattr(BatchService, deed, lose_the_first)
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {1}
    assert bench.leftovers() == []


async def test_a_torn_last_line_of_the_ledger_is_a_step_not_taken(bench: Bench) -> None:
    await bench.stage(TEXTS)
    path = bench.batches / "jobs.jsonl"
    whole = path.read_bytes()
    names = {state for job in Ledger(bench.batches).jobs.values() for state in [job.state]}
    assert {name.value for name in names} == {"closed"}
    for cut in range(0, len(whole), 7):
        path.write_bytes(whole[:cut])
        Ledger(bench.batches).close()
        assert whole.startswith(path.read_bytes())
        assert not path.read_bytes() or path.read_bytes().endswith(b"\n")
