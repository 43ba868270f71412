"""Answers in pieces: a completion as server-sent events, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from tests.support.model_server_faults import Fault

BROKEN = frozenset({Fault.DROP, Fault.STREAM_END, Fault.STREAM_ERROR, Fault.STREAM_JUNK})
"""Faults after which an answer was not sent whole."""


@dataclass(slots=True)
class Streaming:
    """How the server streams.

    Attributes:
        on: False ignores ``stream`` and answers whole, as some servers do.
        options: False refuses ``stream_options``.
        piece: characters of one event.
        pause_s: time between two events.
        comments: comments between the events, as proxies send them to keep a connection alive.
        slice: bytes of one write, so that events and characters are cut; 0 for whole events.
        line_end: of the event stream.
    """

    on: bool = True
    options: bool = True
    piece: int = 7
    pause_s: float = 0.0
    comments: bool = False
    slice: int = 0
    line_end: str = "\n"

    async def send(
        self,
        request: web.BaseRequest,
        reply: Mapping[str, Any],
        headers: Mapping[str, str],
        fault: Fault | None,
        drip_s: float,
        *,
        usage: bool,
    ) -> web.StreamResponse:
        """Stream the completion ``reply``."""
        kept = {k: v for k, v in headers.items() if not k.lower().startswith("content-")}
        response = web.StreamResponse(headers={**kept, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        events = list(self._events(reply, usage=usage))
        half = len(events) // 2
        with contextlib.suppress(ConnectionError):
            for number, data in enumerate(events):
                if number == half and fault in BROKEN:
                    if fault is Fault.STREAM_ERROR:
                        error = {"error": {"message": "overloaded", "type": "server_error"}}
                        await self._write(response, orjson.dumps(error), 0.0)
                    elif fault is Fault.STREAM_JUNK:
                        await self._write(response, b'{"choices": [', 0.0)
                    elif fault is Fault.DROP and request.transport is not None:
                        request.transport.close()
                    return response
                if self.pause_s:
                    await asyncio.sleep(self.pause_s)
                await self._write(response, data, drip_s if fault is Fault.DRIP else 0.0)
        return response

    def _events(self, reply: Mapping[str, Any], *, usage: bool) -> Iterator[bytes]:
        base = {k: reply[k] for k in ("id", "created", "model")}
        base["object"] = "chat.completion.chunk"
        (choice,) = reply["choices"]

        def chunk(delta: Mapping[str, Any], **rest: Any) -> bytes:
            part = {"index": 0, "delta": delta, "finish_reason": None, **rest}
            return orjson.dumps({**base, "choices": [part]})

        if "prompt_filter_results" in reply:
            filters = reply["prompt_filter_results"]
            yield orjson.dumps({**base, "choices": [], "prompt_filter_results": filters})
        yield chunk({"role": "assistant", "content": ""})
        for name in ("content", "refusal"):
            text = choice["message"][name] or ""
            for start in range(0, len(text), self.piece):
                yield chunk({name: text[start : start + self.piece]})
        ending = {"content_filter_results": choice.get("content_filter_results", {})}
        yield chunk({}, finish_reason=choice["finish_reason"], **ending)
        if usage:
            yield orjson.dumps({**base, "choices": [], "usage": reply["usage"]})
        yield b"[DONE]"

    async def _write(self, response: web.StreamResponse, data: bytes, drip_s: float) -> None:
        end = self.line_end.encode()
        event = b"data: " + data + end + end
        if self.comments:
            event = b": keep alive" + end + end + event
        size = 1 if drip_s else self.slice or len(event)
        for start in range(0, len(event), size):
            await response.write(event[start : start + size])
            if drip_s:
                await asyncio.sleep(drip_s)
