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
    "postprocess": "pipeline.stages.postprocess:Postprocess",
    "pairs": "pipeline.stages.pairs:Pairs",
    "questions": "pipeline.stages.questions:Questions",
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
