"""Asks every deployment once, with a question that holds no data, and says what came of it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import orjson

from pipeline.core.errors import ConfigError, GovernanceError
from pipeline.llm.backends.base import Attempt, Backend
from pipeline.llm.config import BackendConfig, Deployment, DeploymentConfig
from pipeline.llm.engine import Gate, complete
from pipeline.llm.open import open_backends
from pipeline.llm.servers import recognise
from pipeline.llm.types import Message, Outcome, Request

_SCHEMA = {
    "type": "object",
    "properties": {"ready": {"type": "boolean"}},
    "required": ["ready"],
    "additionalProperties": False,
}
_QUESTION = Request(
    "check",
    (Message("user", 'Answer with this JSON object and nothing else: {"ready": true}'),),
    schema=_SCHEMA,
)
_MAX_TOKENS = 256


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one deployment answered.

    Attributes:
        deployment: its label.
        works: it answered.
        problem: what is wrong and what to change, else empty; no text of an answer.
        model: the model name it reports.
        seconds: time of the answer.
        structured: whether the answer followed the schema, with the configured dialect.
        reports_usage: whether it counts tokens; money and budgets depend on it.
        rpm: requests per minute it reports.
        tpm: tokens per minute it reports.
        server: the kind of model server, where it is on this machine and known.
        advice: what that server needs and the recipe says otherwise.
    """

    deployment: str
    works: bool
    problem: str = ""
    model: str = ""
    seconds: float = 0.0
    structured: bool = False
    reports_usage: bool = False
    rpm: float | None = None
    tpm: float | None = None
    server: str = ""
    advice: tuple[str, ...] = ()


async def check_backend(
    config: BackendConfig, gate: Gate, environ: Mapping[str, str] = os.environ
) -> list[CheckResult]:
    """One tiny request per deployment, none where the gate refuses or a key is missing."""
    return list(
        await asyncio.gather(*(_check(config, one, gate, environ) for one in config.deployments))
    )


async def _check(
    config: BackendConfig, deployment: Deployment, gate: Gate, environ: Mapping[str, str]
) -> CheckResult:
    one = config.model_copy(update={"deployments": (deployment,)})
    try:
        gate(deployment.target)
        async with AsyncExitStack() as stack:
            (backend,) = await open_backends(one, stack, environ)
            server = None
            if isinstance(deployment, DeploymentConfig):
                server = await recognise(deployment)
            result = await _ask(config, backend)
            if server is None or not isinstance(deployment, DeploymentConfig):
                return result
            return replace(result, server=server.name, advice=tuple(server.advice(deployment)))
    except (ConfigError, GovernanceError) as error:
        return CheckResult(deployment.label, works=False, problem=str(error))


async def _ask(config: BackendConfig, backend: Backend) -> CheckResult:
    question = complete(_QUESTION, config)
    limit = {name: _MAX_TOKENS for name in question.params if "max" in name and "tokens" in name}
    question = Request(
        question.task,
        question.messages,
        question.model,
        {**question.params, **(limit or {"max_tokens": _MAX_TOKENS})},
        question.schema,
    )
    begun = time.monotonic()
    attempt = await backend.attempt(question)
    return _result(backend.deployment.label, attempt, time.monotonic() - begun)


def _result(label: str, attempt: Attempt, seconds: float) -> CheckResult:
    rpm = attempt.headers.requests if attempt.headers else None
    tpm = attempt.headers.tokens if attempt.headers else None
    fault, reply = attempt.fault, attempt.reply
    if reply is None:
        problem = "" if fault is None else f"{fault.code}: {fault.hint}".removesuffix(": ")
        return CheckResult(label, works=False, problem=problem, seconds=seconds, rpm=rpm, tpm=tpm)
    structured = False
    if reply.outcome is Outcome.OK:
        try:
            structured = orjson.loads(reply.text).keys() == {"ready"}
        except (orjson.JSONDecodeError, AttributeError):
            structured = False
    return CheckResult(
        label,
        works=True,
        problem="" if reply.outcome is Outcome.OK else f"the answer ended as {reply.outcome.value}",
        model=reply.model,
        seconds=seconds,
        structured=structured,
        reports_usage=reply.usage.prompt_tokens > 0,
        rpm=rpm,
        tpm=tpm,
    )
