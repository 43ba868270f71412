"""Streamed answers: the same outcome as whole ones, wherever the bytes are cut."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.llm.backends.base import Attempt, FaultKind
from pipeline.llm.backends.stream import EventReader, StreamedAnswer
from pipeline.llm.config import parse_backend
from pipeline.llm.open import open_backends
from pipeline.llm.types import Message, Outcome, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.model_server_faults import Fault

TEXT = "Keine Pneumonie. 未见气胸，心影不大。 No effusion 🫁."


def say(*_: Any) -> str:
    return TEXT


async def attempt(
    server: ModelServer, text: str = "hello", *, stream: bool = True, times: int = 1, **config: Any
) -> tuple[Attempt, list[str]]:
    raw = {"kind": "openai", "model": "m", "url": server.url, "deployment": DEPLOYMENT}
    backend = parse_backend({**raw, "key_env": "K", **config})
    pieces: list[str] = []
    request = Request("chat", (Message("user", text),), params={"max_tokens": 20})
    async with AsyncExitStack() as stack:
        (one,) = await open_backends(backend, stack, {"K": KEY})
        for _ in range(times):
            pieces.clear()
            result = await one.attempt(request, listen=pieces.append if stream else None)
    return result, pieces


@pytest.mark.parametrize("kind", ["openai", "azure"])
@pytest.mark.parametrize("name", [None, "length", "refusal", "content_cut", "content_filter"])
async def test_a_streamed_answer_ends_like_a_whole_one(kind: str, name: str | None) -> None:
    async with ModelServer(answer=say) as server:
        text = f"[[fault:{name}]]" if name else "hello"
        whole, _ = await attempt(server, text, stream=False, kind=kind)
        streamed, pieces = await attempt(server, text, kind=kind)
        assert streamed == whole
        assert streamed.reply is not None
        if name not in ("refusal", "content_filter"):
            assert len(pieces) > 2
            assert "".join(pieces) == streamed.reply.text
        assert server.last_body["stream"] is True


@pytest.mark.parametrize(
    "how", [{"slice": 1}, {"slice": 5, "line_end": "\r\n"}, {"line_end": "\r"}, {"comments": True}]
)
async def test_bytes_may_be_cut_anywhere_and_lines_end_anyhow(how: dict[str, Any]) -> None:
    async with ModelServer(answer=say) as server:
        for name, value in how.items():
            setattr(server.streaming, name, value)
        result, pieces = await attempt(server)
        assert result.reply is not None
        assert (result.reply.outcome, result.reply.text) == (Outcome.OK, TEXT)
        assert "".join(pieces) == TEXT


async def test_a_server_that_ignores_stream_is_heard_whole() -> None:
    async with ModelServer(answer=say) as server:
        server.streaming.on = False
        result, pieces = await attempt(server)
        assert result.reply is not None
        assert pieces == [TEXT]


async def test_a_server_without_stream_options_is_asked_without_and_remembered() -> None:
    async with ModelServer(answer=say) as server:
        server.streaming.options = False
        result, pieces = await attempt(server, times=3)
        assert result.reply is not None
        assert "".join(pieces) == TEXT
        assert result.reply.usage.prompt_tokens == 0
        assert server.statuses == {400: 1, 200: 3}


async def test_what_never_works_is_not_blamed_on_stream_options() -> None:
    async with ModelServer(answer=say, reasoning=frozenset({DEPLOYMENT})) as server:
        result, _ = await attempt(server)
        assert result.fault is not None
        assert result.fault.code == "unsupported_parameter"
        assert server.statuses == {400: 2}


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (Fault.DROP, "connection_lost"),
        (Fault.STREAM_END, "stream_cut"),
        (Fault.STREAM_ERROR, "http_500"),
        (Fault.STREAM_JUNK, "unreadable_event"),
    ],
)
async def test_a_stream_that_breaks_off_is_transient(name: Fault, code: str) -> None:
    async with ModelServer(answer=say) as server:
        result, pieces = await attempt(server, f"[[fault:{name.value}]]")
        assert result.fault is not None
        assert (result.fault.kind, result.fault.code) == (FaultKind.TRANSIENT, code)
        assert "".join(pieces)
        assert TEXT.startswith("".join(pieces))


@pytest.mark.parametrize("name", [Fault.HTML, Fault.BAD_BODY, Fault.NO_CHOICES, Fault.ERROR_503])
async def test_what_is_no_stream_is_classified_as_without(name: Fault) -> None:
    async with ModelServer(answer=say) as server:
        marker = f"[[fault:{name.value}]]"
        whole, _ = await attempt(server, marker, stream=False)
        streamed, pieces = await attempt(server, marker)
        assert streamed == whole
        assert not pieces


async def test_the_deadline_counts_from_the_last_piece() -> None:
    async with ModelServer(answer=lambda *_: "word " * 8) as server:
        server.streaming.pause_s = 0.1
        result, _ = await attempt(server, timeout_s=0.5)
        assert result.reply is not None
        server.streaming.pause_s, server.streaming.comments = 5.0, True
        result, _ = await attempt(server, timeout_s=0.3)
        assert result.fault is not None
        assert result.fault.code == "timeout"


async def test_a_reader_who_leaves_cancels_the_request() -> None:
    async with ModelServer(answer=say) as server:
        server.streaming.pause_s = 0.05
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await attempt(server)
        assert server.peak == 1


def body(*events: bytes | dict[str, Any]) -> bytes:
    lines = [e if isinstance(e, bytes) else b"data: " + orjson.dumps(e) for e in events]
    return b"".join(line + b"\n\n" for line in lines)


def read(data: bytes) -> tuple[Attempt, list[str]]:
    pieces: list[str] = []
    answer = StreamedAnswer(200, {}, pieces.append)
    answer.feed(data)
    return answer.close(), pieces


def delta(text: str | None = None, **rest: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **rest}]}


@given(st.text(), st.lists(st.integers(0, 400)))
def test_any_text_cut_anywhere(text: str, cuts: list[int]) -> None:
    data = body(b": hi", delta(text), delta(finish_reason="stop"), b"data: [DONE]")
    pieces: list[str] = []
    answer = StreamedAnswer(200, {}, pieces.append)
    at = 0
    for cut in [*sorted(cuts), len(data)]:
        answer.feed(data[at:cut])
        at = max(at, cut)
    reply = answer.close().reply
    assert reply is not None
    assert reply.text == "".join(pieces) == text
    assert reply.outcome is (Outcome.OK if text.strip() else Outcome.MALFORMED)


def test_shapes_that_servers_really_send() -> None:
    # the last event without its blank line, and no [DONE]
    result, _ = read(body(delta("a"), delta("b", finish_reason="stop"))[:-2])
    assert result.reply is not None
    assert result.reply.text == "ab"
    # [DONE] without a finish reason, data without a space, several choices, a byte order mark
    other = {"choices": [{"index": 1, "delta": {"content": "no"}}]}
    result, _ = read(b"\xef\xbb\xbfdata:" + orjson.dumps(delta("a")) + b"\n\n" + body(other))
    assert result.fault is not None
    result, _ = read(body(delta("a"), other, b"data: [DONE]"))
    assert result.reply is not None
    assert result.reply.text == "a"
    # usage in every event: the last one counts; an event of two data lines
    result, _ = read(
        body(
            {**delta("a"), "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
            b'data: {"choices": [],\ndata: "usage": {"prompt_tokens": 3, "completion_tokens": 9}}',
            delta(finish_reason="stop"),
        )
    )
    assert result.reply is not None
    assert result.reply.usage.completion_tokens == 9


@pytest.mark.parametrize(
    ("error", "kind", "code"),
    [
        ({"error": {"message": "x", "code": "rate_limit_exceeded"}}, "rate_limit", None),
        ({"error": {"message": "x", "code": 400, "type": "BadRequestError"}}, "rejected", None),
        (
            {"object": "error", "message": "the maximum context length is 5", "code": 400},
            "rejected",
            "context_length_exceeded",
        ),
        ({"error": "down"}, "transient", "http_500"),
    ],
)
def test_errors_in_the_middle(error: dict[str, Any], kind: str, code: str | None) -> None:
    result, pieces = read(body(delta("a"), error, delta("b")))
    assert pieces == ["a"]
    assert result.fault is not None
    assert result.fault.kind == kind
    assert code is None or result.fault.code == code


def test_a_filter_that_fires_early_is_named_at_the_end() -> None:
    fired = {"violence": {"filtered": True, "severity": "medium"}}
    calm = {"violence": {"filtered": False}, "hate": {"filtered": False}}
    result, _ = read(
        body(
            delta("a", content_filter_results=fired),
            delta(finish_reason="content_filter", content_filter_results=calm),
        )
    )
    assert result.reply is not None
    assert (result.reply.outcome, result.reply.detail) == (Outcome.CONTENT_FILTER, "violence")


def test_nothing_at_all() -> None:
    for data in (b"", b"   \n\n", body(b": only a comment"), body(b"data: [DONE]")):
        result, pieces = read(data)
        assert result.fault is not None
        assert not pieces


def test_events_without_data_and_fields_of_no_concern() -> None:
    reader = EventReader()
    assert reader.feed(b"event: ping\nid: 3\nretry: 10\n\ndata\n\ndata:a\ndata: b\n\n") == [
        b"",
        b"a\nb",
    ]
    assert reader.close() == []
