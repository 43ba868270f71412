"""The model behind a stage: the request engine, opened for one backend of a recipe."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pipeline.llm.config import BackendConfig
from pipeline.llm.governance import Gate
from pipeline.llm.open import Answering, open_engine
from pipeline.llm.types import Ask
from pipeline.run.folder import RunFolder

MOST_WORKERS = 4096
"""Rows under way at once, however many a pool of deployments could take."""


@dataclass(frozen=True, slots=True)
class StageModel:
    """What a stage asks, and what that cost so far over all sessions of the run.

    Attributes:
        ask: the only thing the stage sees.
        workers: rows to keep under way: what the deployments take at once, and a little more, so
            that they never wait for rows.
    """

    ask: Ask
    workers: int
    _engine: Answering
    _stage: str

    def usage(self) -> dict[str, float]:
        """Requests, tokens and money of this stage, and what this session did for them."""
        stats = self._engine.stats()
        spent = stats["spent"].get(self._stage, {})
        return {
            "requests": spent.get("replies", 0),
            "prompt_tokens": spent.get("prompt_tokens", 0),
            "completion_tokens": spent.get("completion_tokens", 0),
            "cached_tokens": spent.get("cached_tokens", 0),
            "money": spent.get("money", 0.0),
        }


@asynccontextmanager
async def open_model(
    backend: BackendConfig, folder: RunFolder, gate: Gate, run_id: str, stage: str
) -> AsyncIterator[StageModel]:
    """The model of ``stage``, until the end of the context.

    Raises:
        GovernanceError: the data may not be sent there; nothing was sent.
        ConfigError: a key is missing.
    """
    async with open_engine(backend, folder.replies, gate.check, run=run_id) as engine:
        at_once = sum(deployment.concurrency for deployment in backend.deployments)
        workers = min(MOST_WORKERS, at_once + max(4, at_once // 8))
        yield StageModel(engine.for_stage(stage), workers, engine, stage)
        engine.seal()
