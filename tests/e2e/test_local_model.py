"""A recipe through a model in this process: killed, stopped, run again; the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import command, run_cli
from tests.support.reports import column_options, write_table
from tests.support.tiny_models import make_model

pytestmark = pytest.mark.heavy
pytest.importorskip("torch")
pytest.importorskip("llguidance")

REPORTS = 40
ENVIRON = {"OMP_NUM_THREADS": "1"}


def write_recipe(path: Path, backend: dict[str, Any]) -> Path:
    recipe = {
        "name": "local-labels",
        "backend": "model",
        "backends": {"model": {"params": {"temperature": 0}, **backend}},
        "stages": {
            "ingest": None,
            "sections": None,
            "labels": {"examples": 0, "max_tokens": 160, "attempts": 1},
        },
    }
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


def artifacts(run_dir: Path) -> dict[str, str]:
    """Hash of what the stages made."""
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run_dir.glob("stages/*/re*.jsonl"))
    }


def replies(run_dir: Path) -> int:
    files = list((run_dir / "replies").rglob("*")) if (run_dir / "replies").exists() else []
    return sum(path.read_bytes().count(b"\n") for path in files if path.is_file())


def wait_for_replies(process: subprocess.Popen[bytes], run_dir: Path, count: int) -> None:
    until = time.monotonic() + 120
    while replies(run_dir) < count:
        assert process.poll() is None, "it ended before it was stopped"
        assert time.monotonic() < until
        time.sleep(0.01)


def test_killed_and_stopped_it_makes_the_same_bytes(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny", context=4096)
    recipe = write_recipe(
        tmp_path / "recipe.yaml",
        {
            "kind": "transformers",
            "path": str(folder),
            "device": "cpu",
            "batch_sequences": 4,
            "concurrency": 16,
        },
    )
    table = write_table(tmp_path / "reports.csv", REPORTS)
    words = ["run", recipe, "--input", table, *column_options()]
    whole = run_cli(*words, "--run-dir", tmp_path / "whole", environ=ENVIRON)
    assert whole.returncode in (0, 1), whole.stderr
    assert "loading model tiny" in whole.stdout + whole.stderr
    manifest = json.loads((tmp_path / "whole/stages/labels/manifest.json").read_text())
    counts = manifest["counts"]
    assert counts["in"] > REPORTS * 0.9
    assert counts["records"] + counts["rejected"] == counts["in"]
    assert manifest["backend"]["model"].startswith("tiny@")
    assert manifest["usage"]["completion_tokens"] > counts["in"]

    run_dir = tmp_path / "stopped"
    for stop, count in ((signal.SIGKILL, 3), (signal.SIGTERM, 12)):
        process = subprocess.Popen(
            command(*words, "--run-dir", run_dir),
            env={**os.environ, **ENVIRON},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_replies(process, run_dir, count)
        process.send_signal(stop)
        assert process.wait(timeout=20) == (3 if stop is signal.SIGTERM else -signal.SIGKILL)
    last = run_cli(*words, "--run-dir", run_dir, environ=ENVIRON)
    assert last.returncode == whole.returncode, last.stderr
    assert artifacts(run_dir) == artifacts(tmp_path / "whole")

    done = run_cli(*words, "--run-dir", run_dir, environ=ENVIRON)
    assert "loading model" not in done.stdout + done.stderr, "nothing was left to ask"
    make_model(folder, seed=1, context=4096)
    stale = run_cli(*words, "--run-dir", run_dir, environ=ENVIRON)
    assert stale.returncode == 2
    assert "the model or its parameters changed" in stale.stderr


def test_check_describes_the_model_and_asks_it(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    recipe = write_recipe(
        tmp_path / "recipe.yaml", {"kind": "transformers", "path": str(folder), "device": "cpu"}
    )
    table = write_table(tmp_path / "reports.csv", 2)
    words = ["check", recipe, "--input", table, *column_options()]
    checked = run_cli(*words, environ=ENVIRON)
    assert checked.returncode == 0, checked.stdout
    assert "LlamaForCausalLM, 37,088 parameters, stored as fp32" in checked.stdout, checked.stdout
    assert "context of 1,024 tokens, chat template of its tokenizer" in checked.stdout
    assert "cpu: answers as tiny" in checked.stdout
    assert "follows a JSON schema" in checked.stdout
    planned = run_cli("plan", *words[1:], "--run-dir", tmp_path / "none", environ=ENVIRON)
    assert planned.returncode == 0, planned.stderr
    assert "labels would ask model" in planned.stdout
    (folder / "tokenizer.json").unlink()
    broken = run_cli(*words, environ=ENVIRON)
    assert broken.returncode == 2
    assert "holds no tokenizer" in broken.stdout
