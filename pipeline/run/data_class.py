"""The class of all data of a run: that of its source and of what stages read besides."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.llm.governance import CREDENTIALED, DATA_CLASSES
from pipeline.run.recipe import Recipe
from pipeline.sources import Source
from pipeline.sources.base import stated_class
from pipeline.sources.config import SourceConfig

_MIMIC_PART = re.compile(r"p1\d")


def data_class_of(recipe: Recipe, source: Source) -> str:
    """The strictest class of the source and of the folders that stages read.

    A folder says its class in a file ``DATA_CLASS``. One that does not, and has the layout of
    MIMIC-CXR, is credentialed; any other has the class of the source.

    Raises:
        ConfigError: a ``DATA_CLASS`` file holds another word.
    """
    found = [source.data_class, *map(_class_of_folder, _folders(recipe))]
    return min((one for one in found if one), key=DATA_CLASSES.index)


def _folders(recipe: Recipe) -> list[Path]:
    return [
        Path(name).expanduser()
        for stage in recipe.stages
        for name in stage.type.params_type.model_validate(stage.params).data_folders()
    ]


def _class_of_folder(folder: Path) -> str:
    stated = stated_class(SourceConfig(path=str(folder)), (folder,))
    if stated is not None:
        return stated
    for place in (folder, folder / "files"):
        if place.is_dir() and any(_MIMIC_PART.fullmatch(one.name) for one in place.iterdir()):
            return CREDENTIALED
    return ""
