"""Runs against the test server: the server as a process, and recipes that ask it."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.resources import resource_path
from tests.support.cli import ROOT
from tests.support.model_server import KEY

ENVIRON = {"TEST_MODEL_KEY": KEY}


@contextmanager
def model_server(*words: str) -> Iterator[str]:
    """The test server as a process; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_server", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1].rstrip("/")
    finally:
        process.kill()
        process.wait()


def stats(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/_stats") as reply:  # loopback only
        found: dict[str, Any] = json.load(reply)
    return found


def write_recipe(
    path: Path,
    url: str,
    name: str = "medical-cxr-vqa",
    *,
    stages: Mapping[str, Mapping[str, Any]] | None = None,
    only: Sequence[str] = (),
    **backend: Any,
) -> Path:
    """A packaged recipe whose stages ask the server at ``url``.

    Args:
        path: the file to write.
        url: address of the server.
        name: the packaged recipe.
        stages: parameters to set, by stage.
        only: keep these stages alone, and no exports.
        backend: further keys of the backend.
    """
    recipe = yaml.safe_load(resource_path("recipes", f"{name}.yaml").read_text())
    if only:
        recipe["stages"] = {stage: recipe["stages"][stage] for stage in only}
        recipe.pop("exports", None)
    for stage, params in (stages or {}).items():
        recipe["stages"][stage] = {**(recipe["stages"][stage] or {}), **params}
    recipe["backend"] = "model"
    recipe["backends"] = {
        "model": {
            "kind": "openai",
            "model": "test-model",
            "url": f"{url}/v1",
            "key_env": "TEST_MODEL_KEY",
            "concurrency": 32,
            "prices": {"prompt": 1.0, "completion": 2.0},
            **backend,
        }
    }
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def stage_file(run_dir: Path, stage: str, name: str) -> list[dict[str, Any]]:
    lines = (run_dir / "stages" / stage / name).read_text().splitlines()
    return [json.loads(line) for line in lines]
