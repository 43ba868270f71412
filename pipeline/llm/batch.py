"""Requests through the Batch API: half the price, an answer within a day.

A stage is run twice or more. In a first pass the engine hands every request that the journal cannot
answer to :meth:`BatchRunner.defer`, and the record is left for later. :meth:`BatchRunner.run` sends
what was deferred as batch jobs and puts the answers into the journal. When nothing is deferred any
more, the stage is run for good and finds every reply::

    async with open_batch(config, settings, folder, journal, gate, run=run) as batch:
        while True:
            async with open_engine(config, journal, check, run=run, defer=batch.defer) as engine:
                ask = batch.asker(engine.for_stage(stage))
                ...  # process every record with ask; a Deferred leaves it for the next pass
            if not await batch.run():
                break
        ...  # process every record with ask once more: now each gets an answer

Nothing is submitted twice and no paid job is lost, whenever the process is killed: see
:mod:`pipeline.llm.batch_ledger`. What a killed process left is finished by the next ``run``.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pipeline.core.errors import BudgetExceeded
from pipeline.llm.backends.batch import BatchService
from pipeline.llm.backends.credentials import credentials_for
from pipeline.llm.batch_config import BatchConfig
from pipeline.llm.batch_intake import Intake, Setup
from pipeline.llm.batch_jobs import JobDriver
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.budget import Cost
from pipeline.llm.config import BackendConfig
from pipeline.llm.governance import Gate
from pipeline.llm.journal import Journal
from pipeline.llm.types import Ask, Deferred, Outcome, Reply, Request

SLOWEST_POLL = 10
"""Jobs without news are looked at ever more rarely, at least every so many poll intervals."""


class BatchRunner:
    """The batch jobs of a run. Made by :func:`open_batch`."""

    def __init__(
        self,
        setup: Setup,
        journal: Path,
        run: str,
        spent: Cost,
        sleep: Callable[[float], Awaitable[None]],
        clock: Callable[[], float],
    ) -> None:
        self._setup = setup
        self._journal = journal
        self._run = run
        self._sleep = sleep
        self._clock = clock
        self._intake = Intake(setup, spent)
        self._hopeless = ""

    def defer(self, key: str, request: Request, stage: str) -> None:
        """Take a request to be sent with the next jobs; one that is under way already is left.

        Raises:
            GovernanceError: data may not go there, or not to a service that stores it.
            ConfigError: a parameter of the request cannot be sent.
        """
        self._hopeless = self._intake.take(key, request, stage)

    def asker(self, ask: Ask) -> Ask:
        """``ask`` of an engine that defers to this runner; requests given up are ``failed``."""

        async def answer(request: Request) -> Reply:
            self._hopeless = ""
            try:
                return await ask(request)
            except Deferred:
                # The engine raises this straight after calling ``defer``: nothing came between.
                if not self._hopeless:
                    raise
                return Reply(Outcome.FAILED, finish_reason="", detail=self._hopeless)

        return answer

    async def run(self) -> int:
        """Send what was deferred, wait for all jobs, keep their answers.

        Returns:
            The number of requests that were waited for; 0 if there was nothing to wait for.

        Raises:
            Stopped: the service is away, or a person cancelled a job; run again to go on.
            BudgetExceeded: nothing more may be spent; what was paid for is in the journal.
            BackendError: the service refuses jobs as configured.
            GovernanceError: data may not go there.
        """
        self._intake.finish()
        ledger, poll = self._setup.ledger, self._setup.settings.poll_seconds
        requests = sum(job.lines for job in ledger.open_jobs())
        if not requests:
            if self._intake.over_budget:
                raise BudgetExceeded(
                    f"the budget of {self._intake.over_budget} does not allow the next request; "
                    "raise it and run again"
                )
            return 0
        journal = Journal(self._journal, self._run)
        try:
            driver, wait = JobDriver(self._setup, journal, self._clock), poll
            while jobs := ledger.open_jobs():
                if any([await driver.step(job) for job in jobs]):
                    wait = poll
                else:
                    await self._sleep(wait)
                    wait = min(wait * 1.5, poll * SLOWEST_POLL)
            self._intake.forget(_spent(journal))
        finally:
            await journal.close()
        return requests

    def stats(self) -> dict[str, Any]:
        """Counts for ``status`` and the manifest; no text."""
        jobs = list(self._setup.ledger.jobs.values())
        return {
            "jobs": len(jobs),
            "open": len(self._setup.ledger.open_jobs()),
            "requests": sum(job.lines for job in jobs if job.attempt == 1),
            "failed": len(self._setup.ledger.failed),
            "stored_files": dict(Counter(r for job in jobs for r in job.deleted.values())),
        }

    async def close(self) -> None:
        """Drop what was deferred and not sent; jobs at the service go on without us."""
        self._intake.discard()
        self._setup.ledger.close()
        for service in self._setup.services.values():
            await service.close()


@asynccontextmanager
async def open_batch(
    config: BackendConfig,
    settings: BatchConfig,
    folder: Path,
    journal: Path,
    gate: Gate,
    *,
    run: str = "",
    environ: Mapping[str, str] = os.environ,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> AsyncIterator[BatchRunner]:
    """Open the batch jobs of a run and close them at the end; jobs at the service go on.

    Args:
        config: the backend of the recipe.
        settings: its ``batch`` part.
        folder: where jobs are kept; their files hold notes until the jobs are done.
        journal: folder of replies, as given to ``open_engine``.
        gate: decides whether data may go there.
        run: id of the run, under which spending is added up.
        environ: where ``key_env`` is looked up.
        sleep: waits between two looks; for tests.
        clock: monotonic seconds; for tests.

    Raises:
        ConfigError: a key is missing, or the folder is damaged.
    """
    journal = Path(config.journal) if config.journal else journal
    replies = Journal(journal, run)
    spent = _spent(replies)
    await replies.close()
    ledger = Ledger(folder)
    ledger.sweep()
    services = {
        one.label: BatchService(one, credentials_for(one, environ)) for one in config.services
    }
    setup = Setup(
        config, settings, folder, gate, services, ledger, lambda: f"cxr-{uuid.uuid4().hex}"
    )
    runner = BatchRunner(setup, journal, run, spent, sleep, clock)
    try:
        yield runner
    finally:
        await runner.close()


def _spent(journal: Journal) -> Cost:
    parts = journal.spent.values()
    return Cost(
        sum(one.replies for one in parts),
        sum(one.tokens for one in parts),
        sum(one.money for one in parts),
    )
