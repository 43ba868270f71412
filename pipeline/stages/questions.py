"""Questions: KeyInfo, and that of an earlier study, become question rows."""

from __future__ import annotations

from pathlib import Path

from pipeline.clinical.questions import QuestionGenerator, QuestionOptions
from pipeline.clinical.questions.regions import load_regions
from pipeline.clinical.userlibs import POSITION_CHANGE, POSTLOCATION, load_user_libs
from pipeline.core.records import Record
from pipeline.llm.types import Ask
from pipeline.stages.base import LibsParams, RecordStage, Reject, Result


class QuestionParams(QuestionOptions, LibsParams):
    """Parameters of the question stage: the options of a question set, a seed and libraries.

    The dictionaries in ``libs`` are the ``frequencies``, unless those are given; places of its
    ``postlocation_lib.csv`` and ``position_change.csv`` are added to the packaged ones.
    """

    seed: int = 0


class Questions(RecordStage[QuestionParams]):
    """One study becomes its question rows; one without any is filtered, with the reason."""

    name = "questions"
    params_type = QuestionParams
    fans_out = True
    libs = (".",)

    def __init__(self, params: QuestionParams) -> None:
        super().__init__(params)
        options: QuestionOptions = params
        regions = None
        if params.libs is not None:
            libs = load_user_libs(Path(params.libs).expanduser())
            frequencies = params.frequencies or libs.frequencies or None
            options = params.model_copy(update={"frequencies": frequencies})
            regions = load_regions(libs.file(POSTLOCATION), libs.file(POSITION_CHANGE))
        self._generator = QuestionGenerator(options, params.seed, regions)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask about one study."""
        rows = self._generator.generate(
            record, record.get("reference"), record.get("second_reading")
        )
        if rows:
            return rows
        if self._generator.accepts(record):
            return Reject("no_question", "nothing certain to ask about", failed=False)
        return Reject("not_frontal", f"view {record.get('view')}", failed=False)
