"""The door in front of a page: the token opens it, once for all, and for this machine alone."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.web.door import Door, open_socket


async def behind(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x", b"y")]})
    await send({"type": "http.response.body", "body": b"inside"})


async def ask(
    door: Door, query: str = "", cookie: str = "", host: str = "127.0.0.1:7", kind: str = "http"
) -> tuple[int, dict[str, str], bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"host", host.encode()), (b"cookie", cookie.encode())]
    await door({"type": kind, "headers": headers, "query_string": query.encode()}, None, send)  # type: ignore[arg-type]
    if kind == "websocket":
        return sent[0]["code"], {}, b""
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"]


async def test_the_token_opens_and_a_cookie_stands_for_it() -> None:
    door = Door(behind)
    status, headers, body = await ask(door, f"token={door.token}")
    assert status == 200
    assert b"inside" not in body
    cookie = headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    status, headers, body = await ask(door, cookie=f"other=1; {cookie.partition(';')[0]}")
    assert (status, body) == (200, b"inside")
    assert "connect-src 'self'" in headers["content-security-policy"]


@pytest.mark.parametrize("query", ["", "token=", "token=wrong", "token=%00", "other=1"])
async def test_without_it_nobody_gets_in(query: str) -> None:
    door = Door(behind)
    status, _, body = await ask(door, query, cookie="cxr-pipeline-x=wrong; ;;=")
    assert status == 403
    assert b"inside" not in body
    assert (await ask(door, query, kind="websocket"))[0] == 1008


async def test_another_name_for_this_machine_is_refused() -> None:
    door = Door(behind)
    for host in ("evil.example:7", "127.0.0.1.evil.example:7", "", "[::1]:7"):
        assert (await ask(door, f"token={door.token}", host=host))[0] == 403
    assert (await ask(door, f"token={door.token}", host="localhost:7"))[0] == 200


def test_the_socket_is_on_loopback_and_a_taken_port_is_said() -> None:
    with open_socket() as sock:
        address, port = sock.getsockname()
        assert address == "127.0.0.1"
        sock.listen()
        with pytest.raises(ConfigError, match=f"port {port} cannot be used"):
            open_socket(port)
