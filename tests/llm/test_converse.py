"""A turn of a conversation through the engine: gate, budget and retry, but no journal."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import BackendError, BudgetExceeded, GovernanceError, Stopped
from pipeline.llm.config import parse_backend
from pipeline.llm.open import Answering, open_engine
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer

TEXT = "The lungs are clear. 未见气胸。"


def request(text: str = "hello") -> Request:
    return Request("chat", (Message("user", text),), params={"max_tokens": 50})


def raw(url: str, **fields: Any) -> dict[str, Any]:
    base = {"kind": "openai", "model": "m", "deployment": DEPLOYMENT, "key_env": "K"}
    return {**base, "url": url, "timeout_s": 2, **fields}


async def converse(engine: Answering, text: str = "hello") -> tuple[Reply, list[str]]:
    pieces: list[str] = []
    reply = await engine.converse(request(text), pieces.append)
    return reply, pieces


def opened(url: str, folder: Path, gate: Any = lambda _: None, **fields: Any) -> Any:
    backend = parse_backend(raw(url, **fields))
    return open_engine(backend, folder / "replies", gate, environ={"K": KEY}, rng=random.Random(1))


async def test_the_same_question_is_sent_each_time_and_nothing_is_kept(tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: TEXT) as server:
        async with opened(server.url, tmp_path) as engine:
            for _ in range(2):
                reply, pieces = await converse(engine)
                assert (reply.outcome, reply.text) == (Outcome.OK, TEXT)
                assert "".join(pieces) == TEXT
            stats = engine.stats()
        assert len(server.arrivals) == 2
        assert stats["outcomes"] == {"ok": 2}
    assert not (tmp_path / "replies").exists()


async def test_a_fault_before_the_first_piece_is_tried_again(tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: TEXT) as server, opened(server.url, tmp_path) as one:
        reply, pieces = await converse(one, "[[fault:503*1]]")
        assert reply.outcome is Outcome.OK
        assert "".join(pieces) == TEXT


@pytest.mark.parametrize("name", ["stream_error", "stream_end", "drop"])
async def test_nothing_is_said_twice_when_an_answer_breaks_off(name: str, tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: TEXT) as server, opened(server.url, tmp_path) as one:
        reply, pieces = await converse(one, f"[[fault:{name}]]")
        assert reply.outcome is Outcome.FAILED
        assert reply.text == "".join(pieces) != ""
        assert TEXT.startswith(reply.text)
        assert len(server.arrivals) == 1
        assert (await converse(one))[0].outcome is Outcome.OK


async def test_what_is_refused_is_not_sent(tmp_path: Path) -> None:
    def refuse(_: Any) -> None:
        raise GovernanceError("no")

    async with ModelServer() as server:
        with pytest.raises(GovernanceError):
            async with opened(server.url, tmp_path, refuse):
                pass
        assert not server.arrivals


async def test_an_engine_that_could_not_answer_can_be_asked_again(tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: TEXT) as server:
        async with opened(server.url, tmp_path, retry={"attempts": 1}) as engine:
            with pytest.raises(Stopped):
                await converse(engine, "[[fault:503]]")
            assert (await converse(engine))[0].outcome is Outcome.OK
        async with opened(server.url, tmp_path, deployment="nobody") as engine:
            with pytest.raises(BackendError, match="model_not_found"):
                await converse(engine)


async def test_the_budget_counts_what_was_heard(tmp_path: Path) -> None:
    async with ModelServer(answer=lambda *_: TEXT * 20) as server:
        server.streaming.options = False  # counts nothing
        async with opened(server.url, tmp_path, budget={"tokens": 120}) as engine:
            await converse(engine)
            with pytest.raises(BudgetExceeded):
                await converse(engine)


async def test_one_who_stops_an_answer_can_ask_the_next(tmp_path: Path) -> None:
    async with (
        ModelServer(answer=lambda *_: TEXT) as server,
        opened(server.url, tmp_path, concurrency=1) as engine,
    ):
        server.streaming.pause_s = 0.1
        heard: list[str] = []
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.35):
                await engine.converse(request(), heard.append)
        assert heard
        server.streaming.pause_s = 0
        assert (await converse(engine))[0].outcome is Outcome.OK
