"""The whole engine against the test server: faults, kills, limits, and no text anywhere."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import BackendError, ExitCode, PipelineError, Stopped
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.llm.journal import Journal
from pipeline.llm.open import open_engine
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer, prompt_hash
from tests.support.model_server_faults import FaultPlan
from tests.support.model_server_limits import Limits

ENV = {"K": KEY}
ROOT = Path(__file__).parents[2]


def config(url: str, **fields: Any) -> BackendConfig:
    base = {"kind": "openai", "model": "m", "deployment": DEPLOYMENT, "key_env": "K"}
    return parse_backend({**base, "url": url, "concurrency": 64, "timeout_s": 0.5, **fields})


def request(number: int) -> Request:
    return Request("t", (Message("user", f"note {number}"),), params={"max_tokens": 50})


async def ask_all(
    backend: BackendConfig, folder: Path, numbers: Iterable[int], workers: int = 96
) -> tuple[list[Reply], dict[str, Any]]:
    replies: dict[int, Reply] = {}
    async with open_engine(
        backend, folder / "replies", lambda _: None, environ=ENV, rng=random.Random(1)
    ) as engine:
        ask = engine.for_stage("s")
        todo = iter(numbers)

        async def work() -> None:
            for number in todo:
                replies[number] = await ask(request(number))

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(work())
        except* PipelineError as errors:
            raise errors.exceptions[0] from None
        return [replies[number] for number in sorted(replies)], engine.stats()


ALL_FAULTS = {
    "_500": 0.04,
    "_503": 0.01,
    "_408": 0.01,
    "_429": 0.05,
    "drop": 0.01,
    "reset": 0.01,
    "redirect": 0.01,
    "html": 0.01,
    "bad_body": 0.01,
    "no_choices": 0.01,
    "hang": 0.003,
    "drip": 0.003,
    "content_filter": 0.02,
    "content_cut": 0.01,
    "refusal": 0.01,
    "length": 0.01,
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits before another attempt are a tenth of the real ones."""
    monkeypatch.setattr("pipeline.llm.engine.FIRST_WAIT_S", 0.05)
    monkeypatch.setattr("pipeline.llm.engine.LONGEST_WAIT_S", 3.0)


async def test_with_every_fault_each_request_ends_once(tmp_path: Path) -> None:
    async with ModelServer(faults=FaultPlan.of(7, **ALL_FAULTS), latency_s=0.01) as server:
        replies, stats = await ask_all(config(server.url), tmp_path, range(1_000))
        assert len(replies) == 1_000
        assert {one.outcome for one in replies} <= {
            Outcome.OK,
            Outcome.CONTENT_FILTER,
            Outcome.REFUSAL,
            Outcome.LENGTH,
        }
        assert all(count.answered <= 1 for count in server.prompts.values())
        blocked = [r for r in replies if r.finish_reason == "content_filter" and not r.text]
        assert len(blocked) == server.statuses[400]  # a filtered prompt is sent once
        assert stats["sent"] == len(server.arrivals)
        sent = len(server.arrivals)
        again, stats = await ask_all(config(server.url), tmp_path, range(1_000))
        assert len(server.arrivals) == sent
        assert stats["reused"] == 1_000
        assert [(r.outcome, r.text) for r in again] == [(r.outcome, r.text) for r in replies]


async def test_a_limit_of_the_service_is_kept_without_429s(tmp_path: Path) -> None:
    limits = {DEPLOYMENT: Limits(rpm=3_000, tpm=600_000, windows=(1.0, 10.0))}
    async with ModelServer(limits=limits, latency_s=0.02) as server:
        begun = time.monotonic()
        _, stats = await ask_all(config(server.url, rpm=3_000, tpm=600_000), tmp_path, range(75))
        took = time.monotonic() - begun
        assert stats["rate_limited"] <= 2
        assert took > 1.4  # slower on a busy machine, never faster than the limit


async def test_an_unknown_limit_is_learned_from_the_headers(tmp_path: Path) -> None:
    limits = {DEPLOYMENT: Limits(rpm=1_200, windows=(1.0,))}
    async with ModelServer(limits=limits) as server:
        backend = config(server.url, concurrency=4)
        replies, stats = await ask_all(backend, tmp_path, range(40))
        assert all(one.outcome is Outcome.OK for one in replies)
        (one,) = stats["deployments"].values()
        assert one["rpm"] == 1_200
        assert stats["rate_limited"] < 25


