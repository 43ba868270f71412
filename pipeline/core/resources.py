"""Where templates, libraries, recipes and sample data are: in a checkout or an installed wheel."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pipeline
from pipeline.core.errors import ConfigError


@cache
def resource_root() -> Path:
    """The folder that holds ``libs/``, ``prompts/``, ``recipes/`` and ``data/``."""
    package = Path(pipeline.__file__).parent
    packaged = package / "_resources"
    return packaged if packaged.is_dir() else package.parent


@cache
def resource_path(*parts: str) -> Path:
    """Path of a packaged file or folder, such as ``resource_path("libs", "level_lib.csv")``.

    Raises:
        ConfigError: there is no such resource: the installation is not complete.
    """
    path = resource_root().joinpath(*parts)
    if not path.exists():
        raise ConfigError(f"{'/'.join(parts)} is missing in {resource_root()}; reinstall")
    return path
