"""Who may open a page on this machine: those who have its address with the token in it.

A loopback address is open to every user of the machine, and to every page in the user's browser
that tricks it into asking. So the first visit needs ``?token=``, for which a cookie stands from
then on, and the name in the address must be this machine's.
"""

from __future__ import annotations

import hmac
import secrets
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, TypeAlias
from urllib.parse import parse_qs

from pipeline.core.errors import ConfigError

HOST = "127.0.0.1"
_NAMES = frozenset({"127.0.0.1", "localhost"})
_POLICY = (
    b"default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    b"style-src 'self' 'unsafe-inline'; connect-src 'self' data: blob:; form-action 'self'; "
    b"frame-ancestors 'none'; base-uri 'self'"
)

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class Door:
    """An ASGI application in front of another one.

    Args:
        app: what is behind the door.
        token: what opens it; a random one if not given.
    """

    def __init__(self, app: App, token: str = "") -> None:
        self.token = token or secrets.token_urlsafe(24)
        self._app = app
        self._cookie = f"cxr-pipeline-{secrets.token_hex(4)}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, set the cookie, or refuse."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value for name, value in scope["headers"]}
        name = headers.get(b"host", b"").decode("latin-1").rpartition(":")[0]
        if name not in _NAMES:
            await _answer(send, scope, 403, "wrong host name")
        elif self._is_known(headers.get(b"cookie", b"").decode("latin-1")):
            await self._app(scope, receive, _confined(send))
        elif self._fits(parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]):
            cookie = f"{self._cookie}={self.token}; Path=/; HttpOnly; SameSite=Strict"
            # A page and not a redirect: a strict cookie is not sent along with one that came
            # from outside.
            await _answer(send, scope, 200, '<meta http-equiv="refresh" content="0;url=/">', cookie)
        else:
            await _answer(send, scope, 403, "open the address that the terminal shows")

    def _is_known(self, text: str) -> bool:
        try:
            cookie = SimpleCookie(text).get(self._cookie)
        except CookieError:
            return False
        return cookie is not None and self._fits(cookie.value)

    def _fits(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())


def open_socket(port: int = 0) -> socket.socket:
    """A socket on loopback; port 0 takes a free one.

    Raises:
        ConfigError: the port is taken.
    """
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((HOST, port))
    except OSError as error:
        made.close()
        raise ConfigError(f"port {port} cannot be used: {error.strerror}; try another") from None
    return made


def _confined(send: Send) -> Send:
    """The same, with a policy that lets the page talk to this server alone."""

    async def confined(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [*message.get("headers", ()), (b"content-security-policy", _POLICY)]
            message = {**message, "headers": [*headers, (b"referrer-policy", b"no-referrer")]}
        await send(message)

    return confined


async def _answer(send: Send, scope: Scope, status: int, text: str, cookie: str = "") -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
        return
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"referrer-policy", b"no-referrer"),
    ]
    if cookie:
        headers.append((b"set-cookie", cookie.encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
