"""A local HTTP server that speaks Azure OpenAI (dated and v1 addresses) and plain OpenAI.

Tests open it in their own process and look at what it saw::

    async with ModelServer(faults=FaultPlan.of(_500=0.05)) as server:
        ...  # talk to server.url
    assert all(count.answered == 1 for count in server.prompts.values())

Tests that kill things run it as a process: ``python -m tests.support.model_server --port 8901
--faults 500=0.05,hang=0.002``; ``GET /_stats`` tells what it saw.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import importlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import web

from tests.support import model_server_replies as replies
from tests.support.model_server_batch import BatchService
from tests.support.model_server_faults import Fault, FaultPlan
from tests.support.model_server_images import IMAGE_CHARACTERS, SeenImage, seen_images
from tests.support.model_server_limits import Limits
from tests.support.model_server_replies import Answered
from tests.support.model_server_stream import BROKEN, Streaming

Answer = Callable[[Sequence[Mapping[str, Any]], Mapping[str, Any]], str]
"""Makes the answer of the messages and the other parameters of a request."""

KEY = "test-key"
TOKEN = "test-token"
DEPLOYMENT = "test-model"
DEFAULT_OUTPUT_TOKENS = 1_000
"""Output tokens assumed by the token limit when a request sets no maximum."""
_MAX_BODY = 256 * 2**20
_STATUS_FAULTS = {Fault.ERROR_408: 408, Fault.ERROR_500: 500, Fault.ERROR_503: 503}
_REASONING_REFUSES = ("max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty")


def plain_answer(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """A short JSON answer that depends on the messages only."""
    return f'{{"answer": "{prompt_hash(messages)[:8]}"}}'


def prompt_hash(messages: Any) -> str:
    """The name under which the server counts a prompt: 32 hexadecimal digits."""
    canonical = orjson.dumps(messages, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(canonical, digest_size=16).hexdigest()


@dataclass(slots=True)
class PromptCount:
    """How often a prompt arrived, and how often an answer to it (status 200) was sent whole."""

    seen: int = 0
    answered: int = 0


@dataclass(frozen=True, slots=True)
class _Surface:
    """One way to address the server."""

    azure: bool
    chat_url: str


_DATED = _Surface(azure=True, chat_url="/chat/completions")
_V1 = _Surface(azure=True, chat_url="/v1/chat/completions")
_OPENAI = _Surface(azure=False, chat_url="/v1/chat/completions")


class ModelServer:
    """The server; an asynchronous context manager.

    What it does may be changed while it runs: ``limits``, ``faults``, ``answer``, ``latency_s``,
    ``batch``, ``streaming``.

    Args:
        limits: of each deployment; a deployment not named here does not exist.
        answer: makes the text of an answer.
        faults: what goes wrong.
        latency_s: time an answer takes.
        reasoning: deployments that refuse ``max_tokens``, ``temperature`` and their like.
        echo: error messages repeat the prompt, as some services do.
        redirect_to: where :attr:`Fault.REDIRECT` points to.
        drip_s: time between two bytes of a dripping body.
        port: 0 for any free one.

    Attributes:
        prompts: what was seen, by :func:`prompt_hash`; batch lines are not counted here.
        arrivals: time of arrival (monotonic clock) of each chat request that was authorised.
        statuses: number of responses by status; 0 for those that were never finished.
        met: number of faults met.
        peak: highest number of chat requests at work at the same time.
        elsewhere: requests to addresses that do not exist here, as ``METHOD /path``.
        headers_seen: names of all request headers seen, lower case.
        last_body: body of the last chat request.
        images: those of the chat requests, in the order they came.
    """

    def __init__(
        self,
        *,
        limits: Mapping[str, Limits] | None = None,
        answer: Answer = plain_answer,
        faults: FaultPlan | None = None,
        latency_s: float = 0.0,
        reasoning: frozenset[str] = frozenset(),
        echo: bool = False,
        redirect_to: str = "https://elsewhere.invalid",
        drip_s: float = 0.2,
        keys: frozenset[str] = frozenset({KEY}),
        tokens: frozenset[str] = frozenset({TOKEN}),
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.limits = dict(limits) if limits is not None else {DEPLOYMENT: Limits()}
        self.answer = answer
        self.faults = faults or FaultPlan()
        self.latency_s = latency_s
        self.reasoning = reasoning
        self.echo = echo
        self.redirect_to = redirect_to
        self.drip_s = drip_s
        self.keys = set(keys)
        self.tokens = set(tokens)
        self.batch = BatchService()
        self.streaming = Streaming()
        self.host = host
        self.port = port
        self._runner: web.ServerRunner | None = None
        self.reset()

    def reset(self) -> None:
        """Forget what was seen."""
        self.prompts: dict[str, PromptCount] = {}
        self.arrivals: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.met: Counter[Fault] = Counter()
        self.elsewhere: list[str] = []
        self.headers_seen: set[str] = set()
        self.last_body: Mapping[str, Any] = {}
        self.images: list[SeenImage] = []
        self.peak = 0
        self._working = 0
        self._number = 0

    @property
    def url(self) -> str:
        """Scheme, host and port."""
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> Self:
        server = web.Server(self._respond, request_factory=_make_request, handler_cancellation=True)
        self._runner = web.ServerRunner(server, access_log=None, shutdown_timeout=0.05)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.host, self.port, backlog=4096)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def stats(self) -> dict[str, Any]:
        """What was seen, for ``GET /_stats``."""
        return {
            "requests": len(self.arrivals),
            "prompts": {k: [v.seen, v.answered] for k, v in self.prompts.items()},
            "statuses": {str(k): v for k, v in self.statuses.items()},
            "faults": {k.value: v for k, v in self.met.items()},
            "peak": self.peak,
            "elsewhere": self.elsewhere,
            "batch_submitted": self.batch.submitted,
        }

    async def _respond(self, request: web.BaseRequest) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        match parts:
            case ["openai", "deployments", name, "chat", "completions"]:
                if "api-version" not in request.query:
                    return replies.not_found()
                return await self._chat(request, _DATED, name)
            case ["openai", "v1", "chat", "completions"]:
                return await self._chat(request, _V1, None)
            case ["v1", "chat", "completions"]:
                return await self._chat(request, _OPENAI, None)
            case ["openai", "v1", kind, *rest]:
                return await self._other(request, _V1, kind, rest)
            case ["openai", kind, *rest] if "api-version" in request.query:
                return await self._other(request, _DATED, kind, rest)
            case ["v1", kind, *rest]:
                return await self._other(request, _OPENAI, kind, rest)
            case ["_stats"]:
                return replies.json_response(self.stats())
        self.elsewhere.append(f"{request.method} {request.path}")
        return replies.not_found()

    def _authorised(self, request: web.BaseRequest, surface: _Surface) -> bool:
        headers = request.headers
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if surface.azure and headers.get("api-key") in self.keys:
            return True
        if bearer in self.tokens:
            return True
        return bearer in self.keys and surface is not _DATED

    async def _other(
        self, request: web.BaseRequest, surface: _Surface, kind: str, rest: list[str]
    ) -> web.Response:
        self.headers_seen.update(name.lower() for name in request.headers)
        if not self._authorised(request, surface):
            return replies.unauthorized(azure=surface.azure)
        if kind in ("files", "batches"):
            return await self.batch.handle(
                request,
                kind,
                rest,
                surface.chat_url,
                lambda body: self._batch_answer(body, surface),
            )
        if kind == "models" and not rest:
            data = [{"id": name, "object": "model", "owned_by": "test"} for name in self.limits]
            return replies.json_response({"object": "list", "data": data})
        self.elsewhere.append(f"{request.method} {request.path}")
        return replies.not_found()

    def _batch_answer(self, body: Mapping[str, Any], surface: _Surface) -> dict[str, Any]:
        self._number += 1
        answered = self._answered(body, _characters(body), None)
        return replies.completion(self._number, body["model"], answered, azure=surface.azure)

    async def _chat(
        self, request: web.BaseRequest, surface: _Surface, deployment: str | None
    ) -> web.StreamResponse:
        self.headers_seen.update(name.lower() for name in request.headers)
        if not self._authorised(request, surface):
            self.statuses[401] += 1
            return replies.unauthorized(azure=surface.azure)
        self.arrivals.append(time.monotonic())
        self._working += 1
        self.peak = max(self.peak, self._working)
        status = 0
        try:
            response = await self._attempt(request, surface, deployment)
            status = response.status
            return response
        finally:
            self._working -= 1
            self.statuses[status] += 1

    async def _attempt(
        self, request: web.BaseRequest, surface: _Surface, deployment: str | None
    ) -> web.StreamResponse:
        raw = await request.read()
        try:
            body = orjson.loads(raw)
            messages = body["messages"]
            name = deployment or body["model"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return replies.bad_request("invalid_request", "The body is not a chat request.")
        limits = self.limits.get(name)
        if limits is None:
            return replies.unknown_deployment(azure=surface.azure)
        try:
            self.images += list(seen_images(messages))
        except ValueError:
            return replies.bad_request("invalid_image_url", "An image cannot be read.")
        if name in self.reasoning and (refused := [p for p in _REASONING_REFUSES if p in body]):
            message = f"Unsupported parameter: '{refused[0]}' is not supported with this model."
            return replies.bad_request("unsupported_parameter", message, refused[0])

        if "stream_options" in body and not self.streaming.options:
            message = "Unrecognized request argument supplied: stream_options"
            return replies.bad_request(None, message)

        prompt = prompt_hash(messages)
        self.last_body = body
        count = self.prompts.setdefault(prompt, PromptCount())
        count.seen += 1
        fault = self.faults.choose(prompt, count.seen, raw)
        if fault is not None:
            self.met[fault] += 1

        characters = _characters(body)
        now = time.monotonic()
        output = body.get("max_tokens") or body.get("max_completion_tokens")
        short, wait = limits.admit(now, characters // 4 + (output or DEFAULT_OUTPUT_TOKENS))
        if short or fault is Fault.RATE_LIMIT:
            headers = limits.rate_headers(now)
            return replies.rate_limited(short or "call", wait or 0.05, headers, azure=surface.azure)
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if fault is not None and (failure := await self._fail(request, fault, messages)):
            return failure

        answered = self._answered(body, characters, fault)
        self._number += 1
        reply = replies.completion(self._number, name, answered, azure=surface.azure)
        response = replies.json_response(reply, headers=limits.rate_headers(now))
        if surface.azure:
            response.headers["apim-request-id"] = f"req-{self._number}"
            response.headers["x-ms-region"] = "Test Region"
        if body.get("stream") and self.streaming.on:
            count.answered += fault not in BROKEN
            usage = "stream_options" in body
            return await self.streaming.send(
                request, reply, response.headers, fault, self.drip_s, usage=usage
            )
        if fault in (Fault.DRIP, Fault.DROP):
            return await self._send_badly(request, response, fault)
        count.answered += 1
        return response

    async def _fail(
        self, request: web.BaseRequest, fault: Fault, messages: Any
    ) -> web.Response | None:
        """The response of a fault that sends no answer; None for the others."""
        match fault:
            case Fault.HANG:
                await asyncio.Event().wait()
            case Fault.RESET:
                _cut(request)
                return web.Response(status=500)
            case Fault.REDIRECT:
                headers = {"Location": self.redirect_to + request.path_qs}
                return web.Response(status=307, headers=headers)
            case Fault.CONTENT_FILTER:
                return self._echo(
                    replies.json_response(replies.blocked_prompt_error(), 400), messages
                )
            case Fault.HTML:
                return web.Response(body=replies.HTML_PAGE, content_type="text/html")
            case Fault.BAD_BODY:
                return web.Response(
                    body=b'{"id": "chatcmpl-0", "cho', content_type="application/json"
                )
            case Fault.NO_CHOICES:
                return replies.json_response({"object": "chat.completion", "choices": []})
            case _ if fault in _STATUS_FAULTS:
                return self._echo(replies.server_error(_STATUS_FAULTS[fault]), messages)
        return None

    def _echo(self, response: web.Response, messages: Any) -> web.Response:
        if not self.echo or not isinstance(response.body, bytes):
            return response
        body = orjson.loads(response.body)
        body["error"]["message"] += f" Request: {orjson.dumps(messages).decode()}"
        return replies.json_response(body, response.status)

    def _answered(self, body: Mapping[str, Any], characters: int, fault: Fault | None) -> Answered:
        text: str | None = self.answer(body["messages"], body)
        finish, refusal = "stop", None
        match fault:
            case Fault.LENGTH:
                text, finish = (text or "")[: len(text or "") // 2], "length"
            case Fault.CONTENT_CUT:
                text, finish = (text or "")[: len(text or "") // 2], "content_filter"
            case Fault.REFUSAL:
                text, refusal = None, "I cannot help with that."
            case Fault.BAD_ANSWER:
                text = (text or "")[:-1] + ', "'
        tokens = len(text or refusal or "") // 4 + 1
        return Answered(text, finish, characters // 4, tokens, refusal)

    async def _send_badly(
        self, request: web.BaseRequest, response: web.Response, fault: Fault
    ) -> web.StreamResponse:
        body = response.body
        assert isinstance(body, bytes)
        stream = web.StreamResponse(headers=response.headers)
        stream.content_length = len(body)
        await stream.prepare(request)
        if fault is Fault.DROP:
            await stream.write(body[: len(body) // 2])
            _cut(request)
            return stream
        with contextlib.suppress(ConnectionError):
            for byte in body:
                await stream.write(bytes([byte]))
                await asyncio.sleep(self.drip_s)
        return stream


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.close()


def _characters(body: Mapping[str, Any]) -> int:
    """Characters of the messages, from which the services estimate the prompt's tokens."""
    return sum(
        len(content)
        if isinstance(content := message.get("content"), str)
        else sum(len(part.get("text", "")) or IMAGE_CHARACTERS for part in content or ())
        for message in body["messages"]
    )