CHILD = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.llm.test_engine_server import ask_all, config
asyncio.run(ask_all(config(sys.argv[1], concurrency=32), Path(sys.argv[2]), range(600), 48))
"""


async def test_killed_again_and_again_it_pays_for_nothing_twice(tmp_path: Path) -> None:
    async with ModelServer(latency_s=0.05) as server:

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                [sys.executable, "-c", CHILD, server.url, str(tmp_path)],
                cwd=ROOT,
                env={**os.environ, **ENV},
            )

        for share in (0.3, 0.6, None):
            child = start()
            while child.poll() is None:
                await asyncio.sleep(0.01)
                if share is not None and len(server.prompts) > 600 * share:
                    child.send_signal(signal.SIGKILL)
        assert child.returncode == 0
        kept = Journal(tmp_path / "replies")
        assert len(kept) == 600
        assert kept.damaged == 0
        kept.release()
        assert len(server.prompts) == 600
        # Besides what was in flight, which the limit of 32 at once bounds for each kill.
        assert len(server.arrivals) <= 600 + 2 * 32


async def test_a_cancelled_run_stops_within_a_second_and_keeps_what_arrived(tmp_path: Path) -> None:
    async with ModelServer(latency_s=0.2) as server:
        task = asyncio.create_task(ask_all(config(server.url), tmp_path, range(5_000)))
        await asyncio.sleep(1.0)
        begun = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - begun < 1
        answered = sum(count.answered for count in server.prompts.values())
        kept = Journal(tmp_path / "replies")
        assert answered - 64 <= len(kept) <= answered
        kept.release()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"key_env": "WRONG"}, "invalid_api_key"),
        ({"deployment": "nobody"}, "model_not_found"),
    ],
)
async def test_what_cannot_succeed_is_said_at_once(
    tmp_path: Path, fields: dict[str, Any], code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENV, "WRONG", "wrong")
    async with ModelServer() as server:
        begun = time.monotonic()
        with pytest.raises(BackendError, match=code) as caught:
            await ask_all(config(server.url, **fields), tmp_path, range(500))
        assert time.monotonic() - begun < 5
        assert caught.value.exit_code is ExitCode.USAGE
        assert len(server.arrivals) <= 96


async def test_nobody_at_the_address(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match="unreachable"):
        await ask_all(config("http://127.0.0.1:9"), tmp_path, range(500))


@pytest.mark.parametrize("fault", ["html", "redirect", "bad_body", "no_choices"])
async def test_an_address_that_is_no_model_server_stops_the_run(tmp_path: Path, fault: str) -> None:
    async with ModelServer(faults=FaultPlan.of(0, **{fault: 1.0})) as server:
        with pytest.raises(BackendError, match=r"check url|final address"):
            await ask_all(config(server.url), tmp_path, range(200))


async def test_a_server_that_hangs_for_ever_stops_the_run_resumable(tmp_path: Path) -> None:
    async with ModelServer(faults=FaultPlan.of(0, hang=1.0)) as server:
        backend = config(server.url, no_progress_minutes=0.02, timeout_s=0.3)
        with pytest.raises(Stopped) as caught:
            await ask_all(backend, tmp_path, range(20))
        assert caught.value.exit_code is ExitCode.STOPPED


async def test_a_pool_uses_all_its_deployments(tmp_path: Path) -> None:
    limits = {name: Limits(rpm=1_500, windows=(1.0,)) for name in ("a", "b")}
    async with ModelServer(limits=limits, latency_s=0.02) as server:
        pool = [
            {"url": server.url, "deployment": name, "key_env": "K", "rpm": 1_500} for name in "ab"
        ]
        backend = parse_backend({"kind": "openai", "model": "m", "deployments": pool})
        begun = time.monotonic()
        replies, stats = await ask_all(backend, tmp_path, range(60))
        assert time.monotonic() - begun < 2
        assert len(replies) == 60
        assert all(20 < one["answered"] < 40 for one in stats["deployments"].values())


SENTINEL = "Zyxomma-4711"


async def test_no_text_reaches_a_log_an_error_or_the_statistics(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The server repeats the prompt in its errors, as some do."""
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        for fault in [None, "500", "429", "drop", "html", "redirect", "content_filter", "hang"]:
            marker = "" if fault is None else f"[[fault:{fault}]] "
            text = f"{marker}{SENTINEL} and more"
            async with ModelServer(answer=lambda *_: SENTINEL, echo=True) as server:
                backend = config(
                    server.url,
                    timeout_s=0.1,
                    no_progress_minutes=0.005,
                    retry={"attempts": 2, "total_seconds": 1},
                )
                asked = Request("t", (Message("user", text),), payload={"text": text})
                async with open_engine(
                    backend, tmp_path / str(fault), lambda _: None, environ=ENV
                ) as engine:
                    try:
                        reply = await engine.for_stage("s")(asked)
                        shown.append(repr(reply))
                    except Exception as error:
                        shown.append("".join(traceback.format_exception(error)))
                    shown.append(repr(engine.stats()) + repr(asked))
                assert prompt_hash([m.as_json() for m in asked.messages]) in server.prompts
    everything = "".join(shown) + caplog.text + "".join(capsys.readouterr())
    assert SENTINEL not in everything
    assert KEY not in everything
