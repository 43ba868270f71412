"""The request engine: one call, ``ask``, behind which nothing is sent twice, lost or leaked.

Order for one request: governance (of every deployment when the engine is opened, and again before
each attempt), journal, join an identical request under way, budget, limiter, one attempt, classify,
settle, try again or finish, journal, wake those who wait. Each distinct request under way is one
task of the engine, not of a caller: a caller that is cancelled leaves it to the others that wait
for it, and the last one to leave cancels it.

An error that no other request could escape (key, budget, governance, disk, no progress) ends the
engine: everybody who waits gets it, and every later question too.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import BackendError, DataError, PipelineError, Stopped
from pipeline.llm.backends.base import Attempt, Backend, Fault, FaultKind, Listen
from pipeline.llm.budget import BudgetGuard, Cost
from pipeline.llm.config import BackendConfig, Deployment, DeploymentConfig
from pipeline.llm.journal import Journal
from pipeline.llm.journal_lines import Entry, Spent
from pipeline.llm.limiter import Ending, Limiter
from pipeline.llm.pool import Pool
from pipeline.llm.prices import cost
from pipeline.llm.tokens import TokenEstimate, max_output, prompt_size
from pipeline.llm.types import Ask, Deferred, Outcome, Reply, Request, Usage

Gate = Callable[[DeploymentConfig | None], None]
"""Raises GovernanceError if requests may not go there; cheap when repeated.

None is a model in this process.
"""

Defer = Callable[[str, Request, str], None]
"""Takes (key, request, stage) to be answered by a batch job."""

SUSPECT_FAULTS = 3
"""So many faults in a row that smell of a wrong address, and no answer ever: stop.

At least half as many as are under way, though: faults may come faster than the first answers.
"""
FEW = 3
"""With fewer requests under way a failing request cannot be told from a failing service."""
BREATHE = 64
"""So often the event loop gets its turn, even where all is in the journal and nothing waits."""
PATIENCE, LEAST_PATIENCE_S, ENOUGH_ANSWERS = 10.0, 20.0, 100
"""After so many answers a first attempt waits ten times the slowest of late, at least 20 s.

