"""No text of a note or an answer in logs, exceptions, reprs, or files besides the replies."""

from __future__ import annotations

import asyncio
import base64
import gzip
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import PipelineError
from pipeline.llm.batch import open_batch
from pipeline.llm.batch_config import BatchConfig
from pipeline.llm.config import parse_backend
from pipeline.llm.governance import Gate
from pipeline.llm.open import open_engine
from pipeline.llm.types import Deferred, Message, Outcome, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.model_server_batch import BatchPlan
from tests.support.model_server_faults import Fault
from tests.support.sentinel import (
    ANSWER_SENTINEL,
    SENTINEL,
    assert_no_leak,
    captured_logs,
    describe,
)

ENV = {"TEST_KEY": KEY}


class Seen:
    """Everything that can be printed of what happened."""

    def __init__(self, logs: Any) -> None:
        self.logs = logs
        self.texts: list[str] = []

    def add(self, *values: object) -> None:
        for value in values:
            if isinstance(value, BaseException):
                self.texts.append(describe(value))
            else:
                self.texts += [repr(value), str(value), f"{value}"]

    def check(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        out, err = capture.readouterr()
        assert_no_leak(
            paths=[folder],
            texts={
                "logs": self.logs.getvalue(),
                "values": "\n".join(self.texts),
                "stdout": out,
                "stderr": err,
            },
            allowed=["replies/*", "batches/cxr-*"],
        )


@pytest.fixture
def seen() -> Iterator[Seen]:
    with captured_logs() as logs:
        yield Seen(logs)


def note(marker: str = "") -> Request:
    messages = (
        Message("system", "You read reports."),
        Message("user", f"The {SENTINEL} is unchanged. {marker}"),
        Message("user", ({"type": "text", "text": f"Also {SENTINEL}."},)),
    )
    return Request(
        "keyinfo",
        messages,
        params={"max_tokens": 50},
        payload={"text": f"The {SENTINEL} is unchanged."},
        record_id="50000001",
    )


def answer(*_: object) -> str:
    return f'{{"finding": "{ANSWER_SENTINEL}"}}'


def backend(url: str, **options: Any) -> dict[str, Any]:
    return {
        "kind": "azure",
        "model": DEPLOYMENT,
        "url": url,
        "key_env": "TEST_KEY",
        "timeout_s": 0.3,
        "retry": {"attempts": 2, "total_seconds": 1.0},
        **options,
    }


async def ask_live(
    folder: Path, seen: Seen, config: dict[str, Any], requests: list[Request], gate: Gate
) -> list[Outcome]:
    outcomes = []
    parsed = parse_backend(config)
    seen.add(parsed)
    try:
        async with open_engine(parsed, folder / "replies", gate.check, environ=ENV) as engine:
            ask = engine.for_stage("keyinfo")
            for request in requests:
                seen.add(request, request.messages, ask)
                reply = await ask(request)
                seen.add(reply, engine, engine.stats(), vars(engine))
                outcomes.append(reply.outcome)
    except PipelineError as error:
        seen.add(error)
    return outcomes


@pytest.mark.parametrize("fault", [None, *Fault])
async def test_live_requests(
    tmp_path: Path, seen: Seen, capsys: pytest.CaptureFixture[str], fault: Fault | None
) -> None:
    marker = f"[[fault:{fault.value}]]" if fault else ""
    async with ModelServer(answer=answer, echo=True) as server:
        config = backend(server.url)
        await ask_live(tmp_path, seen, config, [note(), note(marker)], Gate("public"))
        assert len(server.arrivals) >= 1
    seen.check(tmp_path, capsys)


@pytest.mark.parametrize(
    "options",
    [
        {"deployment": "unknown"},
        {"key_env": "NO_SUCH_KEY"},
        {"url": "http://127.0.0.1:1"},
        {"params": {"temperature": 0.0}},
        {"budget": {"tokens": 10}},
    ],
)
async def test_configurations_that_cannot_work(
    tmp_path: Path, seen: Seen, capsys: pytest.CaptureFixture[str], options: dict[str, Any]
) -> None:
    reasoning = frozenset({DEPLOYMENT})
    async with ModelServer(answer=answer, echo=True, reasoning=reasoning) as server:
        config = {**backend(server.url), **options}
        assert await ask_live(tmp_path, seen, config, [note()], Gate("public")) == []
    assert len(seen.texts) > 3
    seen.check(tmp_path, capsys)


async def test_a_refusal_by_governance(
    tmp_path: Path, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    config = backend("https://my-resource.openai.azure.com")
    assert await ask_live(tmp_path, seen, config, [note()], Gate("credentialed")) == []
    seen.check(tmp_path, capsys)


async def test_a_cancelled_request(
    tmp_path: Path, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ModelServer(answer=answer, latency_s=10) as server:
        config = {**backend(server.url), "timeout_s": 20}
        call = asyncio.create_task(
            ask_live(tmp_path, seen, config, [note()], Gate("public")), name="call"
        )
        await asyncio.sleep(0.1)
        seen.add(*asyncio.all_tasks())
        call.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await call
        seen.add(caught.value)
    seen.check(tmp_path, capsys)


PLANS = {
    "ok": BatchPlan(),
    "errors": BatchPlan(fate=lambda _: "error"),
    "filtered": BatchPlan(fate=lambda _: "filtered"),
    "expired": BatchPlan(outcome="expired", finished=0.0),
    "cancelled": BatchPlan(outcome="cancelled"),
    "failed": BatchPlan(outcome="failed"),
}


@pytest.mark.parametrize("statuses", [[], [503] * 50, [0, 429, 0, 503], [0, 0, 0, 0, 503, 503]])
@pytest.mark.parametrize("plan", PLANS)
async def test_batch_jobs(
    tmp_path: Path,
    seen: Seen,
    capsys: pytest.CaptureFixture[str],
    plan: str,
    statuses: list[int],
) -> None:
    async with ModelServer(answer=answer, echo=True) as server:
        server.batch.default_plan = PLANS[plan]
        server.batch.faults.extend(statuses)
        try:
            await ask_batch(tmp_path, seen, backend(server.url, mode="batch"))
        except PipelineError as error:
            seen.add(error)
        assert server.batch.calls
    assert all(name in seen.logs.getvalue() for name in ("httpcore2", "openai", "pipeline.llm"))
    seen.check(tmp_path, capsys)


async def test_batch_with_a_wrong_key_and_to_nowhere(
    tmp_path: Path, seen: Seen, capsys: pytest.CaptureFixture[str]
) -> None:
    async with ModelServer(answer=answer, keys=frozenset()) as server:
        for url in (server.url, "http://127.0.0.1:1", f"{server.url}/nowhere"):
            folder = tmp_path / str(len(seen.texts))
            with pytest.raises(PipelineError) as caught:
                await ask_batch(folder, seen, backend(url, mode="batch"))
            seen.add(caught.value)
            assert not any(SENTINEL in name for name in server.elsewhere)
            assert_no_leak(paths=[folder], allowed=["replies/*", "batches/cxr-*"])
    assert_no_leak(texts={"logs": seen.logs.getvalue(), "values": "\n".join(seen.texts)})


async def ask_batch(folder: Path, seen: Seen, config: dict[str, Any]) -> None:
    parsed = parse_backend(config)
    now = 0.0

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    settings, gate = BatchConfig(attempts=2), Gate("public")
    async with open_batch(
        parsed,
        settings,
        folder / "batches",
        folder / "replies",
        gate,
        environ=ENV,
        sleep=sleep,
        clock=lambda: now,
    ) as batch:
        seen.add(batch, vars(batch))
        while True:
            async with open_engine(
                parsed, folder / "replies", gate.check, defer=batch.defer, environ=ENV
            ) as engine:
                ask = batch.asker(engine.for_stage("keyinfo"))
                try:
                    seen.add(await ask(note()))
                except Deferred as error:
                    seen.add(error)
            if not await batch.run():
                break
        seen.add(batch.stats())


@pytest.mark.parametrize(
    "leak",
    [
        SENTINEL.encode(),
        f"x{SENTINEL}y".encode("utf-16-le"),
        SENTINEL.encode().hex().encode(),
        *[base64.b64encode(b"a" * n + SENTINEL.encode() + b"bcd") for n in range(7)],
        gzip.compress(SENTINEL.encode(), mtime=0),
        ANSWER_SENTINEL.replace(" ", "%20").encode(),
        b"zebrafinch and the rest elsewhere",
    ],
)
def test_the_search_finds_what_it_should(tmp_path: Path, leak: bytes) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").write_bytes(leak)
    with pytest.raises(AssertionError, match="sub/file"):
        assert_no_leak(paths=[tmp_path])
    assert_no_leak(paths=[tmp_path], allowed=["sub/*"])


def test_the_search_looks_into_what_exceptions_hide() -> None:
    def hide() -> None:
        try:
            raise ValueError(SENTINEL)
        except ValueError:
            raise RuntimeError("nothing to see") from None

    with captured_logs() as logs:
        try:
            hide()
        except RuntimeError as error:
            hidden = error
            logging.getLogger("some.library").debug("oops", exc_info=True)
    for text in (describe(hidden), logs.getvalue()):
        with pytest.raises(AssertionError, match="plain"):
            assert_no_leak(texts={"it": text})