def _make_request(
    message: Any, payload: Any, protocol: Any, writer: Any, task: asyncio.Task[None]
) -> web.BaseRequest:
    loop = asyncio.get_running_loop()
    return web.BaseRequest(
        message, payload, protocol, writer, task, loop, client_max_size=_MAX_BODY
    )


def _load_answer(text: str) -> Answer:
    module, name = text.split(":")
    answer: Answer = getattr(importlib.import_module(module), name)
    return answer


async def _serve(server: ModelServer) -> None:
    async with server:
        print(server.url, flush=True)
        await asyncio.Event().wait()


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until killed; the first line of output is the URL."""
    parser = argparse.ArgumentParser(prog="model_server", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--deployment", action="append", help="name; may be repeated")
    parser.add_argument("--rpm", type=float)
    parser.add_argument("--tpm", type=float)
    parser.add_argument("--window", type=float, action="append", help="seconds; may be repeated")
    parser.add_argument("--style", choices=["sliding", "fixed"], default="sliding")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between streamed pieces")
    parser.add_argument("--faults", default="", help="500=0.05,429=0.05,hang=0.002")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--answer", default="tests.support.model_server:plain_answer")
    parser.add_argument("--echo", action="store_true", help="errors repeat the prompt")
    options = parser.parse_args(argv)
    windows = tuple(options.window or (1.0, 10.0))
    server = ModelServer(
        limits={
            name: Limits(options.rpm, options.tpm, windows, options.style)
            for name in options.deployment or [DEPLOYMENT]
        },
        answer=_load_answer(options.answer),
        faults=FaultPlan.parse(options.faults, options.seed),
        latency_s=options.latency,
        echo=options.echo,
        port=options.port,
    )
    server.streaming.pause_s = options.pause
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(server))


if __name__ == "__main__":
    main()
