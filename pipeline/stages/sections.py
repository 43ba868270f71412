"""Sections: a report's text is split, and the text handed to a model is chosen."""

from __future__ import annotations

from pipeline.clinical.sections import extract_sections
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class SectionParams(StageParams):
    """Parameters of the section stage.

    Attributes:
        keep_text: hand the whole text on as well.
    """

    keep_text: bool = False


class Sections(RecordStage[SectionParams]):
    """Adds ``sections``, ``reading``, ``spans``, ``rules``; a report with nothing to read fails."""

    name = "sections"
    params_type = SectionParams
    libs = ("section_titles.csv",)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Split one report."""
        found = extract_sections(record["text"])
        if not found.reading:
            return Reject("no_findings_text", "neither findings nor impression")
        made: Record = {
            **identity(record),
            "sections": found.sections,
            "reading": found.reading,
            "spans": found.spans,
            "rules": found.rules,
        }
        if self.params.keep_text:
            made["text"] = record["text"]
        return [made]
