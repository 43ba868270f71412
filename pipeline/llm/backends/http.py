"""One attempt over HTTP: a POST, its whole answer before the deadline, and nothing else.

Redirects are not followed and the environment adds no proxy, so that a request with a note in it
goes where the recipe says or nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp
import orjson
from yarl import URL

from pipeline.core.errors import BackendError
from pipeline.llm.backends.base import Attempt, Fault, FaultKind
from pipeline.llm.backends.chat import build_body, read_answer
from pipeline.llm.backends.credentials import Credentials
from pipeline.llm.config import DeploymentConfig
from pipeline.llm.types import Request

CONNECT_TIMEOUT_S = 15.0
MAX_BODY = 16 << 20
"""No chat answer is near 16 MiB; a server that sends more is not one."""


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

    async def attempt(self, request: Request, deadline_s: float | None = None) -> Attempt:
        """Send ``request`` once and classify what comes back; the deadline covers a slow body."""
        try:
            headers = await self._credentials.headers()
        except BackendError as error:
            return _fault(FaultKind.FATAL, error.kind, hint=str(error))
        data = orjson.dumps(build_body(request, self.deployment))
        try:
            async with asyncio.timeout(deadline_s or self.deployment.timeout_s):
                return await self._post(data, headers)
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

    async def close(self) -> None:
        """Close the credentials; the session belongs to whoever opened it."""
        await self._credentials.close()


_UNREACHABLE = "the address cannot be reached; check url, name resolution and network"


def _fault(kind: FaultKind, code: str, *, suspect: bool = False, hint: str = "") -> Attempt:
    return Attempt(fault=Fault(kind, code, suspect=suspect, hint=hint))
