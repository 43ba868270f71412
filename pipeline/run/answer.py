"""From one input row to the bytes of its outcome: the same for every way of running a stage."""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pipeline
from pipeline.core.errors import DataError, PipelineError
from pipeline.core.jsonl import dump_line, load_line
from pipeline.core.records import Record, child_id
from pipeline.llm.types import Ask, Deferred, Reply, Request
from pipeline.run.store import Chunk
from pipeline.stages.base import RecordStage, Reject, Result

_PACKAGE = Path(pipeline.__file__).parent.parent


class Answerer:
    """Puts rows through one record stage.

    Attributes:
        name: the stage's name in the recipe; child ids are derived from it.
    """

    def __init__(
        self, name: str, stage: RecordStage[Any], ask: Ask, rounds: dict[str, int] | None = None
    ) -> None:
        self.name = name
        self.stage = stage
        self._ask = ask
        self._rounds = rounds or {}

    async def answer(self, line: bytes) -> Chunk:
        """The outcome of one input row; whatever goes wrong with a row is its reject.

        Raises:
            PipelineError: something that concerns the whole run, such as a wrong key.
            Deferred: its reply will come by batch.
        """
        record: Record = load_line(line)
        record_id = str(record["id"])
        try:
            result = await self.stage.process(record, self._asker(record_id))
        except DataError as error:
            result = Reject(error.reason, error.detail)
        except (PipelineError, Deferred):
            raise
        except Exception as error:
            result = Reject("error", _where(error))
        return chunk_of(self.name, self.stage.fans_out, record_id, result)

    def answer_all(self, lines: Iterable[bytes]) -> Chunk:
        """The outcome of some rows of a stage that never waits: no event loop is needed."""
        total = Chunk()
        records, rejects = bytearray(), bytearray()
        for line in lines:
            chunk = run_to_end(self, line)
            records += chunk.records
            rejects += chunk.rejects
            total.rows += 1
            total.kept += chunk.kept
            total.record_count += chunk.record_count
            if chunk.rejects:
                total.reasons.update(chunk.reasons)
                total.filtered.update(chunk.filtered)
        total.records, total.rejects = bytes(records), bytes(rejects)
        return total

    def _asker(self, record_id: str) -> Ask:
        round_ = self._rounds.get(record_id, 0)
        if not round_:
            return self._ask

        async def ask_again(request: Request) -> Reply:
            # A retried record asks anew: its requests get sample numbers of their own, so that
            # the replies of earlier rounds stay in the journal and resumption finds the new ones.
            return await self._ask(request.again(RETRY_SAMPLES * round_))

        return ask_again


RETRY_SAMPLES = 1000
"""Sample numbers reserved for one round of retries."""


def run_to_end(answerer: Answerer, line: bytes) -> Chunk:
    """Drive a coroutine that has nothing to wait for."""
    coroutine = answerer.answer(line)
    try:
        coroutine.send(None)
    except StopIteration as stop:
        chunk: Chunk = stop.value
        return chunk
    coroutine.close()
    raise RuntimeError(f"stage {answerer.name} waits for something outside the event loop")


def chunk_of(name: str, fans_out: bool, record_id: str, result: Result) -> Chunk:
    """The bytes of one row's outcome."""
    if not isinstance(result, Reject) and not result:
        result = Reject("nothing", "the stage made no record", failed=False)
    if isinstance(result, Reject):
        row = {
            "id": record_id,
            "reason": result.reason,
            "detail": result.detail,
            "outcome": "failed" if result.failed else "filtered",
            "attempts": result.attempts,
        }
        chunk = Chunk(rows=1, rejects=dump_line(row))
        (chunk.reasons if result.failed else chunk.filtered)[result.reason] += 1
        return chunk
    if fans_out:
        lines = [
            dump_line({**record, "id": child_id(record_id, name, index)})
            if "id" in record
            else dump_line({"id": child_id(record_id, name, index), **record})
            for index, record in enumerate(result)
        ]
    else:
        (record,) = result
        lines = [dump_line({**record, "id": record_id})]
    return Chunk(rows=1, kept=1, records=b"".join(lines), record_count=len(lines))


def _where(error: BaseException) -> str:
    """Class of an unexpected error and the innermost line of ours; never its message."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename)
        if path.is_relative_to(_PACKAGE):
            return f"{type(error).__name__} in {path.relative_to(_PACKAGE)}:{frame.lineno}"
    return type(error).__name__
