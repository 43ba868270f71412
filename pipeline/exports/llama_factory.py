"""LLaMA-Factory: Alpaca files and their entries in ``dataset_info.json``.

The folder is a ``dataset_dir``: train with ``dataset: NAME_train``, ``eval_dataset:
NAME_validation``. Entries of other data sets in a ``dataset_info.json`` that is there stay. Keys
after the project's ``data/README.md`` (18 August 2026). Image paths are relative to ``media_dir``:
set it to the folder of the images, or copy them (``--copy-images``), since it is ``dataset_dir`` by
default. ``images`` is always a list, and the text holds one ``<image>`` for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import write_json
from pipeline.core.errors import ConfigError
from pipeline.exports import alpaca
from pipeline.exports.images import IMAGE, marked_turns
from pipeline.exports.sample_files import FolderFacts, SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.split import PARTS
from pipeline.exports.survey import Survey

INFO = "dataset_info.json"


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as an Alpaca row, with its images."""
    made = alpaca.row(sample, survey)
    if survey.has_images:
        first, *_ = marked = marked_turns(sample)
        if sample.history:
            made["history"] = marked[:-1]
        elif sample.image_paths and IMAGE not in sample.question:
            made["instruction"] = first[0].removesuffix(sample.question) + sample.instruction
        made["images"] = list(sample.image_paths)
    return made


def entry(file: str, survey: Survey) -> dict[str, Any]:
    """The description of one file as LLaMA-Factory's loader takes it."""
    columns = {"prompt": "instruction", "query": "input", "response": "output"}
    for name, present in (
        ("system", survey.has_system),
        ("history", survey.has_history),
        ("images", survey.has_images),
    ):
        if present:
            columns[name] = name
    return {"file_name": file, "formatting": "alpaca", "columns": columns}


def _write_info(
    folder: Path, facts: FolderFacts, survey: Survey, files: Mapping[str, str]
) -> list[str]:
    path = folder / INFO
    ours = {f"{facts.name}_{part}": entry(file, survey) for part, file in files.items()}
    earlier = {f"{facts.name}_{part}" for part in PARTS}
    others = {name: value for name, value in _read_info(path).items() if name not in earlier}
    write_json(path, {**others, **ours})
    return [INFO]


def _read_info(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        value = None
    if not isinstance(value, dict):
        raise ConfigError(f"{path} is no JSON object; correct it or choose another --out")
    return value


FORMAT = SampleFormat(
    "llama-factory",
    "{name}_{part}.json",
    json_list(row),
    finish=_write_info,
    takes_images=True,
    marks_images=True,
    manifest="{name}_manifest.json",
)
