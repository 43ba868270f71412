"""One attempt over HTTP: a POST, its whole answer before the deadline, and nothing else.

Redirects are not followed and the environment adds no proxy, so that a request with a note in it
goes where the recipe says or nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
from yarl import URL

from pipeline.core.errors import BackendError
from pipeline.llm.backends.base import Attempt, Fault, FaultKind, Listen
from pipeline.llm.backends.chat import build_body, read_answer
from pipeline.llm.backends.credentials import Credentials
from pipeline.llm.backends.stream import StreamedAnswer
from pipeline.llm.config import DeploymentConfig
from pipeline.llm.images import has_images
from pipeline.llm.types import Request

CONNECT_TIMEOUT_S = 15.0
IMAGES_AT_ONCE = 2
"""Requests whose images are unpacked at the same time: a large one takes some 200 MB for it."""
MAX_BODY = 16 << 20
"""No chat answer is near 16 MiB; a server that sends more is not one."""
MAX_STREAM = 16 * MAX_BODY
"""A streamed answer is some 50 times as long: each token comes in an object of its own."""


def open_session() -> aiohttp.ClientSession:
    """The session all deployments share; how many requests are under way is the pool's matter."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300, keepalive_timeout=30),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
        trust_env=False,
        headers={"User-Agent": "cxr-pipeline", "Content-Type": "application/json"},
    )


class HttpBackend:
    """A deployment behind a chat completions address."""

    def __init__(
        self,
        deployment: DeploymentConfig,
        address: str,
        credentials: Credentials,
        session: aiohttp.ClientSession,
    ) -> None:
        self.deployment = deployment
        self._address = URL(address)
        self._credentials = credentials
        self._session = session
        self._streams_usage = True
        self._images = asyncio.Semaphore(IMAGES_AT_ONCE)

    async def attempt(
        self, request: Request, deadline_s: float | None = None, listen: Listen | None = None
    ) -> Attempt:
        """Send ``request`` once and classify what comes back; the deadline covers a slow body.

        With ``listen`` the answer is streamed. Servers that do not know ``stream_options`` refuse
        it: they are asked again without, and count no tokens then.

        Raises:
            DataError: an image of the request cannot be read or sent.
        """
        try:
            headers = await self._credentials.headers()
        except BackendError as error:
            return _fault(FaultKind.FATAL, error.kind, hint=str(error))
        body = await self._body(request)
        limit = deadline_s or self.deployment.timeout_s
        try:
            async with asyncio.timeout(limit) as deadline:
                if listen is None:
                    return await self._post(orjson.dumps(body), headers)
                return await self._stream(body, headers, listen, deadline, limit)
        except aiohttp.ServerTimeoutError:
            return _fault(FaultKind.TRANSIENT, "connect_timeout", suspect=True, hint=_UNREACHABLE)
        except TimeoutError:
            return _fault(FaultKind.TRANSIENT, "timeout")
        except aiohttp.ClientSSLError:
            return _fault(FaultKind.TRANSIENT, "tls", suspect=True, hint=_UNREACHABLE)
        except aiohttp.ClientConnectorError:
            return _fault(FaultKind.TRANSIENT, "unreachable", suspect=True, hint=_UNREACHABLE)
        except (aiohttp.ClientError, OSError, ValueError):
            return _fault(FaultKind.TRANSIENT, "connection_lost")

    async def _body(self, request: Request) -> dict[str, Any]:
        """The body; images are unpacked and packed beside the event loop, a few at a time."""
        if not has_images(request):
            return build_body(request, self.deployment)
        async with self._images:
            return await asyncio.to_thread(build_body, request, self.deployment)

    async def _post(self, data: bytes, headers: Mapping[str, str]) -> Attempt:
        async with self._session.post(
            self._address, data=data, headers=headers, allow_redirects=False
        ) as response:
            chunks, size = [], 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > MAX_BODY:
                    return _fault(FaultKind.TRANSIENT, "oversized_body", suspect=True)
                chunks.append(chunk)
            return read_answer(response.status, response.headers, b"".join(chunks))

    async def _stream(
        self,
        body: Mapping[str, Any],
        headers: Mapping[str, str],
        listen: Listen,
        deadline: asyncio.Timeout,
        limit: float,
    ) -> Attempt:
        body = {**body, "stream": True}
        if not self._streams_usage:
            return (await self._listen(orjson.dumps(body), headers, listen, deadline, limit))[1]
        counting = orjson.dumps({**body, "stream_options": {"include_usage": True}})
        status, attempt = await self._listen(counting, headers, listen, deadline, limit)
        if status == 200 or not _refuses_a_parameter(attempt):
            return attempt
        status, attempt = await self._listen(orjson.dumps(body), headers, listen, deadline, limit)
        self._streams_usage = status != 200
        return attempt

    async def _listen(
        self,
        data: bytes,
        headers: Mapping[str, str],
        listen: Listen,
        deadline: asyncio.Timeout,
        limit: float,
    ) -> tuple[int, Attempt]:
        """Status and attempt of one streamed answer; every event moves the deadline on."""
        async with self._session.post(
            self._address, data=data, headers=headers, allow_redirects=False
        ) as response:
            answer, size = StreamedAnswer(response.status, response.headers, listen), 0
            async for chunk in response.content.iter_any():
                size += len(chunk)
                if size > MAX_STREAM:
                    too_large = _fault(FaultKind.TRANSIENT, "oversized_body", suspect=True)
                    return response.status, too_large
                if answer.feed(chunk):
                    deadline.reschedule(asyncio.get_running_loop().time() + limit)
                if answer.done:
                    break
            return response.status, answer.close()

    async def close(self) -> None:
        """Close the credentials; the session belongs to whoever opened it."""
        await self._credentials.close()


_UNREACHABLE = "the address cannot be reached; check url, name resolution and network"


def _refuses_a_parameter(attempt: Attempt) -> bool:
    fault = attempt.fault
    return fault is not None and (
        (fault.kind is FaultKind.REJECTED and fault.suspect)
        or fault.code in ("unknown_parameter", "unsupported_parameter")
    )


def _fault(kind: FaultKind, code: str, *, suspect: bool = False, hint: str = "") -> Attempt:
    return Attempt(fault=Fault(kind, code, suspect=suspect, hint=hint))
