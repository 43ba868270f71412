"""Evaluations of a run, kept in its folder so that its report can show them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import make_private_dir, write_json
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import fingerprint
from pipeline.run.folder import RunFolder
from pipeline.run.store import StageStore

KINDS = ("labels", "keyinfo", "phrases", "answers", "texts")
"""What can be evaluated: ``kind`` of an evaluation's JSON."""

_NAME = re.compile(r"[^A-Za-z0-9_-]+")


def keep_evaluation(
    folder: RunFolder,
    report: Mapping[str, Any],
    *,
    about: str,
    asked: Mapping[str, Any],
    stages: Mapping[str, str],
) -> Path:
    """Write an evaluation into ``evaluation/`` of the run it is about; returns the file.

    Evaluations that were asked for in the same way replace each other.

    Args:
        folder: the run.
        report: the evaluation's JSON.
        about: what the file is named after, such as the gold file's name.
        asked: everything that tells it from other evaluations, to be hashed.
        stages: prediction -> stage of this run that made it.

    Raises:
        OSError: it cannot be written.
    """
    kind = str(report["kind"])
    words = [kind, _NAME.sub("-", about).strip("-")[:40], fingerprint(dict(asked))[:8]]
    made_of = {}
    for prediction, stage in stages.items():
        manifest = StageStore(folder.stage(stage)).manifest() or {}
        sha256 = manifest.get("output", {}).get("records", {}).get("sha256", "")
        made_of[prediction] = {"stage": stage, "made_of": sha256}
    path = folder.evaluations / f"{'-'.join(filter(None, words))}.json"
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    make_private_dir(path.parent)
    write_json(path, {**report, "run": made_of, "made_at": made_at})
    return path


def kept_evaluations(folder: RunFolder) -> list[Path]:
    """The evaluations in a run folder, by kind and name."""
    files = folder.evaluations.glob("*.json")
    return sorted(path for path in files if not path.name.startswith("."))


def read_evaluation(path: Path) -> dict[str, Any]:
    """The JSON of an evaluation.

    Raises:
        ConfigError: it cannot be read, or is something else.
    """
    try:
        value = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path} is not JSON; give what evaluate ... --json wrote") from None
    if not isinstance(value, dict) or value.get("kind") not in KINDS:
        raise ConfigError(
            f"{path} is no evaluation of labels, keyinfo, phrases or answers; give what "
            "evaluate ... --json wrote, or the scores of evaluate answers"
        )
    return value


def is_outdated(folder: RunFolder, evaluation: Mapping[str, Any]) -> bool:
    """Whether a stage that a kept evaluation scored was made again since."""
    for made in evaluation.get("run", {}).values():
        manifest = StageStore(folder.stage(made["stage"])).manifest()
        if manifest is None or manifest["output"]["records"]["sha256"] != made["made_of"]:
            return True
    return False
