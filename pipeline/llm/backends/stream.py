"""An answer that comes in pieces: server-sent events, and the completion they add up to.

What was streamed is put together into the object a server sends that does not stream, and read by
the same function, so that an answer ends in the same outcome either way. A server that takes no
notice of ``stream`` and answers whole is understood as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from pipeline.llm.backends.base import Attempt, Fault, FaultKind, Listen
from pipeline.llm.backends.chat import read_answer, read_completion, read_error, read_limits

_BOM = b"\xef\xbb\xbf"
_STATUS = re.compile("[45][0-9][0-9]")


class EventReader:
    """Splits bytes into the data of server-sent events, wherever the network cut them.

    Comments, ids, retry times and events without data are passed over, as the HTML standard has it
    (section 9.2); a character that is cut in two is whole again when its line is complete.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    def feed(self, chunk: bytes) -> list[bytes]:
        """The data of the events that ``chunk`` completes."""
        self._rest += chunk
        return list(self._events(final=False))

    def close(self) -> list[bytes]:
        """What is left when the body ends: an event whose blank line never came."""
        found = list(self._events(final=True))
        if self._data:
            found.append(b"\n".join(self._data))
            self._data = []
        return found

    def _events(self, *, final: bool) -> Iterator[bytes]:
        lines = self._rest.splitlines(keepends=True)  # of bytes: at \n, \r and \r\n alone
        self._rest = b""
        if lines and not final and not lines[-1].endswith(b"\n"):
            self._rest = lines.pop()  # cut within the line, or between \r and \n
        for line in lines:
            line = line.rstrip(b"\r\n")
            if line:
                name, _, value = line.partition(b":")
                if name == b"data":
                    self._data.append(value.removeprefix(b" "))
            elif self._data:
                yield b"\n".join(self._data)
                self._data = []


class StreamedAnswer:
    """Puts the answer to one request together and hands its pieces to ``listen``.

    Args:
        status: HTTP status.
        headers: HTTP headers.
        listen: takes each piece of text; it must not raise.
    """

    def __init__(self, status: int, headers: Mapping[str, str], listen: Listen) -> None:
        self._status = status
        self._headers = headers
        self._listen = listen
        self._events = EventReader()
        self._head = b""
        self._whole: list[bytes] | None = None if status == 200 else []
        self._sniffed = status != 200
        self._pieces: list[str] = []
        self._refusal: list[str] = []
        self._model = ""
        self._usage: Any = None
        self._finish: str | None = None
        self._filters: dict[str, Any] = {}
        self._choices = 0
        self._fault: Attempt | None = None
        self.done = False

    def feed(self, chunk: bytes) -> bool:
        """Take bytes of the body; whether they brought news (a comment to keep alive is none)."""
        if not self._sniffed:
            self._head += chunk
            if _BOM.startswith(self._head) or not self._head.strip():
                return False
            chunk, self._head, self._sniffed = self._head.removeprefix(_BOM), b"", True
            if chunk.lstrip()[:1] in b"{[<":
                self._whole = []
        if self._whole is not None:
            self._whole.append(chunk)
            return True
        events = self._events.feed(chunk)
        for event in events:
            self._take(event)
        return bool(events)

    def close(self) -> Attempt:
        """The attempt, when the body has ended or ``done`` is set."""
        if self._whole is not None or not self._sniffed:
            attempt = read_answer(
                self._status, self._headers, b"".join(self._whole or [self._head])
            )
            reply = attempt.reply
            if reply is not None and reply.text and reply.outcome.value != "refusal":
                self._listen(reply.text)
            return attempt
        if not self.done:
            for event in self._events.close():
                self._take(event)
        if self._fault is not None:
            return self._fault
        if not self._choices:
            return self._failed("no_choices")
        if self._finish is None and not self.done:
            return self._failed("stream_cut")
        return Attempt(read_completion(self._completion()), None, read_limits(self._headers))

    def _take(self, data: bytes) -> None:
        if self.done:
            return
        if data.strip() == b"[DONE]":
            self.done = True
            return
        try:
            event = orjson.loads(data)
        except orjson.JSONDecodeError:
            event = None
        if not isinstance(event, dict):
            self._fault, self.done = self._failed("unreadable_event"), True
            return
        if event.get("error") or event.get("object") == "error":
            self._fault, self.done = self._error(event), True
            return
        if isinstance(event.get("model"), str):
            self._model = event["model"] or self._model
        if isinstance(event.get("usage"), dict):
            self._usage = event["usage"]
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict) and choice.get("index", 0) == 0:
                self._add(choice)

    def _add(self, choice: Mapping[str, Any]) -> None:
        self._choices += 1
        if isinstance(choice.get("finish_reason"), str):
            self._finish = choice["finish_reason"]
        filters = choice.get("content_filter_results")
        if isinstance(filters, dict):
            kept = {k: v for k, v in self._filters.items() if _fired(v)}
            self._filters = {**self._filters, **filters, **kept}
        delta = choice.get("delta", choice.get("message"))
        if not isinstance(delta, dict):
            return
        if isinstance(delta.get("refusal"), str):
            self._refusal.append(delta["refusal"])
        text = delta.get("content")
        if isinstance(text, str) and text:
            self._pieces.append(text)
            self._listen(text)

    def _completion(self) -> dict[str, Any]:
        """What a server would have sent in one."""
        message = {"content": "".join(self._pieces), "refusal": "".join(self._refusal) or None}
        choice = {
            "message": message,
            "finish_reason": self._finish,
            "content_filter_results": self._filters,
        }
        return {"model": self._model, "usage": self._usage, "choices": [choice]}

    def _error(self, event: Mapping[str, Any]) -> Attempt:
        """An error in the middle: by the status it names, else one of the server's."""
        error = event.get("error")
        error = error if isinstance(error, dict) else event
        named = str(error.get("status", error.get("code")))
        status = int(named) if _STATUS.fullmatch(named) else 500
        if error.get("code") == "rate_limit_exceeded":
            status = 429
        return read_error(status, self._headers, {"error": error}, read_limits(self._headers))

    def _failed(self, code: str) -> Attempt:
        fault = Fault(FaultKind.TRANSIENT, code, suspect=code == "no_choices")
        return Attempt(None, fault, read_limits(self._headers))


def _fired(result: Any) -> bool:
    return isinstance(result, dict) and bool(result.get("filtered"))
