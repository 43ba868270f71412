"""Postprocess: KeyInfo as replied is brought into standard form, with every change on record."""

from __future__ import annotations

from pipeline.clinical.evidence import find_evidence
from pipeline.clinical.standardise import standardise
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Result, StageParams


class Postprocess(RecordStage[StageParams]):
    """Turns ``keyinfo`` into the standard form beside the study's identity.

    The record is the KeyInfo itself (``entity``, ``uncertain_entity``, ``no_entity``,
    ``opacity_vs_clear``), with ``evidence`` (finding -> sentence it rests on) and ``changes``.
    """

    name = "postprocess"
    libs = (".",)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Standardise one record."""
        standard = standardise(record["keyinfo"])
        return [
            {
                **identity(record),
                **standard.record,
                "evidence": find_evidence(record["reading"], standard.record),
                "changes": [change.as_json() for change in standard.changes],
                "flags": list(standard.flags),
            }
        ]
