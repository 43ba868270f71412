"""Clean instructions: what a model wrote is brought into shape, or dropped with its reason."""

from __future__ import annotations

from pipeline.clinical.instructing.generated_text import clean_text
from pipeline.clinical.instructing.instructions import wrong_instruction
from pipeline.core.records import Record
from pipeline.llm.types import Ask
from pipeline.prompting.families import load_family
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class CleanInstructions(RecordStage[StageParams]):
    """Cleans ``instruction``; tasks without one yet are passed on.

    A dropped instruction is ``filtered``: dropping it is the work of this stage, not a failure.
    """

    name = "clean-instructions"
    libs = (".",)
    prompts = ("families",)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Clean and judge one instruction."""
        if "instruction" not in record:
            return [record]
        family = load_family(record["family"])
        text = " ".join(clean_text(record["instruction"]).split())
        reason = wrong_instruction(
            text,
            record["report"],
            family=family.name,
            language=record["language"],
            quotes=family.quotes,
        )
        if reason is not None:
            return Reject(reason, f"family {family.name}", failed=False)
        return [{**record, "instruction": text}]
