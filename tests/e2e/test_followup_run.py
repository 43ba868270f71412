"""The whole recipe against a model server whose replies are of mixed quality."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

from tests.support.cli import SAMPLE, command, run_cli
from tests.support.model_runs import ENVIRON, model_server, stage_file, stats, write_recipe

CARELESS = ("--answer", "tests.support.keyinfo_answers:careless")


def test_follow_up_gains_in_every_round_and_costs_nothing_again(tmp_path: Path) -> None:
    with model_server(*CARELESS) as url:
        recipe = write_recipe(tmp_path / "r.yaml", url)
        words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
        graded = ("--set", "stages.postprocess.second_reading=true")
        done = run_cli(*words, *graded, environ=ENVIRON)
        assert done.returncode == 1, done.stderr
        before = stats(url)["requests"]
        questions = (tmp_path / "run/exports/questions.csv").read_bytes()
        again = run_cli(*words, *graded, "--rebuild", "followup", environ=ENVIRON)
        assert again.returncode == 1, again.stderr
        assert stats(url)["requests"] == before
        assert (tmp_path / "run/exports/questions.csv").read_bytes() == questions
    read = stage_file(tmp_path / "run", "keyinfo", "records.jsonl")
    followed = stage_file(tmp_path / "run", "followup", "records.jsonl")
    assert [one["id"] for one in read] == [one["id"] for one in followed]
    rounds = [Counter[str](), Counter[str]()]
    for record in followed:
        for number, counts in enumerate(record["followup"]["rounds"]):
            rounds[number].update(counts)
    assert rounds[0]["gained"] > rounds[0]["lost"] > 0 and rounds[1]["gained"] > 0
    assert rounds[0]["not_quoted"] > 0 and rounds[0]["unreadable"] > 0
    assert sum(one["followup"]["left"] for one in followed) < rounds[0]["asked"] / 4
    report = (tmp_path / "run/counts.md").read_text()
    assert "Follow-up of" in report and f"| {rounds[0]['asked']:,} |" in report
    with (tmp_path / "run/exports/questions.csv").open(newline="") as file:
        grades = Counter(row["quality"] for row in csv.DictReader(file))
    assert grades["A"] > 10 * grades["C"]


def test_a_follow_up_that_was_killed_gives_the_same_bytes_and_asks_nothing_twice(
    tmp_path: Path,
) -> None:
    with model_server(*CARELESS, "--latency", "0.02") as url:
        recipe = write_recipe(tmp_path / "r.yaml", url, concurrency=8)
        words = ("run", recipe, "--input", SAMPLE, "--run-dir")
        whole = run_cli(*words, tmp_path / "whole", environ=ENVIRON)
        assert whole.returncode == 1, whole.stderr
        needed = stats(url)["requests"]
        keyinfo = run_cli(*words, tmp_path / "run", "--until", "keyinfo", environ=ENVIRON)
        assert keyinfo.returncode == 1, keyinfo.stderr
        process = subprocess.Popen(
            command(*words, tmp_path / "run"),
            env={**os.environ, **ENVIRON},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while stats(url)["requests"] < needed * 1.6 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert run_cli(*words, tmp_path / "run", environ=ENVIRON).returncode == 1
        assert stats(url)["requests"] <= 2 * needed + 16  # what was under way at the kill
    for name in ("stages/followup/records.jsonl", "exports/questions.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_gold_keyinfo_becomes_training_files_without_excluded_studies(tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("s50000001\n50000002\n")
    sets = ("--set", "source.sample=20", "--set", f"source.exclude={tmp_path / 'ids.txt'}")
    run = tmp_path / "gold"
    done = run_cli("run", "medical-cxr-vqa-gold", "--input", SAMPLE, "--run-dir", run, *sets)
    assert done.returncode in (0, 1), done.stderr
    samples = stage_file(run, "samples", "records.jsonl")
    assert 15 <= len(samples) <= 20
    assert not {"50000001", "50000002"} & {one["study_id"] for one in samples}
    assert all(set(json.loads(one["output"])) >= {"entity", "no_entity"} for one in samples)
    assert (run / "exports" / "llama-factory").is_dir() and (run / "exports" / "trl").is_dir()
