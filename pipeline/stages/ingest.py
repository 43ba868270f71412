"""Ingest: one report of the source becomes one record."""

from __future__ import annotations

from pipeline.core.records import Record
from pipeline.llm.types import Ask
from pipeline.sources import SourceConfig, open_source
from pipeline.stages.base import RecordStage, Result, StageParams


class IngestParams(StageParams):
    """Nothing of its own: the runner hands in the source of the recipe."""

    source: SourceConfig | None = None


class Ingest(RecordStage[IngestParams]):
    """Reads what a locator of the source points to; a broken file is a reject with its reason."""

    name = "ingest"
    params_type = IngestParams

    def __init__(self, params: IngestParams) -> None:
        super().__init__(params)
        if params.source is None:
            raise ValueError("ingest needs a source")
        self._source = open_source(params.source)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Read one report."""
        return [self._source.read(record)]
