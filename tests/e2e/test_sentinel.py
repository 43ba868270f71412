"""No text of a report or a reply outside the files that are made to hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import run_cli
from tests.support.model_runs import ENVIRON, model_server, write_recipe
from tests.support.sentinel import SENTINEL, assert_no_leak

HOLD_TEXT = ("stages/*/records.jsonl", "stages/*/.retried/records.jsonl", "exports/*", "replies/*")

NOTES = {
    "50000001": f"FINDINGS: Small left pleural effusion near {SENTINEL}. No pneumothorax.",
    "50000002": f"INDICATION: {SENTINEL}",
    "50000003": f"{SENTINEL}: {SENTINEL}",
    "50000004": "",
    "50000005": f"FINDINGS: [[fault:content_filter]] {SENTINEL} with cardiomegaly.",
    "50000006": f"FINDINGS: [[fault:500*2]] {SENTINEL}. Mild edema.",
}


def write_notes(folder: Path) -> Path:
    """A credentialed tree whose notes hold the sentinel."""
    tree = folder / "notes" / "files" / "p10" / "p10000001"
    tree.mkdir(parents=True)
    for study, text in NOTES.items():
        (tree / f"s{study}.txt").write_text(text)
    return folder / "notes"


@pytest.mark.parametrize("with_model", [False, True])
def test_a_whole_run_leaks_nothing(tmp_path: Path, with_model: bool) -> None:
    notes = write_notes(tmp_path)
    said = {}
    answers = ("--answer", "tests.support.keyinfo_answers:leaky", "--echo")
    with model_server(*answers, "--faults", "500=0.2,drop=0.1,html=0.1") as url:
        recipe = write_recipe(tmp_path / "r.yaml", url)
        name = str(recipe) if with_model else "medical-cxr-vqa"
        options = ("--input", notes, "--run-dir", tmp_path / "run")
        gold = tmp_path / "run" / "exports" / "all_diseases.json"
        for words in (
            ("check", name, "--input", notes, "--run-dir", tmp_path),
            ("plan", name, *options),
            ("run", name, *options, "--until", "sections"),
            ("plan", name, *options),
            ("run", name, *options),
            ("run", name, *options),
            ("run", name, *options, "--set", "stages.questions.seed=2"),
            ("run", name, *options, "--rebuild", "nope"),
            ("retry", tmp_path / "run"),
            ("status", tmp_path / "run"),
            ("export", tmp_path / "run", "--format", "nope"),
            ("evaluate", "keyinfo", "--gold", gold, tmp_path / "run", "--examples", "3"),
            ("report", tmp_path / "run"),
        ):
            done = run_cli(*words, environ={**ENVIRON, "PYTHONASYNCIODEBUG": "1"})
            said[" ".join(map(str, words))] = done.stdout + done.stderr
    assert (tmp_path / "run" / "stages" / "questions" / "manifest.json").exists()
    assert "KeyInfo scored" in (tmp_path / "run" / "report.html").read_text()
    assert "## Methods" in (tmp_path / "run" / "card.md").read_text()
    assert SENTINEL in (tmp_path / "run" / "stages" / "sections" / "records.jsonl").read_text()
    assert_no_leak(paths=[tmp_path / "run"], texts=said, allowed=HOLD_TEXT)