A connection that hangs for ever then holds up a run for seconds instead of ``timeout_s``; the next
attempt has all of ``timeout_s``, so that a request which is really that slow is not lost.
"""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0


@dataclass(slots=True)
class _Call:
    """A distinct request under way and those who wait for it."""

    key: str
    request: Request
    stage: str
    answer: asyncio.Future[Reply]
    task: asyncio.Task[None] | None = None
    waiting: int = 0


class _Ear:
    """Hands pieces of an answer on and remembers them: after the first one nothing starts anew."""

    def __init__(self, listen: Listen) -> None:
        self._listen = listen
        self.pieces: list[str] = []

    def hear(self, piece: str) -> None:
        self.pieces.append(piece)
        self._listen(piece)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    reused: int = 0
    joined: int = 0
    retries: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)


class Engine:
    """Asks the deployments of one backend. Made by :func:`pipeline.llm.open.open_engine`.

    Args:
        config: the backend of the recipe.
        backends: one for each of its deployments, in their order.
        journal: where replies are kept.
        gate: asked before every attempt.
        defer: in batch mode, takes what is not in the journal.
        rng: spreads the waits before another attempt.
    """

    def __init__(
        self,
        config: BackendConfig,
        backends: Sequence[Backend],
        journal: Journal,
        gate: Gate,
        *,
        defer: Defer | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self.config = config
        self.journal = journal
        self._gate = gate
        self._defer = defer
        self._rng = rng or random.Random()
        self._pool = Pool([Limiter(one.deployment) for one in backends])
        self._backends = {one.deployment.label: one for one in backends}
        spent = Spent.sum(journal.spent.values())
        self._budget = BudgetGuard(config.budget, Cost(spent.replies, spent.tokens, spent.money))
        size, tokens = journal.sizes
        self._estimate = TokenEstimate(size / tokens) if tokens > 1_000 else TokenEstimate()
        self._calls: dict[str, _Call] = {}
        self._failure: PipelineError | None = None
        self._counts = _Counts()
        self._suspects: Counter[str] = Counter()
        self._slowest: dict[str, float] = {}
        self._last_answer = -math.inf
        self._busy_since = 0.0
        self._no_progress_s = max(  # never shorter than one request may take
            config.no_progress_minutes * 60, *(one.deployment.timeout_s for one in backends)
        )
        self._watch: asyncio.TimerHandle | None = None

    def for_stage(self, stage: str) -> Ask:
        """The ``ask`` of a stage; what it spends is counted under its name."""

        async def ask(request: Request) -> Reply:
            return await self.ask(request, stage)

        return ask

    async def ask(self, request: Request, stage: str = "") -> Reply:
        """Answer ``request`` from the journal, or by sending it once.

        Raises:
            Deferred: in batch mode, if it is not in the journal yet.
            DataError: the request cannot be sent by anyone; a reject of its record.
            PipelineError: the engine cannot go on; its exit code says what that means.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        request = complete(request, self.config)
        try:
            key = request.key()
        except TypeError:  # a lone surrogate, or no JSON at all
            raise DataError("unencodable", "the request cannot be written as JSON") from None
        self._counts.requests += 1
        if not self._counts.requests % BREATHE:
            await asyncio.sleep(0)
        known = self.journal.get(key)
        if known is not None:
            self._counts.reused += 1
            return known
        if self._defer is not None:
            self._defer(key, request, stage)
            raise Deferred
        call = self._calls.get(key)
        if call is None:
            call = self._start(key, request, stage)
        else:
            self._counts.joined += 1
        call.waiting += 1
        try:
            return await asyncio.shield(call.answer)
        finally:
            call.waiting -= 1
            if not call.waiting and not call.answer.done():
                self._abandon(call)

    async def converse(self, request: Request, listen: Listen) -> Reply:
        """Answer a turn of a conversation: sent each time, handed on in pieces, kept nowhere.

        Gate, budget, limiter and retry are those of every request; journal and sharing are not,
        because nobody resumes a conversation. Once a piece was heard nothing is sent again: an
        answer that breaks off is ``failed``, with the text that came.

        Raises:
            DataError: the request cannot be sent by anyone.
            PipelineError: the backend cannot answer; the engine can be asked again.
        """
        if self._failure is not None:
            raise self._failure.with_traceback(None)
        request = complete(request, self.config)
        self._counts.requests += 1
        size, images = prompt_size(request)
        prompt, output = self._estimate.prompt(size, images), max_output(request)
        worst = Cost(1, prompt + output, self._money(Usage(prompt, output)))
        ear = _Ear(listen)
        used: Cost | None = None
        await self._budget.reserve(worst)
        try:
            reply, _ = await self._until_done(request, prompt + output, ear)
            usage = reply.usage
            used = Cost(1, usage.prompt_tokens + usage.completion_tokens, self._money(usage))
            if not images:
                self._estimate.learn(size, usage.prompt_tokens)
            self._counts.outcomes[reply.outcome.value] += 1
            return reply
        finally:
            if used is None or not used.tokens:  # broken off, stopped, or the server does not count
                heard = len(ear.text.encode(errors="replace"))
                usage = Usage(prompt, self._estimate.prompt(heard)) if heard else Usage()
                used = Cost(
                    int(heard > 0),
                    usage.prompt_tokens + usage.completion_tokens,
                    self._money(usage),
                )
            self._budget.settle(worst, used)

    def stats(self) -> dict[str, Any]:
        """Counts of this session, and by stage what the run has spent in all its sessions."""
        counts, limiters = self._counts, self._pool.limiters
        return {
            "requests": counts.requests,
            "reused": counts.reused,
            "joined": counts.joined,
            "sent": sum(one.stats.sent for one in limiters),
            "retries": counts.retries,
            "rate_limited": sum(one.stats.rate_limited for one in limiters),
            "outcomes": dict(counts.outcomes),
            "under_way": len(self._calls),
            "currency": self.config.prices.currency if self.config.prices else None,
            "spent": {name: one.as_json() for name, one in self.journal.spent.items()},
            "deployments": {one.deployment.label: one.as_json() for one in limiters},
        }

    def seal(self) -> None:
        """Merge what earlier sessions left in the journal; between stages, nothing under way."""
        self.journal.compact()

    async def close(self) -> None:
        """Cancel what is under way and flush the journal; what arrived is kept."""
        if self._watch is not None:
            self._watch.cancel()
        tasks = [call.task for call in self._calls.values() if call.task is not None]
        self._fail(Stopped("interrupted; run again to go on"))
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.journal.close()

    def _start(self, key: str, request: Request, stage: str) -> _Call:
        loop = asyncio.get_running_loop()
        if not self._calls:
            self._busy_since = loop.time()
        if self._watch is None:
            self._watch_progress()
        call = _Call(key, request, stage, loop.create_future())
        self._calls[key] = call
        call.task = loop.create_task(self._run(call))
        return call

    def _abandon(self, call: _Call) -> None:
        """Nobody waits any more: a later question must not join a dying call."""
        if self._calls.get(call.key) is call:
            del self._calls[call.key]
        call.answer.cancel()
        if call.task is not None:
            call.task.cancel()

    async def _run(self, call: _Call) -> None:
        try:
            reply = await self._answer(call)
        except DataError as error:  # of this request alone, such as a damaged image
            if not call.answer.done():
                call.answer.set_exception(error)
        except PipelineError as error:
            self._fail(error)
        except Exception as error:
            if not call.answer.done():
                call.answer.set_exception(error)
        else:
            self._counts.outcomes[reply.outcome.value] += 1
            if not call.answer.done():
                call.answer.set_result(reply)
        finally:
            if self._calls.get(call.key) is call:
                del self._calls[call.key]
            if not call.answer.done():
                call.answer.cancel()

    def _fail(self, error: PipelineError) -> None:
        """End the engine: everybody who waits gets ``error``, what is under way is cancelled."""
        if self._failure is None:
            self._failure = error
        current = asyncio.current_task()
        for call in self._calls.values():
            if not call.answer.done():
                call.answer.set_exception(self._failure)
                call.answer.exception()  # somebody may have stopped waiting: no warning then
            if call.task is not None and call.task is not current:
                call.task.cancel()

    async def _answer(self, call: _Call) -> Reply:
        size, images = prompt_size(call.request)
        prompt, output = self._estimate.prompt(size, images), max_output(call.request)
        worst = Cost(1, prompt + output, self._money(Usage(prompt, output)))
        used = Cost()
        await self._budget.reserve(worst)
        try:
            reply, deployment = await self._until_done(call.request, prompt + output)
            if reply.outcome is Outcome.FAILED:
                return reply
            usage = reply.usage
            used = Cost(1, usage.prompt_tokens + usage.completion_tokens, self._money(usage))
            if reply.text and not used.tokens:
                used = worst  # the server does not count: a budget must not be blind
            if not images:
                self._estimate.learn(size, usage.prompt_tokens)
            entry = Entry(
                call.key,
                reply,
                run=self.journal.run,
                stage=call.stage,
                deployment=deployment.label,
                money=used.money,
                size=0 if images else size,
            )
            await self.journal.write(entry)
            return reply
        finally:
            self._budget.settle(worst, used)

    async def _until_done(
        self, request: Request, tokens: int, ear: _Ear | None = None
    ) -> tuple[Reply, Deployment]:
        """Attempt until there is an outcome, or until trying again makes no sense."""
        loop = asyncio.get_running_loop()
        began, attempts, faults = loop.time(), 0, 0
        while True:
            attempt, limiter = await self._once(request, tokens, ear, first=not attempts)
            attempts += 1
            if attempt.reply is not None:
                return attempt.reply, limiter.deployment
            fault = attempt.fault
            assert fault is not None
            if ear is not None and ear.pieces:
                broken = Reply(Outcome.FAILED, ear.text, finish_reason="", detail=fault.code)
                return broken, limiter.deployment
            self._stop_if_hopeless(fault, limiter)
            faults += fault.kind is FaultKind.TRANSIENT
            if fault.kind is FaultKind.REJECTED or self._give_up(began, faults, fault):
                detail = f"{fault.code}: {fault.detail}" if fault.detail else fault.code
                failed = Reply(Outcome.FAILED, finish_reason="", detail=detail)
                return failed, limiter.deployment
            self._counts.retries += 1
            await asyncio.sleep(self._wait(fault, attempts))

    async def _once(
        self, request: Request, tokens: int, ear: _Ear | None, *, first: bool
    ) -> tuple[Attempt, Limiter]:
        """One attempt under a permit that is settled whatever happens."""
        permit = await self._pool.acquire(tokens)
        deployment = permit.limiter.deployment
        ending, used = Ending.ABANDONED, None
        try:
            self._gate(deployment.target)
            backend = self._backends[deployment.label]
            if ear is not None:
                attempt = await backend.attempt(request, listen=ear.hear)
            else:
                deadline = self._patience(permit.limiter) if first else None
                attempt = await backend.attempt(request, deadline)
            if attempt.headers is not None:
                permit.limiter.learn(attempt.headers)
            if attempt.reply is not None:
                ending = Ending.ANSWERED
                usage = attempt.reply.usage
                used = usage.prompt_tokens + usage.completion_tokens or None
                self._last_answer = now = asyncio.get_running_loop().time()
                took, slowest = now - permit.started, self._slowest.get(deployment.label, 0.0)
                self._slowest[deployment.label] = max(took, slowest * 0.999)
            elif attempt.fault is not None:
                ending = _ENDINGS[attempt.fault.kind]
            return attempt, permit.limiter
        finally:
            self._pool.settle(permit, ending, used)

    def _patience(self, limiter: Limiter) -> float | None:
        """Deadline of a first attempt, None for that of the deployment."""
        if limiter.stats.answered < ENOUGH_ANSWERS:
            return None
        deployment = limiter.deployment
        slowest = self._slowest.get(deployment.label, math.inf)
        return min(deployment.timeout_s, max(LEAST_PATIENCE_S, PATIENCE * slowest))

    def _stop_if_hopeless(self, fault: Fault, limiter: Limiter) -> None:
        """Raise where no other request can do better."""
        label = limiter.deployment.label
        problem = f"{label}: {fault.code}" + (f": {fault.hint}" if fault.hint else "")
        if fault.kind is FaultKind.FATAL:
            raise BackendError(fault.code, problem)
        if label not in self._slowest:
            self._suspects[label] = self._suspects[label] + 1 if fault.suspect else 0
            if self._suspects[label] >= max(SUSPECT_FAULTS, limiter.in_flight // 2):
                raise BackendError(fault.code, problem)
        if (fault.retry_after or 0) > self.config.retry.total_seconds:
            raise Stopped(f"{label} asks to wait {fault.retry_after:.0f} s; run again after that")

    def _give_up(self, began: float, faults: int, fault: Fault) -> bool:
        """Whether this request is the problem.

        While nobody gets an answer it is the service: then requests wait on, until the run stops
        for want of progress, and an outage of minutes rejects nothing.
        """
        late = asyncio.get_running_loop().time() - began > self.config.retry.total_seconds
        if not late and faults < self.config.retry.attempts:
            return False
        if self._last_answer == -math.inf:
            raise Stopped(f"no answer yet, last fault {fault.code}; run again when it works")
        return late or self._last_answer > began or len(self._calls) < FEW

    def _wait(self, fault: Fault, attempts: int) -> float:
        if fault.retry_after is not None:
            return fault.retry_after * self._rng.uniform(1.0, 1.1)
        longest = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(attempts - 1, 10))
        return longest * self._rng.uniform(0.5, 1.0)

    def _watch_progress(self) -> None:
        """Stop a run that gets no answer for the time the recipe allows."""
        loop = asyncio.get_running_loop()
        limit = self._no_progress_s
        idle = loop.time() - max(self._last_answer, self._busy_since)
        if self._calls and idle >= limit:
            self._fail(Stopped(f"no answer for {limit / 60:g} minutes; run again to go on"))
            return
        self._watch = loop.call_later(limit - idle if self._calls else limit, self._watch_progress)

    def _money(self, usage: Usage) -> float:
        return cost(usage, self.config.prices)


def complete(request: Request, config: BackendConfig) -> Request:
    """``request`` with model and parameters of the recipe: part of what is asked, so of the key."""
    given = request.params
    return Request(
        request.task,
        request.messages,
        request.model or config.model,
        {**config.params, **given} if config.params else given,
        request.schema,
        request.sample,
        request.payload,
        request.record_id,
    )


_ENDINGS = {
    FaultKind.TRANSIENT: Ending.FAULT,
    FaultKind.FATAL: Ending.FAULT,
    FaultKind.RATE_LIMIT: Ending.RATE_LIMITED,
    FaultKind.REJECTED: Ending.ANSWERED,
}
