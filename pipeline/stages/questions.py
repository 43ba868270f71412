"""Questions: KeyInfo, and that of an earlier study, become question rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.clinical.questions import TYPES, QuestionGenerator, QuestionOptions
from pipeline.clinical.questions.options import DEFAULT_KEEP
from pipeline.core.records import Record
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class QuestionParams(StageParams):
    """Parameters of the question stage: the options of ``QuestionOptions``, and the seed."""

    seed: int = 0
    types: tuple[str, ...] = TYPES
    per_type: int | dict[str, int] = 1
    views: Literal["frontal", "strict", "any"] = "frontal"
    ap_view_rate: float = 0.05
    closed_world: bool = False
    uncertain: Literal["skip", "uncertain"] = "skip"
    paraphrases: bool = False
    multiple_choice: float = 0.0
    balance: bool = False
    keep: dict[str, float] = Field(default_factory=DEFAULT_KEEP.copy)
    frequencies: dict[str, dict[str, int]] | None = None
    min_frequency: int = 10
    explicit_difference: bool = False
    scene: bool = False
    split_shares: tuple[float, float, float] | None = None


class Questions(RecordStage[QuestionParams]):
    """One study becomes its question rows; one without any is filtered, with the reason."""

    name = "questions"
    params_type = QuestionParams
    fans_out = True
    libs = (".",)

    def __init__(self, params: QuestionParams) -> None:
        super().__init__(params)
        options = QuestionOptions.of(**params.model_dump(exclude={"seed"}))
        self._generator = QuestionGenerator(options, params.seed)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask about one study."""
        rows = self._generator.generate(record, record.get("reference"))
        if rows:
            return rows
        if self._generator.accepts(record):
            return Reject("no_question", "nothing certain to ask about", failed=False)
        return Reject("not_frontal", f"view {record.get('view')}", failed=False)
