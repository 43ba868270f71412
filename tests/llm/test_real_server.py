"""The engine against a real model server: ``transformers serve`` with a tiny model made here.

The model is random and talks nonsense; what counts is that addresses, parameters, usage and
finish reasons of a server nobody here wrote are understood.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipeline.llm.check import check_backend
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.llm.open import open_engine
from pipeline.llm.types import Message, Outcome, Request
from tests.support.cli import run_cli
from tests.support.reports import column_options, write_table
from tests.support.tiny_models import make_model

pytestmark = pytest.mark.heavy

NEEDED = ("torch", "transformers", "tokenizers", "fastapi", "uvicorn")
START_S = 180
"""Importing torch and transformers takes up to a minute on a busy machine."""


def wait_until_up(process: subprocess.Popen[bytes], url: str) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        if process.poll() is not None:
            pytest.fail(f"transformers serve ended with code {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    pytest.fail("transformers serve did not come up")


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackendConfig]:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"transformers serve needs {', '.join(missing)}")
    folder = tmp_path_factory.mktemp("model")
    make_model(folder, context=4096)
    home = tmp_path_factory.mktemp("home")
    (home / "hub").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(Path(sys.executable).parent / "transformers"), "serve", str(folder)]
    command += ["--port", str(port), "--device", "cpu", "--continuous-batching"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environ, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_up(process, url)
            yield parse_backend(
                {
                    "kind": "openai",
                    "model": "tiny",
                    "url": url,
                    "deployment": str(folder),
                    "concurrency": 4,
                    "timeout_s": 300,
                    "structured": "none",
                    "params": {"temperature": 0, "max_tokens": 8},
                }
            )
        finally:
            process.terminate()
            process.wait(timeout=30)


async def test_every_request_gets_its_answer(backend: BackendConfig, tmp_path: Path) -> None:
    requests = [Request("t", (Message("user", f"Report number {n}."),)) for n in range(12)]
    async with open_engine(backend, tmp_path / "replies", lambda _: None) as engine:
        ask = engine.for_stage("s")
        replies = await asyncio.gather(*map(ask, requests))
        stats = engine.stats()
    assert {one.outcome for one in replies} <= {Outcome.OK, Outcome.LENGTH}
    assert stats["sent"] == 12
    assert stats["spent"]["s"]["prompt_tokens"] > 12 * len("Report number 1.")
    assert 0 < stats["spent"]["s"]["completion_tokens"] <= 12 * 8
    async with open_engine(backend, tmp_path / "replies", lambda _: None) as engine:
        again = await asyncio.gather(*map(engine.for_stage("s"), requests))
        assert engine.stats()["sent"] == 0
    assert [one.text for one in again] == [one.text for one in replies]


async def test_check_says_that_it_works_and_what_it_is(backend: BackendConfig) -> None:
    (result,) = await check_backend(backend, lambda _: None)
    assert result.works
    assert result.reports_usage
    assert result.server == "transformers serve"
    assert not any("does not take" in line for line in result.advice)


def test_a_stage_runs_through_it(backend: BackendConfig, tmp_path: Path) -> None:
    deployment = backend.services[0]
    recipe = {
        "name": "served-labels",
        "backend": "served",
        "backends": {
            "served": {
                "kind": "openai",
                "model": "tiny",
                "url": deployment.url,
                "deployment": deployment.deployment,
                "structured": "none",
                "concurrency": 4,
                "timeout_s": 300,
            }
        },
        "stages": {
            "ingest": None,
            "sections": None,
            "labels": {"examples": 0, "max_tokens": 8, "attempts": 1},
        },
    }
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    table = write_table(tmp_path / "reports.csv", 8)
    words = ["run", path, "--input", table, *column_options(), "--run-dir", tmp_path / "run"]
    first = run_cli(*words)
    assert first.returncode == 1, first.stderr  # a random model writes no labels: rejects
    manifest = json.loads((tmp_path / "run/stages/labels/manifest.json").read_text())
    counts = manifest["counts"]
    assert counts["in"] == counts["records"] + counts["rejected"] > 0
    assert manifest["usage"]["requests"] == counts["in"]
    assert manifest["usage"]["completion_tokens"] > 0
    rejects = (tmp_path / "run/stages/labels/rejects.jsonl").read_text().splitlines()
    assert {json.loads(line)["reason"] for line in rejects} <= {"truncated", "length", "malformed"}
