"""The engine against a scripted backend on a virtual clock: order, sharing, retry, stopping."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import (
    BackendError,
    BudgetExceeded,
    DataError,
    GovernanceError,
    PipelineError,
    Stopped,
)
from pipeline.llm.backends.base import Attempt, Fault, FaultKind
from pipeline.llm.config import DeploymentConfig, parse_backend
from pipeline.llm.engine import Engine
from pipeline.llm.journal import Journal
from pipeline.llm.journal_lines import Entry
from pipeline.llm.types import Deferred, Message, Outcome, Reply, Request, Usage
from tests.support.virtual_time import run_virtual

Script = Callable[[Request, int], Awaitable[Attempt]]


class QuickJournal(Journal):
    """Without fsync in a thread, which a virtual clock would not wait for."""

    async def write(self, entry: Entry) -> None:
        self.append(entry)


class Scripted:
    """A backend that answers as told, and remembers what it was sent."""

    def __init__(self, deployment: DeploymentConfig, script: Script) -> None:
        self.deployment = deployment
        self.script = script
        self.seen: list[str] = []
        self.deadlines: list[float | None] = []

    async def attempt(
        self,
        request: Request,
        deadline_s: float | None = None,
        listen: Callable[[str], None] | None = None,
    ) -> Attempt:
        self.deadlines.append(deadline_s)
        text = str(request.messages[0].content)
        self.seen.append(text)
        return await self.script(request, self.seen.count(text))

    async def close(self) -> None: ...


def ok(text: str = "fine", usage: Usage | None = None) -> Attempt:
    return Attempt(Reply(Outcome.OK, text, "stop", usage or Usage(10, 5)))


def fault(kind: FaultKind, code: str = "x", **fields: Any) -> Attempt:
    return Attempt(fault=Fault(kind, code, **fields))


async def answer(request: Request, attempt: int) -> Attempt:
    await asyncio.sleep(1)
    return ok(f"re: {request.messages[0].content}")


def ask_for(text: str, **fields: Any) -> Request:
    return Request("t", (Message("user", text),), params={"max_tokens": 10}, **fields)


class Bench:
    """An engine over scripted deployments; ``Bench(tmp_path, script, budget=...)``."""

    def __init__(
        self, folder: Path, *scripts: Script, options: dict[str, Any] | None = None, **config: Any
    ) -> None:
        pool = [
            {"url": f"http://localhost:{port}", "deployment": "d", **config.pop("each", {})}
            for port, _ in enumerate(scripts, start=1)
        ]
        self.config = parse_backend({"kind": "openai", "model": "m", "deployments": pool, **config})
        self.backends = [
            Scripted(one, script)
            for one, script in zip(self.config.deployments, scripts, strict=True)
        ]
        self.journal = QuickJournal(folder / "replies", "run-1")
        settings: dict[str, Any] = {"gate": lambda _: None, "rng": random.Random(1)}
        settings.update(options or {})
        self.engine = Engine(self.config, self.backends, self.journal, **settings)

    @property
    def seen(self) -> list[str]:
        return [text for one in self.backends for text in one.seen]


def run(bench: Bench, *asks: Request) -> list[Reply | BaseException]:
    async def main() -> list[Reply | BaseException]:
        replies = await asyncio.gather(
            *(bench.engine.ask(one, "stage") for one in asks), return_exceptions=True
        )
        await bench.engine.close()
        return replies

    return run_virtual(main())


def test_a_reply_is_journaled_and_the_next_run_asks_nothing(tmp_path: Path) -> None:
    (first,) = run(Bench(tmp_path, answer), ask_for("a"))
    assert isinstance(first, Reply)
    assert (first.text, first.reused) == ("re: a", False)
    bench = Bench(tmp_path, answer)
    (second,) = run(bench, ask_for("a"))
    assert isinstance(second, Reply)
    assert (second.text, second.reused) == ("re: a", True)
    assert bench.seen == []
    assert bench.engine.stats()["reused"] == 1


def test_parameters_of_the_recipe_are_part_of_the_identity(tmp_path: Path) -> None:
    run(Bench(tmp_path, answer, params={"temperature": 0}), ask_for("a"))
    bench = Bench(tmp_path, answer, params={"temperature": 1})
    run(bench, ask_for("a"))
    assert bench.seen == ["a"]


def test_identical_requests_under_way_are_sent_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    replies = run(bench, *[ask_for("same")] * 50, ask_for("other"))
    assert sorted(bench.seen) == ["other", "same"]
    assert all(isinstance(one, Reply) for one in replies)
    assert bench.engine.stats()["joined"] == 49


def test_another_sample_is_another_request(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    run(bench, *[ask_for("same", sample=number) for number in range(3)])
    assert len(bench.seen) == 3


def test_a_cancelled_caller_hands_the_request_to_those_who_joined(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)

    async def main() -> Reply:
        first = asyncio.create_task(bench.engine.ask(ask_for("a")))
        await asyncio.sleep(0.5)
        second = asyncio.create_task(bench.engine.ask(ask_for("a")))
        await asyncio.sleep(0.1)
        first.cancel()
        reply = await second
        assert first.cancelled()
        await bench.engine.close()
        return reply

    assert run_virtual(main()).text == "re: a"
    assert bench.seen == ["a"]


def test_the_last_caller_to_leave_cancels_the_request_and_its_permit(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer, each={"concurrency": 1})

    async def main() -> Reply:
        first = asyncio.create_task(bench.engine.ask(ask_for("a")))
        await asyncio.sleep(0.5)
        first.cancel()
        await asyncio.sleep(0)
        reply = await bench.engine.ask(ask_for("a"))  # asked anew, not joined to the dying one
        await bench.engine.close()
        return reply

    assert run_virtual(main()).text == "re: a"
    assert bench.seen == ["a", "a"]
    assert bench.engine.stats()["under_way"] == 0


@pytest.mark.parametrize(
    "outcome", [Outcome.LENGTH, Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.MALFORMED]
)
def test_outcomes_are_answers_sent_once_and_kept(tmp_path: Path, outcome: Outcome) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        return Attempt(Reply(outcome, "part", "x"))

    bench = Bench(tmp_path, script)
    (reply,) = run(bench, ask_for("a"))
    assert isinstance(reply, Reply)
    assert reply.outcome is outcome
    assert len(bench.seen) == 1
    again = Bench(tmp_path, script)
    run(again, ask_for("a"))
    assert again.seen == []


def times_out_first(count: int, kind: FaultKind, **fields: Any) -> Script:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(0.1)
        return fault(kind, **fields) if attempt <= count else ok()

    return script


def test_transient_faults_are_tried_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path, times_out_first(3, FaultKind.TRANSIENT))
    (reply,) = run(bench, ask_for("a"))
    assert isinstance(reply, Reply)
    assert reply.outcome is Outcome.OK
    assert len(bench.seen) == 4


def test_retry_after_is_honoured_and_the_slot_is_free_meanwhile(tmp_path: Path) -> None:
    times: list[tuple[str, float]] = []

    async def script(request: Request, attempt: int) -> Attempt:
        text = str(request.messages[0].content)
        times.append((text, asyncio.get_running_loop().time()))
        if text == "limited" and attempt == 1:
            return fault(FaultKind.RATE_LIMIT, retry_after=60.0)
        return ok()

    bench = Bench(tmp_path, script, each={"concurrency": 1})
    run(bench, ask_for("limited"), *[ask_for(str(n)) for n in range(5)])
    first, *others, last = times
    assert first[0] == last[0] == "limited"
    assert 60 <= last[1] - first[1] <= 66.5
    assert all(when - first[1] < 1 for _, when in others)


def test_429s_alone_never_reject_a_request_that_others_overtake(tmp_path: Path) -> None:
    bench = Bench(tmp_path, times_out_first(12, FaultKind.RATE_LIMIT, retry_after=1.0))
    (reply,) = run(bench, ask_for("a"))
    assert isinstance(reply, Reply)
    assert reply.outcome is Outcome.OK


def test_a_request_that_always_fails_ends_as_failed_while_others_work(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        if request.messages[0].content == "poison":
            return fault(FaultKind.TRANSIENT, "http_500")
        return await answer(request, attempt)

    bench = Bench(tmp_path, script, each={"concurrency": 2})
    replies = run(bench, *[ask_for(str(n)) for n in range(60)], ask_for("poison"))
    last = replies[-1]
    assert isinstance(last, Reply)
    assert (last.outcome, last.detail) == (Outcome.FAILED, "http_500")
    assert bench.seen.count("poison") == 6
    assert all(isinstance(r, Reply) and r.outcome is Outcome.OK for r in replies[:-1])
    again = Bench(tmp_path, answer)
    run(again, ask_for("poison"))
    assert again.seen == ["poison"]  # nothing was paid for, so nothing was kept


def test_a_poisoned_last_record_does_not_hold_up_the_run(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        return ok() if request.messages[0].content == "good" else fault(FaultKind.TRANSIENT)

    bench = Bench(tmp_path, script)

    async def main() -> Reply:
        await bench.engine.ask(ask_for("good"))
        await asyncio.sleep(1)
        reply = await bench.engine.ask(ask_for("poison"))
        await bench.engine.close()
        return reply

    assert run_virtual(main()).outcome is Outcome.FAILED


def test_an_outage_of_minutes_rejects_nothing(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        now = asyncio.get_running_loop().time() - 1_000
        await asyncio.sleep(0.5)
        return fault(FaultKind.TRANSIENT, "http_503") if 5 < now < 245 else ok()

    bench = Bench(tmp_path, script, each={"concurrency": 4})
    replies = run(bench, *[ask_for(str(n)) for n in range(100)])
    assert [r.outcome for r in replies if isinstance(r, Reply)] == [Outcome.OK] * 100
    assert len(bench.seen) < 1_000


def test_a_rejected_request_is_not_sent_again(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        if request.messages[0].content == "long":
            return fault(FaultKind.REJECTED, "context_length_exceeded")
        return ok()

    bench = Bench(tmp_path, script)
    replies = run(bench, ask_for("long"), ask_for("short"))
    assert [r.outcome for r in replies if isinstance(r, Reply)] == [Outcome.FAILED, Outcome.OK]
    assert len(bench.seen) == 2


def everybody_got(replies: Sequence[Reply | BaseException], kind: type[PipelineError]) -> str:
    assert {type(one) for one in replies} == {kind}
    return str(replies[0])


def test_a_wrong_key_stops_everything_at_once(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        return fault(FaultKind.FATAL, "http_401", hint="check key_env")

    bench = Bench(tmp_path, script, each={"concurrency": 1})
    replies = run(bench, *[ask_for(str(n)) for n in range(20)])
    assert "check key_env" in everybody_got(replies, BackendError)
    assert len(bench.seen) == 1


def test_a_wrong_address_stops_before_the_first_answer_but_not_after(tmp_path: Path) -> None:
    async def never(request: Request, attempt: int) -> Attempt:
        return fault(FaultKind.TRANSIENT, "unreachable", suspect=True, hint="check url")

    bench = Bench(tmp_path / "1", never)
    everybody_got(run(bench, ask_for("a")), BackendError)
    assert len(bench.seen) == 3

    async def later(request: Request, attempt: int) -> Attempt:
        good = request.messages[0].content == "a" or attempt > 5
        return ok() if good else fault(FaultKind.TRANSIENT, "unreachable", suspect=True)

    bench = Bench(tmp_path / "2", later)

    async def main() -> None:
        for text in "ab":
            assert (await bench.engine.ask(ask_for(text))).outcome is Outcome.OK
        await bench.engine.close()

    run_virtual(main())


def test_faults_that_are_faster_than_the_first_answers_stop_nothing(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        if int(str(request.messages[0].content)) % 20 == 0 and attempt == 1:
            return fault(FaultKind.TRANSIENT, "html", suspect=True)
        await asyncio.sleep(2)
        return ok()

    bench = Bench(tmp_path, script)
    replies = run(bench, *[ask_for(str(n)) for n in range(100)])
    assert all(isinstance(one, Reply) for one in replies)


def test_the_loop_gets_its_turn_while_all_is_in_the_journal(tmp_path: Path) -> None:
    run(Bench(tmp_path, answer), ask_for("a"))
    bench = Bench(tmp_path, answer)

    async def main() -> int:
        async def replay() -> None:
            while True:
                await bench.engine.ask(ask_for("a"))

        task = asyncio.create_task(replay())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return int(bench.engine.stats()["reused"])

    assert run_virtual(main()) < 200


def test_a_service_that_is_down_from_the_start_stops_resumable(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        return fault(FaultKind.TRANSIENT, "http_503")

    assert "http_503" in everybody_got(run(Bench(tmp_path, script), ask_for("a")), Stopped)


def test_a_wait_longer_than_a_request_may_take_stops_at_once(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        return fault(FaultKind.RATE_LIMIT, retry_after=86_400.0)

    bench = Bench(tmp_path, script)
    assert "86400 s" in everybody_got(run(bench, ask_for("a")), Stopped)


def test_no_progress_stops_the_run(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(10_000)
        return ok()

    bench = Bench(tmp_path, script, no_progress_minutes=5)

    async def main() -> float:
        begun = asyncio.get_running_loop().time()
        tasks = [asyncio.create_task(bench.engine.ask(ask_for(str(n)))) for n in range(200)]
        everybody_got(await asyncio.gather(*tasks, return_exceptions=True), Stopped)
        with pytest.raises(Stopped):
            await bench.engine.ask(ask_for("later"))
        await bench.engine.close()
        return asyncio.get_running_loop().time() - begun

    assert run_virtual(main()) == pytest.approx(300, abs=1)


def test_patience_follows_the_answers_of_late_for_a_first_attempt_only(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(3)
        if request.messages[0].content == "hangs" and attempt == 1:
            return fault(FaultKind.TRANSIENT, "timeout")
        return ok()

    bench = Bench(tmp_path, script, each={"concurrency": 10})
    run(bench, *[ask_for(str(n)) for n in range(150)], ask_for("hangs"))
    (backend,) = bench.backends
    assert backend.deadlines[:100] == [None] * 100  # timeout_s, as long as little is known
    at = backend.seen.index("hangs")
    assert backend.deadlines[at] == pytest.approx(30, rel=0.01)
    assert backend.deadlines[-1] is None


def test_slow_progress_is_progress(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(50)
        return ok()

    bench = Bench(tmp_path, script, no_progress_minutes=1, each={"concurrency": 1})
    replies = run(bench, *[ask_for(str(n)) for n in range(20)])
    assert all(isinstance(one, Reply) for one in replies)


def test_closing_stops_at_once_and_says_that_it_can_go_on(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(10_000)
        return ok()

    bench = Bench(tmp_path, script)

    async def main() -> list[Any]:
        tasks = [asyncio.create_task(bench.engine.ask(ask_for(str(n)))) for n in range(300)]
        await asyncio.sleep(1)
        begun = asyncio.get_running_loop().time()
        await bench.engine.close()
        assert asyncio.get_running_loop().time() - begun < 0.1
        return await asyncio.gather(*tasks, return_exceptions=True)

    everybody_got(run_virtual(main()), Stopped)


def test_the_gate_is_asked_before_each_attempt(tmp_path: Path) -> None:
    expired = asyncio.Event()

    def gate(deployment: DeploymentConfig) -> None:
        if expired.is_set():
            raise GovernanceError("the attestation has expired")

    bench = Bench(tmp_path, answer, options={"gate": gate})

    async def main() -> None:
        await bench.engine.ask(ask_for("a"))
        expired.set()
        with pytest.raises(GovernanceError):
            await bench.engine.ask(ask_for("b"))
        await bench.engine.close()

    run_virtual(main())
    assert bench.seen == ["a"]


PRICES = {"prompt": 1_000_000, "completion": 1_000_000}  # one unit of money per token


@pytest.mark.parametrize(
    ("budget", "most"),
    [({"requests": 7}, 7), ({"tokens": 15 * 5 + 3}, 5), ({"money": 15 * 4 + 9}, 4)],
)
def test_the_budget_is_used_and_never_exceeded(
    tmp_path: Path, budget: dict[str, float], most: int
) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        await asyncio.sleep(1)
        return ok(usage=Usage(5, 10))

    bench = Bench(tmp_path, script, budget=budget, prices=PRICES)
    replies = run(bench, *[ask_for(f"{n:04d} some words here") for n in range(20)])
    done = [one for one in replies if isinstance(one, Reply)]
    assert len(done) == len(bench.seen)
    assert most - 1 <= len(done) <= most
    everybody_got([one for one in replies if not isinstance(one, Reply)], BudgetExceeded)
    again = Bench(tmp_path, script, budget=budget, prices=PRICES)
    replies = run(again, *[ask_for(f"{n:04d} some words here") for n in range(20)])
    assert len(done) + len(again.seen) <= most  # what was spent before counts


def test_what_was_used_is_counted_by_stage(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer, prices={"prompt": 10, "completion": 20, "currency": "EUR"})
    run(bench, ask_for("a"), ask_for("b"))
    stats = Bench(tmp_path, answer).engine.stats()
    assert stats["spent"]["stage"] == {
        "replies": 2,
        "prompt_tokens": 20,
        "completion_tokens": 10,
        "cached_tokens": 0,
        "money": pytest.approx(2 * (10 * 10 + 5 * 20) / 1e6),
    }
    assert bench.engine.stats()["currency"] == "EUR"


def test_text_that_cannot_be_sent_rejects_its_record_only(tmp_path: Path) -> None:
    bench = Bench(tmp_path, answer)
    bad, good = run(bench, ask_for("lone \ud800 surrogate"), ask_for("fine"))
    assert isinstance(bad, DataError)
    assert bad.reason == "unencodable"
    assert isinstance(good, Reply)


def test_in_batch_mode_what_is_missing_is_handed_over(tmp_path: Path) -> None:
    taken: list[tuple[str, str]] = []
    run(Bench(tmp_path, answer), ask_for("known"))
    options = {"defer": lambda key, request, stage: taken.append((key, stage))}
    bench = Bench(tmp_path, answer, options=options)
    known, new = run(bench, ask_for("known"), ask_for("new"))
    assert isinstance(known, Reply)
    assert isinstance(new, Deferred)
    assert [stage for _, stage in taken] == ["stage"]
    assert bench.seen == []


def test_a_defect_in_a_backend_reaches_its_caller_only(tmp_path: Path) -> None:
    async def script(request: Request, attempt: int) -> Attempt:
        if request.messages[0].content == "odd":
            raise ZeroDivisionError
        return ok()

    bench = Bench(tmp_path, script, each={"concurrency": 1})
    odd, good = run(bench, ask_for("odd"), ask_for("good"))
    assert isinstance(odd, ZeroDivisionError)
    assert isinstance(good, Reply)
    assert bench.engine.stats()["deployments"]["localhost:1/d"]["under_way"] == 0


def test_a_pool_carries_on_when_one_deployment_fails(tmp_path: Path) -> None:
    async def down(request: Request, attempt: int) -> Attempt:
        return fault(FaultKind.TRANSIENT, "http_500")

    bench = Bench(tmp_path, answer, down, each={"concurrency": 5})
    replies = run(bench, *[ask_for(str(n)) for n in range(100)])
    assert all(isinstance(r, Reply) and r.outcome is Outcome.OK for r in replies)
