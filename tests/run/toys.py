"""Stages for tests of the runner: small, deterministic, and breakable from outside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.core.errors import DataError, Stopped
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, Rows, SetStage, StageParams


class ToyParams(StageParams):
    """``stop_before`` ends the run at that id, ``switch`` names a file that must exist."""

    factor: int = 1
    stop_file: str = ""
    switch: str = ""


class Shout(RecordStage[ToyParams]):
    """Upper-cases; rejects short texts; ``needs`` texts fail until the switch is on."""

    name = "shout"
    params_type = ToyParams

    async def process(self, record: Record, ask: Ask) -> Result:
        text = record["text"]
        if self._stops_at(record["id"]):
            raise Stopped("the test says so")
        if "crash" in text:
            raise KeyError(text)
        if "broken" in text:
            raise DataError("broken", "as the test wants")
        if "needs" in text and not self._switched_on():
            return Reject("needs_switch")
        if "skip" in text:
            return Reject("skipped", failed=False)
        return [{**identity(record), "text": text.upper() * self.params.factor}]

    def _switched_on(self) -> bool:
        return Path(self.params.switch).exists()

    def _stops_at(self, record_id: str) -> bool:
        path = Path(self.params.stop_file)
        return path.is_file() and path.read_text() == record_id


class Split(RecordStage[StageParams]):
    """One record per word."""

    name = "split"
    fans_out = True

    async def process(self, record: Record, ask: Ask) -> Result:
        return [{"word": word} for word in record["text"].split()]


class Last(SetStage[StageParams]):
    """Adds the id of the last row of all."""

    name = "last"

    def process(self, rows: Rows) -> Iterator[Result]:
        count = sum(1 for _ in rows)
        for row in rows:
            yield [{**row, "last": rows.at(count - 1)["id"]}]
