"""Opens what a recipe calls a backend: an engine over services or local models, or rules."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from pipeline.llm.backends import azure, openai, rules
from pipeline.llm.backends.base import Backend, Listen
from pipeline.llm.backends.credentials import credentials_for
from pipeline.llm.backends.http import HttpBackend, open_session
from pipeline.llm.backends.local.backend import TransformersBackend
from pipeline.llm.config import BackendConfig, DeploymentConfig
from pipeline.llm.engine import Defer, Engine, Gate
from pipeline.llm.identity import identified
from pipeline.llm.journal import Journal
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.types import Ask, Reply, Request

Note = Callable[[str], None]
"""Takes a line for the user."""


class Answering(Protocol):
    """What a run needs of an engine."""

    def for_stage(self, stage: str) -> Ask:
        """The ``ask`` handed to a stage."""
        ...

    async def converse(self, request: Request, listen: Listen) -> Reply:
        """Answer a turn of a conversation in pieces; nothing is kept."""
        ...

    def stats(self) -> dict[str, Any]:
        """Counts for progress, manifest and ``status``; no text."""
        ...

    def seal(self) -> None:
        """Called between stages, when nothing is under way: tidy up."""
        ...

    async def close(self) -> None:
        """Stop what is under way and keep what arrived."""
        ...


class RulesEngine:
    """The rules backend behind the same face: answers at once, keeps and costs nothing."""

    def __init__(self) -> None:
        self._requests = 0

    def for_stage(self, stage: str) -> Ask:
        """One ``ask`` for every stage."""
        return self.ask

    async def ask(self, request: Request) -> Reply:
        """Answer by rules; see :func:`pipeline.llm.backends.rules.answer`."""
        self._requests += 1
        return rules.answer(request)

    async def converse(self, request: Request, listen: Listen) -> Reply:
        """Answer by rules, in one piece."""
        reply = await self.ask(request)
        listen(reply.text)
        return reply

    def stats(self) -> dict[str, Any]:
        """Requests answered; nothing was sent."""
        return {"requests": self._requests, "sent": 0, "spent": {}, "deployments": {}}

    def seal(self) -> None:
        """Nothing to tidy up."""

    async def close(self) -> None:
        """Nothing to stop."""


@asynccontextmanager
async def open_engine(
    config: BackendConfig,
    journal_dir: Path,
    gate: Gate,
    *,
    run: str = "",
    defer: Defer | None = None,
    environ: Mapping[str, str] = os.environ,
    rng: random.Random | None = None,
    note: Note = lambda _: None,
) -> AsyncIterator[Answering]:
    """Open the engine of ``config`` and close it at the end, whatever happens in between.

    Args:
        config: the backend of the recipe.
        journal_dir: folder of replies; ``config.journal`` names another one.
        gate: raises GovernanceError where data may not go; asked for every deployment at once.
        run: id of the run, under which spending is added up over all its sessions.
        defer: in batch mode, takes (key, request, stage) of what the journal does not have.
        environ: where ``key_env`` is looked up.
        rng: spreads waits; for tests.
        note: takes what the user should know, such as that a model is being loaded.

    Raises:
        GovernanceError: a deployment is refused; nothing was sent.
        ConfigError: a key or model folder is missing, or the journal is of another version.
    """
    if config.kind == "rules":
        yield RulesEngine()
        return
    for deployment in config.deployments:
        gate(deployment.target)
    config = identified(config)
    async with AsyncExitStack() as stack:
        backends = await open_backends(config, stack, environ, note)
        journal = Journal(Path(config.journal) if config.journal else journal_dir, run)
        engine = Engine(config, backends, journal, gate, defer=defer, rng=rng)
        stack.push_async_callback(engine.close)
        yield engine


async def open_backends(
    config: BackendConfig,
    stack: AsyncExitStack,
    environ: Mapping[str, str] = os.environ,
    note: Note = lambda _: None,
) -> list[Backend]:
    """A backend for each deployment, services over one session; ``stack`` closes them.

    Raises:
        ConfigError: the environment variable of a key is not set, or a folder holds no model.
    """
    session = await stack.enter_async_context(open_session())
    backends: list[Backend] = []
    for deployment in config.deployments:
        backend: Backend
        if isinstance(deployment, LocalModelConfig):
            backend = TransformersBackend(deployment, config.model, note)
        else:
            backend = _backend(deployment, session, environ)
        stack.push_async_callback(backend.close)
        backends.append(backend)
    return backends


def _backend(
    deployment: DeploymentConfig, session: aiohttp.ClientSession, environ: Mapping[str, str]
) -> Backend:
    dialect = azure if deployment.kind == "azure" else openai
    address = dialect.chat_address(deployment)
    return HttpBackend(deployment, address, credentials_for(deployment, environ), session)
