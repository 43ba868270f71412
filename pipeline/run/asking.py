"""Stages that wait for a model: a fixed number of workers on the event loop, results in order.

There is no task per record: workers take rows from one iterator, and a bounded window of answered
rows waits for the slowest one, so that memory stays flat however long the input is.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

from pipeline.core.errors import PipelineError, Stopped
from pipeline.run.answer import Answerer
from pipeline.run.store import Chunk

WINDOW_PER_WORKER = 8
"""Answered rows that may wait for an earlier one, per worker."""


async def answer_rows(
    answerer: Answerer, lines: Iterator[bytes], sink: Callable[[Chunk], None], workers: int
) -> None:
    """Answer all rows with ``workers`` of them under way; ``sink`` gets chunks in input order.

    Raises:
        PipelineError: what stopped the run; chunks handed to ``sink`` before stay valid.
    """
    window = asyncio.Semaphore(workers * WINDOW_PER_WORKER)
    waiting: dict[int, Chunk] = {}
    rows = enumerate(lines)
    emitted = 0

    async def work() -> None:
        nonlocal emitted
        while True:
            await window.acquire()
            item = next(rows, None)
            if item is None:
                window.release()
                return
            number, line = item
            waiting[number] = await answerer.answer(line)
            while emitted in waiting:
                sink(waiting.pop(emitted))
                emitted += 1
                window.release()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise _most_telling(errors) from None


def _most_telling(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """One exception of a group: ours before others."""
    leaves: list[BaseException] = []
    stack: list[BaseException] = [errors]
    while stack:
        error = stack.pop()
        if isinstance(error, BaseExceptionGroup):
            stack.extend(error.exceptions)
        else:
            leaves.append(error)
    return next((leaf for leaf in leaves if isinstance(leaf, PipelineError)), leaves[0])


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[None]:
    """Turn SIGINT and SIGTERM into a clean, resumable stop of what runs inside.

    Raises:
        Stopped: a signal came.
    """
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    received: list[signal.Signals] = []

    def stop(number: signal.Signals) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    handled = []
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop, number)
            handled.append(number)
        except (NotImplementedError, RuntimeError, ValueError):
            continue  # not the main thread, or a platform without signal handlers
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
        raise Stopped(f"stopped by {received[0].name}; run the same command to go on") from None
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
