"""A model in this process: requests are queued for the thread that generates them together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from pipeline.llm.backends.base import Attempt, Listen
from pipeline.llm.backends.local.load import Note
from pipeline.llm.backends.local.rows import Job
from pipeline.llm.backends.local.worker import Worker
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.model_folder import model_path, read_model_folder
from pipeline.llm.types import Request

CLOSE_S = 5.0
"""How long closing waits for the step under way; the thread ends with the process in any case."""


class TransformersBackend:
    """One model on one device.

    Args:
        deployment: the model and how to batch it.
        name: of the model, for replies.
        note: takes what the user should know (loading, smaller batches).

    Raises:
        ConfigError: the folder holds no model; what else is wrong shows when it is loaded.
    """

    def __init__(
        self, deployment: LocalModelConfig, name: str, note: Note = lambda _: None
    ) -> None:
        path = model_path(deployment)
        if path is not None:
            read_model_folder(path)
        self.deployment = deployment
        self._loop = asyncio.get_running_loop()
        self._worker = Worker(deployment, name, lambda text: self._call(note, text))

    async def attempt(
        self, request: Request, deadline_s: float | None = None, listen: Listen | None = None
    ) -> Attempt:
        """Answer ``request`` together with others that wait.

        The deadline is left alone: it is a guess about connections that hang. How long an answer
        may be generated is ``timeout_s`` of the configuration.
        """
        answered: asyncio.Future[Attempt] = self._loop.create_future()
        job = Job(
            request,
            lambda attempt: self._call(_settle, answered, attempt),
            lambda error: self._call(_fail, answered, error),
        )
        if listen is not None:
            job.listen = lambda piece: self._call(listen, piece)
        self._worker.submit(job)
        try:
            return await answered
        finally:
            job.cancelled = True

    async def close(self) -> None:
        """Stop generating; the loaded model is kept for the next engine of this process."""
        await asyncio.to_thread(self._worker.close, CLOSE_S)

    def _call(self, function: Callable[..., Any], *args: object) -> None:
        """Run ``function`` on the event loop; called from the thread of the model."""
        try:
            self._loop.call_soon_threadsafe(function, *args)
        except RuntimeError:
            return  # the loop has ended, nobody waits


def _fail(answered: asyncio.Future[Attempt], error: Exception) -> None:
    if not answered.done():
        answered.set_exception(error)


def _settle(answered: asyncio.Future[Attempt], attempt: Attempt) -> None:
    if not answered.done():
        answered.set_result(attempt)
