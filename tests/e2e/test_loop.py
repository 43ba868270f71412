"""The loop: gold by a teacher, a model trained on it from nothing, its KeyInfo, its questions.

A minute-sized version of what docs/finetuning.md shows; the model has 0.5 million weights.
"""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.evaluation.findings import read_findings
from pipeline.evaluation.keyinfo import KeyInfoOptions, score_keyinfo
from pipeline.evaluation.synonyms import Names
from pipeline.training.folder import read_log
from tests.support.cli import ROOT, SAMPLE, command

pytestmark = pytest.mark.heavy

PROMPT = """---
name: keyinfo-tiny
description: the shortest instruction
variables: [report]
---
## user
KeyInfo:
{{ report }}
"""
STEPS, BREAK = 160, 40


def ran(*words: str | Path) -> str:
    done = subprocess.run(
        command(*words), cwd=ROOT, check=False, capture_output=True, text=True, timeout=900
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def extract(run_dir: Path, data: Path, prompt: Path, backend: str) -> dict[str, Any]:
    """KeyInfo and questions of reports of test patients; gives the counts of the KeyInfo stage."""
    words: list[str | Path] = ["run", "medical-cxr-vqa", "--input", data, "--run-dir", run_dir]
    words += ["--set", "source.split=test", "--set", "source.sample=50"]
    words += ["--backend", backend.partition("=")[0]]
    if backend != "rules":
        name, _, path = backend.partition("=")
        # Nothing holds the answers to the schema: what is valid, the model has learned.
        local = f"{{kind: transformers, path: {path}, structured: none}}"
        words += ["--set", f"backends.{name}={local}", "--set", f"stages.keyinfo.prompt={prompt}"]
        words += ["--set", "stages.keyinfo.attempts=1", "--set", "stages.keyinfo.max_tokens=256"]
        words += ["--set", "stages.keyinfo.most_tokens=256", "--set", "stages.followup.rounds=0"]
    ran(*words)
    manifest = orjson.loads((run_dir / "stages" / "keyinfo" / "manifest.json").read_bytes())
    counts: dict[str, Any] = manifest["counts"]
    return counts


def agreement(teacher: Path, model: Path) -> float:
    """F1 of the findings of ``model``, the teacher's being right."""
    names = Names(None, 88)
    records = "stages/postprocess/records.jsonl"
    truth = read_findings(teacher / records, names, "")
    if not (model / records).stat().st_size:
        return 0.0  # not one reply could be read
    said = read_findings(model / records, names, "")
    score = score_keyinfo(truth, said, names, KeyInfoOptions(replicates=0))
    return score.categories["entity"]["f1"].value or 0.0


def test_a_model_learns_to_read_reports_from_a_teacher(tmp_path: Path) -> None:
    data, gold, out = tmp_path / "data", tmp_path / "gold", tmp_path / "model"
    prompt = tmp_path / "tiny.md"
    prompt.write_text(PROMPT)
    maker = [SAMPLE / "make_sample.py", "--out", data, "--patients", "700", "--seed", "5"]
    subprocess.run([command()[0], "-B", *map(str, maker)], check=True, capture_output=True)
    ran(
        *("run", "medical-cxr-vqa-gold", "--input", data, "--run-dir", gold),
        *("--set", "source.sample=null", "--set", f"stages.samples.prompt={prompt}"),
    )

    train: list[str | Path] = ["finetune", gold / "exports" / "trl", "--from-scratch", "tiny"]
    train += ["--out", out, "--set", f"max_steps={STEPS}", "--set", "save_every=20"]
    train += ["--set", "eval_every=never", "--set", "log_every=5", "--set", "scratch.layers=2"]
    process = subprocess.Popen(command(*train), cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 600
    while not (out / "checkpoints" / f"checkpoint-{BREAK}" / "trainer_state.json").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGKILL)
    process.wait()
    said = ran(*train)
    assert "going on after step" in said
    losses = [line["loss"] for line in read_log(out / "loss.jsonl")]
    assert len(losses) == STEPS // 5 + 1
    assert losses[-1] < losses[0] / 5

    teacher, student, nobody = (tmp_path / name for name in ("teacher", "student", "untrained"))
    extract(teacher, data, prompt, "rules")
    counts = extract(student, data, prompt, f"local={out}")
    assert counts["records"] / counts["in"] >= 0.85
    blank = extract(nobody, data, prompt, f"local={out / 'base'}")
    assert blank["records"] / blank["in"] < 0.1
    learned = agreement(teacher, student)
    assert learned > agreement(teacher, nobody) + 0.15
    questions = (student / "exports" / "questions.csv").read_text()
    assert questions.count("\n") > counts["records"]
