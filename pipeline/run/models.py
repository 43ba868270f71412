"""The model behind a stage: the request engine, opened for one backend of a recipe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pipeline.llm.batch import open_batch
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
        """Replies, tokens and money of this stage, over all sessions of the run."""
        spent = self._engine.stats()["spent"].get(self._stage, {})
        return {
            "requests": spent.get("replies", 0),
            "prompt_tokens": spent.get("prompt_tokens", 0),
            "completion_tokens": spent.get("completion_tokens", 0),
            "cached_tokens": spent.get("cached_tokens", 0),
            "money": spent.get("money", 0.0),
        }


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where the models of a run are asked from.

    Attributes:
        folder: the run folder, whose journal keeps the replies.
        gate: decides where the data may go.
        run_id: under which spending is added up over all sessions.
        note: takes what the user should know, such as that a model is being loaded.
    """

    folder: RunFolder
    gate: Gate
    run_id: str
    note: Callable[[str], None] = lambda _: None

    @asynccontextmanager
    async def open(
        self, backend: BackendConfig, stage: str, collect: Callable[[Ask], Awaitable[None]]
    ) -> AsyncIterator[StageModel]:
        """The model of ``stage``, until the end of the context.

        Args:
            backend: what the recipe says of it.
            stage: the stage's name, under which spending is counted.
            collect: in batch mode, asks for every row that is left and passes over those whose
                answer will come later; called until no answer is missing.

        Raises:
            GovernanceError: the data may not be sent there; nothing was sent.
            ConfigError: a key is missing.
        """
        if backend.mode == "batch":
            async with self._open_batch(backend, stage, collect) as model:
                yield model
            return
        async with open_engine(
            backend, self.folder.replies, self.gate.check, run=self.run_id, note=self.note
        ) as engine:
            at_once = sum(deployment.concurrency for deployment in backend.deployments)
            workers = min(MOST_WORKERS, at_once + max(4, at_once // 8))
            yield StageModel(engine.for_stage(stage), workers, engine, stage)
            engine.seal()

    @asynccontextmanager
    async def _open_batch(
        self, backend: BackendConfig, stage: str, collect: Callable[[Ask], Awaitable[None]]
    ) -> AsyncIterator[StageModel]:
        replies, check = self.folder.replies, self.gate.check
        jobs = self.folder.root / "batches"
        async with open_batch(
            backend, backend.batch, jobs, replies, self.gate, run=self.run_id
        ) as batch:
            while True:
                async with open_engine(
                    backend, replies, check, run=self.run_id, defer=batch.defer
                ) as engine:
                    await collect(batch.asker(engine.for_stage(stage)))
                if not await batch.run():
                    break
            async with open_engine(
                backend, replies, check, run=self.run_id, defer=batch.defer
            ) as engine:
                yield StageModel(batch.asker(engine.for_stage(stage)), 1, engine, stage)
                engine.seal()
