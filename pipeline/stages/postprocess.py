"""Postprocess: KeyInfo as replied is brought into standard form, with every change on record."""

from __future__ import annotations

from pipeline.clinical.evidence import find_evidence
from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.keyinfo import CATEGORIES
from pipeline.clinical.reviewed import standardiser_for
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import LibsParams, RecordStage, Reject, Result


class PostprocessParams(LibsParams):
    """Parameters of the postprocess stage.

    Attributes:
        second_reading: add the rules' KeyInfo of the report, by which question rows are graded;
            records that the rules made themselves get none.
    """

    second_reading: bool = False


class Postprocess(RecordStage[PostprocessParams]):
    """Turns ``keyinfo`` into the standard form beside the study's identity.

    The record is the KeyInfo itself (``entity``, ``uncertain_entity``, ``no_entity``,
    ``opacity_vs_clear``), with ``evidence`` (finding -> sentence it rests on) and ``changes``. A
    record without a report, as a KeyInfo file gives it, has no evidence.
    """

    name = "postprocess"
    params_type = PostprocessParams
    libs = (".",)

    def __init__(self, params: PostprocessParams) -> None:
        super().__init__(params)
        self._standardiser = standardiser_for(params.libs)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Standardise one record."""
        standard = self._standardiser.standardise(record["keyinfo"])
        if standard.is_unusable:
            return Reject("not_a_record", "the reply held no KeyInfo record")
        reading = record.get("reading")
        # A follow-up standardised the record before; what it changed stays on record.
        changes = record.get("changes", []) + [change.as_json() for change in standard.changes]
        made: Record = {
            **identity(record),
            **{category: standard.record[category] for category in CATEGORIES},
            "evidence": find_evidence(reading, standard.record) if reading else {},
            "changes": changes,
            "flags": list(dict.fromkeys((*record.get("flags", ()), *standard.flags))),
        }
        if self.params.second_reading and reading and record.get("by") != "rules":
            rules = self._standardiser.standardise(extract_keyinfo(reading)).record
            made["second_reading"] = rules
        return [made]
