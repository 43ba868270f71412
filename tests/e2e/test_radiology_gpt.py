"""Recipe radiology-gpt against a model server with its faults: killed, resumed, in any language."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.support.cli import ROOT, SAMPLE, command, run_cli
from tests.support.model_runs import ENVIRON, model_server, write_recipe

OPEN_I = ROOT.parent / "shared" / "data" / "open-i" / "reports.csv"
FAULTS = "500=0.04,429=0.04,drop=0.02,reset=0.01,content_filter=0.01,refusal=0.01,length=0.02"


def made_files(run_dir: Path) -> dict[str, str]:
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((run_dir / "stages").rglob("*.jsonl"))
    }


def rows(run_dir: Path, stage: str, name: str = "records.jsonl") -> list[dict[str, Any]]:
    lines = (run_dir / "stages" / stage / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def reasons(run_dir: Path, stage: str) -> Counter[str]:
    return Counter(row["reason"] for row in rows(run_dir, stage, "rejects.jsonl"))


def test_killed_and_resumed_over_open_i_the_bytes_are_the_same(tmp_path: Path) -> None:
    if not OPEN_I.is_file():
        pytest.skip("the public Open-i reports are not beside the checkout (shared/data/open-i)")
    answers = ("--answer", "tests.support.instruction_answers:mixed", "--latency", "0.01")
    with model_server(*answers, "--faults", FAULTS, "--seed", "8") as url:
        recipe = write_recipe(tmp_path / "radiology-gpt.yaml", url, "radiology-gpt")
        words = ["run", recipe, "--input", OPEN_I, "--limit", "120", "--run-dir"]
        whole = run_cli(*words, tmp_path / "whole", environ=ENVIRON)
        assert whole.returncode in (0, 1), whole.stderr
        moments = random.Random(6)
        for _ in range(4):
            process = subprocess.Popen(
                command(*words, tmp_path / "killed"),
                env={**os.environ, **ENVIRON},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(moments.uniform(0.8, 1.8))
            process.send_signal(signal.SIGKILL)
            process.wait()
        last = run_cli(*words, tmp_path / "killed", environ=ENVIRON)
        assert last.returncode == whole.returncode, last.stderr
    made = made_files(tmp_path / "whole")
    assert len(made) == 26
    assert made_files(tmp_path / "killed") == made
    run_dir = tmp_path / "whole"
    asked = reasons(run_dir, "instruct-1") + reasons(run_dir, "instruct-2")
    assert set(asked) <= {"content_filter", "refusal", "length", "failed"}
    cleaned = reasons(run_dir, "clean-1") + reasons(run_dir, "clean-2")
    assert {"refusal", "several_questions", "wrong_language"} <= set(cleaned)
    assert reasons(run_dir, "dedupe-1")["near_duplicate"] > 0
    samples = rows(run_dir, "check-answers")
    studies = {row["id"]: row for row in rows(run_dir, "sections")}
    assert samples
    for sample in samples:
        assert sample["study_id"] == studies[sample["study_id"]]["study_id"]
        assert sample["instruction"] and sample["input"] and sample["output"]
        assert sample["history"] == [] and isinstance(sample["flags"], list)


@pytest.mark.parametrize("language", ["Chinese", "Korean"])
def test_other_languages(language: str, tmp_path: Path) -> None:
    with model_server("--answer", "tests.support.instruction_answers:good") as url:
        recipe = write_recipe(
            tmp_path / "radiology-gpt.yaml",
            url,
            "radiology-gpt",
            stages={"tasks": {"language": language}},
        )
        words = ["run", recipe, "--input", SAMPLE, "--limit", "30", "--run-dir", tmp_path / "run"]
        words += [f"--set=stages.dedupe-{wave}.scope=note" for wave in (1, 2)]
        done = run_cli(*words, environ=ENVIRON)
    assert done.returncode in (0, 1), done.stderr
    samples = rows(tmp_path / "run", "check-answers")
    assert len(samples) > 10
    letters = "一鿿" if language == "Chinese" else "가힣"
    for sample in samples:
        for text in (sample["instruction"], sample["output"]):
            assert any(letters[0] <= char <= letters[1] for char in text)
    flagged = sum("not_checked" in sample["flags"] for sample in samples)
    assert flagged == (0 if language == "Chinese" else len(samples))


def test_with_rules_nothing_is_needed_and_plan_sends_nothing(tmp_path: Path) -> None:
    words = ("radiology-gpt", "--input", SAMPLE, "--run-dir", tmp_path / "run")
    planned = run_cli("plan", *words)
    assert planned.returncode == 0, planned.stderr
    done = run_cli("run", *words)
    assert done.returncode == 1, done.stderr  # one sample report is empty on purpose
    samples = rows(tmp_path / "run", "check-answers")
    assert {sample["family"] for sample in samples} >= {"question_answering", "summarisation"}
    assert all(sample["subject_id"] and sample["split"] for sample in samples)
    assert not reasons(tmp_path / "run", "check-answers")["ungrounded"]
