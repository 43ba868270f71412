"""A stage that runs by batch jobs against the local server, as the runner does it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.llm.batch import BatchRunner, open_batch
from pipeline.llm.batch_config import BatchConfig
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.llm.governance import Gate
from pipeline.llm.open import open_engine
from pipeline.llm.types import Deferred, Message, Reply, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer

ENV = {"TEST_KEY": KEY}
SETTINGS: dict[str, Any] = {"poll_seconds": 60}


class Clock:
    """Time that passes only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps.append(seconds)
        await asyncio.sleep(0)


class Bench:
    """A run folder and a server, and how a runner goes through a stage."""

    def __init__(self, server: ModelServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.clock = Clock()
        self.backend: dict[str, Any] = {
            "kind": "azure",
            "model": DEPLOYMENT,
            "url": server.url,
            "key_env": "TEST_KEY",
            "mode": "batch",
        }
        self.settings = dict(SETTINGS)
        self.gate = Gate("public")

    @property
    def config(self) -> BackendConfig:
        return parse_backend(self.backend)

    @property
    def replies(self) -> Path:
        return self.folder / "replies"

    @property
    def batches(self) -> Path:
        return self.folder / "batches"

    async def stage(self, texts: Sequence[str | Request], rounds: int = 1) -> list[Reply]:
        """Run a stage as the runner does: passes that defer, then one that answers."""
        async with open_batch(
            self.config,
            BatchConfig(**self.settings),
            self.batches,
            self.replies,
            self.gate,
            run="run-1",
            environ=ENV,
            sleep=self.clock.sleep,
            clock=self.clock,
        ) as batch:
            while True:
                await self._process(batch, texts, rounds)
                if not await batch.run():
                    break
            self.stats = batch.stats()
            answers = await self._process(batch, texts, rounds)
        return [answer for answer in answers if answer is not None]

    async def _process(
        self, batch: BatchRunner, texts: Sequence[str | Request], rounds: int
    ) -> list[Reply | None]:
        answers: list[Reply | None] = []
        async with open_engine(
            self.config, self.replies, self.gate.check, run="run-1", defer=batch.defer, environ=ENV
        ) as engine:
            ask = batch.asker(engine.for_stage("keyinfo"))
            for text in texts:
                try:
                    for number in range(rounds):
                        reply = await ask(question(text, number))
                    answers.append(reply)
                except Deferred:
                    answers.append(None)
        return answers

    def leftovers(self) -> list[str]:
        """Files with notes in them, here and at the service."""
        here = [path.name for path in self.batches.glob("cxr-*")]
        return here + list(self.server.batch.files)


def question(text: str | Request, number: int = 0) -> Request:
    if isinstance(text, Request):
        return text
    message = Message("user", f"{text} {number}")
    return Request("keyinfo", (message,), params={"max_tokens": 20}, record_id=text)


TEXTS = [f"text {number}" for number in range(7)]
"""The questions of most tests."""
