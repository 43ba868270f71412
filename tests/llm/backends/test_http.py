"""One attempt against a real server, and everything that can be wrong with the way there."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import BackendError, ConfigError
from pipeline.llm.backends.base import Attempt, FaultKind
from pipeline.llm.backends.credentials import EntraToken
from pipeline.llm.backends.http import HttpBackend, open_session
from pipeline.llm.config import parse_backend
from pipeline.llm.open import open_backends, open_engine
from pipeline.llm.types import Message, Outcome, Request
from tests.support.model_server import DEPLOYMENT, KEY, TOKEN, ModelServer
from tests.support.model_server_faults import Fault

ENV = {"K": KEY, "T": TOKEN, "WRONG": "wrong-key"}


def request(text: str = "hello") -> Request:
    return Request("t", (Message("user", text),), params={"max_tokens": 20})


async def attempt(url: str, text: str = "hello", **config: Any) -> Attempt:
    raw = {"kind": "openai", "model": "m", "url": url, "deployment": DEPLOYMENT, "key_env": "K"}
    backend = parse_backend({**raw, **config})
    async with AsyncExitStack() as stack:
        (one,) = await open_backends(backend, stack, ENV)
        return await one.attempt(request(text))


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"key_env": "T"},
        {"kind": "azure"},
        {"kind": "azure", "auth": "bearer"},
        {"kind": "azure", "api_version": "2024-10-21"},
        {"kind": "azure", "api_version": "2024-10-21", "auth": "bearer", "key_env": "T"},
    ],
)
async def test_every_surface_and_way_to_sign_in(config: dict[str, Any]) -> None:
    async with ModelServer() as server:
        result = await attempt(server.url, **config)
        assert result.fault is None
        assert result.reply is not None
        assert result.reply.outcome is Outcome.OK
        assert result.reply.usage.prompt_tokens > 0
        assert server.elsewhere == []


@pytest.mark.parametrize(
    ("config", "code", "hint"),
    [
        ({"key_env": "WRONG"}, "invalid_api_key", "key_env"),
        ({"kind": "azure", "key_env": "WRONG"}, "http_401", "key_env"),
        ({"deployment": "nobody"}, "model_not_found", "deployment"),
        ({"kind": "azure", "deployment": "nobody"}, "DeploymentNotFound", "deployment"),
    ],
)
async def test_what_can_never_work_is_fatal(config: dict[str, Any], code: str, hint: str) -> None:
    async with ModelServer() as server:
        fault = (await attempt(server.url, **config)).fault
        assert fault is not None
        assert fault.kind is FaultKind.FATAL
        assert fault.code == code
        assert hint in fault.hint


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (Fault.DROP, "connection_lost"),
        (Fault.RESET, "connection_lost"),
        (Fault.HANG, "timeout"),
        (Fault.DRIP, "timeout"),
        (Fault.HTML, "html"),
        (Fault.BAD_BODY, "unreadable_body"),
        (Fault.NO_CHOICES, "no_choices"),
        (Fault.REDIRECT, "redirect"),
        (Fault.ERROR_503, "ServiceUnavailable"),
    ],
)
async def test_bad_luck_is_transient(name: Fault, code: str) -> None:
    async with ModelServer(drip_s=0.02) as server:
        begun = time.monotonic()
        result = await attempt(server.url, f"[[fault:{name.value}]]", timeout_s=0.4)
        assert time.monotonic() - begun < 2
        assert result.fault is not None
        assert (result.fault.kind, result.fault.code) == (FaultKind.TRANSIENT, code)


async def test_a_redirect_is_not_followed() -> None:
    async with ModelServer() as target, ModelServer(redirect_to=target.url) as server:
        result = await attempt(server.url, "[[fault:redirect]]")
        assert result.fault is not None
        assert "redirects are not followed" in result.fault.hint
        assert target.arrivals == []


async def test_the_environment_cannot_move_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ModelServer() as proxy, ModelServer() as server:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "AZURE_OPENAI_ENDPOINT"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        result = await attempt(server.url)
        assert result.reply is not None
        assert proxy.arrivals == []
        assert proxy.elsewhere == []


async def test_an_unreachable_host_and_an_unknown_name() -> None:
    for url in ("http://127.0.0.1:9", "https://no-such-host.invalid"):
        result = await attempt(url)
        assert result.fault is not None
        assert result.fault.kind is FaultKind.TRANSIENT
        assert result.fault.suspect
        assert "cannot be reached" in result.fault.hint


async def test_https_to_a_plain_server_is_said_to_be_unreachable() -> None:
    async with ModelServer() as server:
        result = await attempt(server.url.replace("http://", "https://"), timeout_s=5)
        assert result.fault is not None
        assert result.fault.suspect


async def test_a_body_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.llm.backends.http.MAX_BODY", 100)
    async with ModelServer() as server:
        result = await attempt(server.url)
        assert result.fault is not None
        assert result.fault.code == "oversized_body"


@pytest.mark.parametrize("value", [None, "", "  ", "two\nlines", "schlüssel"])
async def test_a_missing_or_broken_key_is_named(value: str | None, tmp_path: Path) -> None:
    backend = parse_backend({"kind": "azure", "model": "m", "url": "https://x.example"})
    environ = {} if value is None else {"AZURE_OPENAI_API_KEY": value}
    with pytest.raises(ConfigError, match="AZURE_OPENAI_API_KEY"):
        async with open_engine(backend, tmp_path, lambda _: None, environ=environ):
            pass


class Credential:
    """Stands in for azure-identity."""

    def __init__(self, life: float, fails: bool = False) -> None:
        self.life, self.fails, self.calls = life, fails, 0

    async def get_token(self, scope: str) -> Any:
        await asyncio.sleep(0.01)
        self.calls += 1
        if self.fails:
            raise RuntimeError("SENTINEL")

        class Token:
            token = f"token-{self.calls}"
            expires_on = time.time() + self.life

        return Token

    async def close(self) -> None: ...


async def test_an_entra_token_is_asked_for_once_and_renewed_in_time() -> None:
    credential = Credential(life=3_600)
    token = EntraToken("scope", credential)
    headers = await asyncio.gather(*(token.headers() for _ in range(20)))
    assert {one["Authorization"] for one in headers} == {"Bearer token-1"}
    short = Credential(life=0.02)
    token = EntraToken("scope", short)
    await token.headers()
    await asyncio.sleep(0.03)
    assert (await token.headers())["Authorization"] == "Bearer token-2"


async def test_a_clock_that_jumps_does_not_age_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    credential = Credential(life=3_600)
    token = EntraToken("scope", credential)
    await token.headers()
    real = time.time
    for jump in (-10_000_000.0, 10_000_000.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        await token.headers()
    assert credential.calls == 1


async def test_no_token_is_fatal_and_quiet(caplog: pytest.LogCaptureFixture) -> None:
    deployment = parse_backend(
        {"kind": "azure", "model": "m", "url": "https://x.example", "auth": "bearer"}
    ).deployments[0]
    token = EntraToken("scope", Credential(1, fails=True))
    with pytest.raises(BackendError):
        await token.headers()
    with caplog.at_level(logging.DEBUG):
        async with open_session() as session:
            backend = HttpBackend(deployment, "https://x.example", token, session)
            result = await backend.attempt(request())
    assert result.fault is not None
    assert result.fault.kind is FaultKind.FATAL
    assert "SENTINEL" not in repr(result) + caplog.text


async def test_entra_through_azure_identity_where_it_is_installed() -> None:
    pytest.importorskip("azure.identity")
    backend = parse_backend(
        {"kind": "azure", "model": "m", "url": "https://x.example", "auth": "entra"}
    )
    async with AsyncExitStack() as stack:
        (one,) = await open_backends(backend, stack, {})
        assert one.deployment.auth == "entra"
