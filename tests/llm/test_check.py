"""``check`` asks each deployment once and says what is wrong, never with data."""

from __future__ import annotations

from typing import Any

from pipeline.core.errors import GovernanceError
from pipeline.llm.check import CheckResult, check_backend
from pipeline.llm.config import DeploymentConfig, parse_backend
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.model_server_limits import Limits


def passes(deployment: DeploymentConfig) -> None:
    """A gate that lets everything through."""


def ready(messages: Any, params: Any) -> str:
    return '{"ready": true}'


async def check(server: ModelServer, gate: Any = passes, **fields: Any) -> list[CheckResult]:
    raw = {"kind": "azure", "model": "m", "url": server.url, "deployment": DEPLOYMENT}
    return await check_backend(
        parse_backend({**raw, "key_env": "K", **fields}), gate, environ={"K": KEY, "W": "wrong"}
    )


async def test_a_deployment_that_works() -> None:
    limits = {DEPLOYMENT: Limits(rpm=600, tpm=90_000)}
    async with ModelServer(answer=ready, limits=limits) as server:
        (result,) = await check(server)
        assert result.works
        assert result.structured
        assert result.reports_usage
        assert (result.rpm, result.tpm) == (600, 90_000)
        assert len(server.arrivals) == 1


async def test_an_answer_without_the_schema_is_noticed() -> None:
    async with ModelServer() as server:
        (result,) = await check(server)
        assert result.works
        assert not result.structured


async def test_every_deployment_of_a_pool_is_asked() -> None:
    async with ModelServer(answer=ready) as server:
        one = {"url": server.url, "key_env": "K"}
        pool = [{**one, "deployment": DEPLOYMENT}, {**one, "deployment": "nobody"}]
        pool.append({"url": server.url, "deployment": "x", "key_env": "MISSING"})
        backend = parse_backend({"kind": "azure", "model": "m", "deployments": pool})
        results = await check_backend(backend, passes, environ={"K": KEY})
        assert [one.works for one in results] == [True, False, False]
        assert "DeploymentNotFound" in results[1].problem
        assert "MISSING" in results[2].problem


async def test_a_parameter_the_model_does_not_take_is_found() -> None:
    async with ModelServer(answer=ready, reasoning=frozenset({DEPLOYMENT})) as server:
        (result,) = await check(server, params={"temperature": 0})
        assert not result.works
        assert "unsupported_parameter" in result.problem
        assert "token_param" in result.problem
        fields = {"token_param": "max_completion_tokens", "temperature": False}
        (result,) = await check(server, params={"temperature": 0}, **fields)
        assert result.works


async def test_nothing_is_sent_where_the_gate_refuses() -> None:
    def refuses(deployment: DeploymentConfig) -> None:
        raise GovernanceError("needs an attestation")

    async with ModelServer() as server:
        (result,) = await check(server, refuses)
        assert not result.works
        assert "attestation" in result.problem
        assert server.arrivals == []


async def test_a_wrong_key() -> None:
    async with ModelServer() as server:
        (result,) = await check(server, key_env="W")
        assert not result.works
        assert "key_env" in result.problem
