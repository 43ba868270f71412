"""Check answers: cut, refused, repeated and ungrounded answers go, the rest become samples."""

from __future__ import annotations

from typing import Any

from pipeline.clinical.grounding import check_grounding
from pipeline.clinical.instructing.answers import without_question, wrong_answer
from pipeline.clinical.instructing.generated_text import clean_text
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.prompting.families import load_family
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class CheckAnswerParams(StageParams):
    """Parameters of the answer check.

    Attributes:
        grounding: compare the findings of the answer with those of the report.
        reject_unsupported: reject an answer that adds a finding of which the report says nothing,
            as ``unsupported``, instead of flagging it.
        with_report: whether samples carry the report as ``input``.
        system: system prompt of the samples.
    """

    grounding: bool = True
    reject_unsupported: bool = False
    with_report: bool = True
    system: str = ""


class CheckAnswers(RecordStage[CheckAnswerParams]):
    """Makes samples: ``instruction``, ``input``, ``output``, ``system``, ``history``, ``flags``.

    ``flags`` holds one entry per unsupported addition with its span in ``output``, and
    ``sectioned`` or ``not_checked`` where only a part of the note was used, or the rules cannot
    read the language.
    """

    name = "check-answers"
    params_type = CheckAnswerParams
    libs = (".",)
    prompts = ("families",)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Judge one answer."""
        family = load_family(record["family"])
        instruction = record["instruction"]
        output = without_question(clean_text(record["output"]), instruction)
        reason = wrong_answer(
            output,
            instruction,
            language=record["language"],
            max_words=family.max_words,
            finish_reason=record["finish_reason"],
        )
        if reason is not None:
            return Reject(reason, f"family {family.name}")
        flags: list[Any] = list(record["flags"])
        if self.params.grounding:
            found = check_grounding(output, record["report"], instruction)
            if found.contradictions:
                kinds = sorted({issue.kind for issue in found.contradictions})
                return Reject("ungrounded", f"family {family.name}: {', '.join(kinds)}")
            added = any(issue.kind == "finding" for issue in found.unsupported)
            if added and self.params.reject_unsupported:
                return Reject("unsupported", f"family {family.name}")
            flags += [issue.as_json() for issue in found.unsupported]
            if not found.checked:
                flags.append("not_checked")
        return [
            {
                **identity(record),
                "instruction": instruction,
                "input": record["report"] if self.params.with_report else "",
                "output": output,
                "system": self.params.system,
                "history": [],
                "family": family.name,
                "language": record["language"],
                "wave": record["wave"],
                "flags": flags,
            }
        ]
