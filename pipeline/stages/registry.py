"""Which stages there are. They are imported when used, so that the command line starts fast."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.stages.base import RecordStage, SetStage

STAGES = {
    "ingest": "pipeline.stages.ingest:Ingest",
    "sections": "pipeline.stages.sections:Sections",
    "keyinfo": "pipeline.stages.keyinfo:KeyInfo",
    "followup": "pipeline.stages.followup:Followup",
    "keyinfo-samples": "pipeline.stages.keyinfo_samples:KeyInfoSamples",
    "csv-samples": "pipeline.stages.csv_samples:CsvSamples",
    "infer": "pipeline.stages.infer:Infer",
    "postprocess": "pipeline.stages.postprocess:Postprocess",
    "pairs": "pipeline.stages.pairs:Pairs",
    "questions": "pipeline.stages.questions:Questions",
    "rule-labels": "pipeline.stages.labels:RuleLabels",
    "labels": "pipeline.stages.labels:Labels",
    "icd10": "pipeline.stages.icd10:Icd10",
    "combine": "pipeline.stages.combine:Combine",
    "label-samples": "pipeline.stages.label_samples:LabelSamples",
    "tasks": "pipeline.stages.tasks:Tasks",
    "fewshot": "pipeline.stages.fewshot:FewShot",
    "instruct": "pipeline.stages.instruct:Instruct",
    "clean-instructions": "pipeline.stages.clean_instructions:CleanInstructions",
    "dedupe": "pipeline.stages.dedupe:Dedupe",
    "answer": "pipeline.stages.answer:Answer",
    "check-answers": "pipeline.stages.check_answers:CheckAnswers",
    "caption": "pipeline.stages.caption:Caption",
    "translate": "pipeline.stages.translate:Translate",
    "verify-translation": "pipeline.stages.verify_translation:VerifyTranslation",
    "judge": "pipeline.stages.judge:Judge",
    "image-pairs": "pipeline.stages.image_pairs:ImagePairs",
    "describe": "pipeline.stages.describe:Describe",
    "image-samples": "pipeline.stages.image_samples:ImageSamples",
    "compare": "pipeline.stages.judge:Compare",
}
"""Name in a recipe -> ``module:Class``."""

StageType = type[RecordStage[Any]] | type[SetStage[Any]]


def stage_type(name: str) -> StageType:
    """The class of the stage called ``name``.

    Raises:
        ConfigError: there is no such stage.
    """
    try:
        module, attribute = STAGES[name].split(":")
    except KeyError:
        raise ConfigError(f"no stage is called {name!r}; there are: {', '.join(STAGES)}") from None
    found: StageType = getattr(import_module(module), attribute)
    return found
