"""A stage that sends images: answered by the test server, resumed, refused, and by batch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.cli import SAMPLE, run_cli
from tests.support.model_runs import ENVIRON, model_server, stage_file, stats

ANSWER = ("--answer", "tests.support.model_server_images:describe_images")


def write_recipe(path: Path, url: str, **backend: Any) -> Path:
    recipe = {
        "name": "looking",
        "backend": "vision",
        "backends": {
            "vision": {
                "kind": "azure",
                "model": "gpt-4o",
                "deployment": "test-model",
                "url": url,
                "key_env": "TEST_MODEL_KEY",
                **backend,
            }
        },
        "stages": {
            "ingest": None,
            "image-pairs": {"images": "each"},
            "describe": {"max_side": 40, "detail": "low"},
        },
    }
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return path


@pytest.mark.parametrize("mode", ["live", "batch"])
def test_images_are_described(tmp_path: Path, mode: str) -> None:
    run = tmp_path / "run"
    with model_server(*ANSWER) as url:
        backend = {"mode": mode, "batch": {"poll_seconds": 0.05}} if mode == "batch" else {}
        recipe = write_recipe(tmp_path / "looking.yaml", url, **backend)
        words = ("--input", SAMPLE, "--limit", "8", "--run-dir", run)
        plan = run_cli("plan", recipe, *words, environ=ENVIRON)
        assert plan.returncode == 0, plan.stderr
        done = run_cli("run", recipe, *words, environ=ENVIRON)
        assert done.returncode == 0, done.stderr
        asked = stats(url)
        again = run_cli("run", recipe, *words, "--rebuild", "describe", environ=ENVIRON)
        assert again.returncode == 0, again.stderr
        assert stats(url)["requests"] == asked["requests"]
        assert len(stats(url)["batch_submitted"]) == len(asked["batch_submitted"])
    records = stage_file(run, "describe", "records.jsonl")
    assert len(records) >= 8
    for record in records:
        (seen,) = json.loads(record["description"])["images"]
        expected = {"format": "JPEG", "width": 32, "height": 40, "mode": "L", "detail": "low"}
        assert seen == expected
        assert record["asked"] and record["described_by"]
    journal = b"".join(path.read_bytes() for path in (run / "replies").glob("*.jsonl"))
    assert journal and str(SAMPLE).encode() not in journal and b"base64" not in journal


def test_an_image_does_not_go_where_its_report_may_not(tmp_path: Path) -> None:
    table = tmp_path / "reports.csv"
    table.write_text("id,image_path,findings\n1,a.png,Clear.\n")
    (tmp_path / "a.png").write_bytes(next(SAMPLE.rglob("*.png")).read_bytes())
    recipe = write_recipe(tmp_path / "looking.yaml", "https://my-resource.openai.azure.com")
    words = ("--input", table, "--run-dir", tmp_path / "run")
    done = run_cli("run", recipe, *words, environ=ENVIRON)
    assert done.returncode == 4
    assert "credentialed data may not be sent" in " ".join(done.stderr.split())
