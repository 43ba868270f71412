"""Postprocess: KeyInfo as replied is brought into standard form, with every change on record."""

from __future__ import annotations

from pipeline.clinical.evidence import find_evidence
from pipeline.clinical.standardise import Standardiser
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class Postprocess(RecordStage[StageParams]):
    """Turns ``keyinfo`` into the standard form beside the study's identity.

    The record is the KeyInfo itself (``entity``, ``uncertain_entity``, ``no_entity``,
    ``opacity_vs_clear``), with ``evidence`` (finding -> sentence it rests on) and ``changes``.
    """

    name = "postprocess"
    libs = (".",)

    def __init__(self, params: StageParams) -> None:
        super().__init__(params)
        self._standardiser = Standardiser()

    async def process(self, record: Record, ask: Ask) -> Result:
        """Standardise one record."""
        standard = self._standardiser.standardise(record["keyinfo"])
        if any(change.rule == "not_a_record" for change in standard.changes):
            return Reject("not_a_record", "the reply held no KeyInfo record")
        return [
            {
                **identity(record),
                **standard.record,
                "evidence": find_evidence(record["reading"], standard.record),
                "changes": [change.as_json() for change in standard.changes],
                "flags": list(standard.flags),
            }
        ]
