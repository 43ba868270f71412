"""Stages that wait for nothing, on all cores: worker processes answer batches of rows in order.

Workers are spawned once and serve every stage of a run. A batch travels as raw JSON lines and comes
back as the bytes to be appended, so that the parent only moves bytes.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from itertools import chain, islice

import orjson

from pipeline.core.errors import Stopped
from pipeline.core.hashing import canonical_json
from pipeline.llm.backends import rules
from pipeline.llm.types import Reply, Request
from pipeline.run.answer import Answerer
from pipeline.run.store import Chunk
from pipeline.stages.base import RecordStage
from pipeline.stages.registry import stage_type

BATCH_ROWS = 256
BATCH_BYTES = 1 << 19
"""A batch is about 0.1 s of work: small enough to commit often, large enough to hide the pipe."""


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def batched(lines: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Consecutive lines in batches of bounded rows and bytes."""
    batch: list[bytes] = []
    size = 0
    for line in lines:
        batch.append(line)
        size += len(line)
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class WorkerPool:
    """Worker processes for the stages of one run; started when first needed."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or available_cores()
        self._executor: ProcessPoolExecutor | None = None

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def answer(self, spec: bytes, lines: Iterable[bytes]) -> Iterator[Chunk]:
        """The outcomes of all rows, in input order; at most a few batches are in memory.

        Args:
            spec: what :func:`stage_spec` made.
            lines: the input rows as JSON lines.

        Raises:
            Stopped: a worker process died.
        """
        batches = batched(lines)
        first = list(islice(batches, 2))
        if len(first) < 2 or self.workers == 1:
            # Starting processes costs more than a small input takes.
            for batch in chain(first, batches):
                yield answer_batch(spec, batch)
            return
        executor = self._start()
        window: deque[Future[Chunk]] = deque()
        try:
            for batch in chain(first, batches):
                window.append(executor.submit(answer_batch, spec, batch))
                if len(window) > 2 * self.workers:
                    yield window.popleft().result()
            while window:
                yield window.popleft().result()
        except BrokenProcessPool:
            self._executor = None
            raise Stopped(
                "a worker process died, most likely for want of memory; nothing committed was "
                "lost: run the same command again, with fewer --workers if it happens again"
            ) from None
        finally:
            for future in window:
                future.cancel()

    def _start(self) -> ProcessPoolExecutor:
        if self._executor is None:
            self._executor = ProcessPoolExecutor(
                self.workers,
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_start_worker,
            )
        return self._executor


def stage_spec(name: str, use: str, params: dict[str, object], rounds: dict[str, int]) -> bytes:
    """What a worker needs to build a stage, as canonical JSON."""
    return canonical_json({"name": name, "use": use, "params": params, "rounds": rounds})


def answer_batch(spec: bytes, lines: list[bytes]) -> Chunk:
    """Answer one batch; runs in a worker process."""
    return _answerer(spec).answer_all(lines)


async def ask_rules(request: Request) -> Reply:
    """Answer at once, in this process."""
    return rules.answer(request)


@lru_cache(maxsize=8)
def _answerer(spec: bytes) -> Answerer:
    data = orjson.loads(spec)
    stage = build_stage(data["use"], data["params"])
    return Answerer(data["name"], stage, ask_rules, data["rounds"])


def build_stage(use: str, params: dict[str, object]) -> RecordStage:  # type: ignore[type-arg]
    """A record stage with its parameters checked."""
    cls = stage_type(use)
    if not issubclass(cls, RecordStage):
        raise TypeError(f"{use} is no record stage")
    return cls(cls.params_type.model_validate(params))


def _start_worker() -> None:
    """Leave Ctrl-C to the parent, and end when the parent is gone, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:

        def follow() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=follow, daemon=True).start()
