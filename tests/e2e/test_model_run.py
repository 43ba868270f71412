"""The main job against a model server with its faults, killed and run again."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import SAMPLE, command, run_cli
from tests.support.model_runs import ENVIRON, model_server, stage_file, stats, write_recipe
from tests.support.reports import column_options, write_table

FAULTS = "500=0.05,429=0.05,drop=0.01,content_filter=0.01"


def test_a_faulty_server_and_three_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    table = write_table(tmp_path / "reports.csv", 600)
    answers = ("--answer", "tests.support.keyinfo_answers:mixed")
    with model_server(*answers, "--latency", "0.02", "--faults", FAULTS, "--seed", "5") as url:
        recipe = write_recipe(tmp_path / "r.yaml", url)
        words = ["run", recipe, "--input", table, *column_options(), "--run-dir"]
        moments = random.Random(3)
        for _ in range(3):
            process = subprocess.Popen(
                command(*words, tmp_path / "run"),
                env={**os.environ, **ENVIRON},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(moments.uniform(1.2, 1.9))
            process.send_signal(signal.SIGKILL)
            process.wait()
        done = run_cli(*words, tmp_path / "run", environ=ENVIRON)
        assert done.returncode in (0, 1), done.stderr
        seen = stats(url)
    made = stage_file(tmp_path / "run", "keyinfo", "records.jsonl")
    refused = stage_file(tmp_path / "run", "keyinfo", "rejects.jsonl")
    entered = stage_file(tmp_path / "run", "sections", "records.jsonl")
    assert sorted(r["id"] for r in made + refused) == sorted(r["id"] for r in entered)
    assert [r["id"] for r in made] == [
        r["id"] for r in entered if r["id"] not in {x["id"] for x in refused}
    ]
    assert {r["reason"] for r in refused} <= {"content_filter", "unreadable_reply"}
    assert all(r["keyinfo"] for r in made)
    manifest = json.loads((tmp_path / "run/stages/keyinfo/manifest.json").read_bytes())
    usage = manifest["usage"]
    assert usage["requests"] > 0 and usage["prompt_tokens"] > 0 and usage["money"] > 0
    again = sum(answered - 1 for _, answered in seen["prompts"].values() if answered > 1)
    assert again <= 3 * 40  # at most what was under way at each kill


@pytest.fixture(scope="module")
def good_server() -> Iterator[str]:
    with model_server("--answer", "tests.support.keyinfo_answers:good") as url:
        yield url


def test_a_good_model_gives_what_the_rules_give(good_server: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server)
    asked = run_cli(
        "run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "model", environ=ENVIRON
    )
    ruled = run_cli("run", "medical-cxr-vqa", "--input", SAMPLE, "--run-dir", tmp_path / "rules")
    assert asked.returncode == ruled.returncode == 1, asked.stderr
    kinds = []
    for name in ("model", "rules"):
        with (tmp_path / name / "exports" / "questions.csv").open() as file:
            kinds.append(list(csv.reader(file)))
    assert kinds[0] == kinds[1]


def test_running_again_after_a_parser_change_sends_nothing(
    good_server: str, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server)
    words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    assert run_cli(*words, environ=ENVIRON).returncode == 1
    before = stats(good_server)["requests"]
    again = run_cli(*words, "--rebuild", "keyinfo", environ=ENVIRON)
    assert again.returncode == 1
    assert stats(good_server)["requests"] == before


def test_plan_counts_before_anything_is_sent(good_server: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server, rpm=600, tpm=100_000)
    words = (recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    before = stats(good_server)["requests"]
    done = run_cli("plan", *words, environ=ENVIRON)
    assert done.returncode == 0, done.stderr
    for shown in ("requests", "prompt tokens", "money, at most", "USD", "time at the limits"):
        assert shown in done.stdout
    assert stats(good_server)["requests"] == before
    assert run_cli("run", *words, "--limit", "20", environ=ENVIRON).returncode == 0
    status = run_cli("status", tmp_path / "run")
    assert "tokens" in status.stdout
    usage = json.loads((tmp_path / "run/stages/keyinfo/manifest.json").read_bytes())["usage"]
    assert f"{int(usage['requests']):,}" in status.stdout


def test_check_asks_every_deployment_once(good_server: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server)
    done = run_cli("check", recipe, "--input", SAMPLE, "--run-dir", tmp_path, environ=ENVIRON)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers as" in done.stdout
    missing = run_cli("check", recipe, "--input", SAMPLE, "--run-dir", tmp_path)
    assert missing.returncode == 2
    assert "TEST_MODEL_KEY" in missing.stdout


def test_a_wrong_key_stops_at_once(good_server: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server)
    words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    done = run_cli(*words, environ={"TEST_MODEL_KEY": "wrong"})
    assert done.returncode == 2
    assert "401" in done.stderr or "key" in done.stderr
    assert run_cli(*words, environ=ENVIRON).returncode == 1


def test_a_budget_stops_a_run_that_can_go_on(good_server: str, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path / "r.yaml", good_server, budget={"requests": 25})
    words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    done = run_cli(*words, environ=ENVIRON)
    assert done.returncode == 3
    assert "budget" in done.stderr
    write_recipe(tmp_path / "r.yaml", good_server)
    assert run_cli(*words, environ=ENVIRON).returncode == 1


def test_credentialed_notes_are_refused_before_anything_is_sent(tmp_path: Path) -> None:
    tree = tmp_path / "mimic" / "files" / "p10" / "p10000001"
    tree.mkdir(parents=True)
    (tree / "s50000001.txt").write_text("FINDINGS: Sentinel effusion.\n")
    recipe = write_recipe(tmp_path / "r.yaml", "https://models.example.org")
    words = ("run", recipe, "--input", tmp_path / "mimic", "--run-dir", tmp_path / "run")
    done = run_cli(*words, environ=ENVIRON)
    assert done.returncode == 4
    assert "credentialed" in done.stderr
    assert "Sentinel" not in done.stderr + done.stdout


def test_retry_asks_filtered_records_again_and_only_those(tmp_path: Path) -> None:
    tree = tmp_path / "files" / "p10" / "p10000001"
    tree.mkdir(parents=True)
    (tmp_path / "DATA_CLASS").write_text("synthetic\n")
    for study in range(1, 6):
        fault = "[[fault:content_filter*1]] " if study == 3 else ""
        text = f"FINDINGS: {fault}Small left effusion, study number {study}.\n"
        (tree / f"s5000000{study}.txt").write_text(text)
    with model_server("--answer", "tests.support.keyinfo_answers:good") as url:
        recipe = write_recipe(tmp_path / "r.yaml", url)
        words = ("run", recipe, "--input", tmp_path, "--run-dir", tmp_path / "run")
        assert run_cli(*words, environ=ENVIRON).returncode == 1
        (refused,) = stage_file(tmp_path / "run", "keyinfo", "rejects.jsonl")
        assert (refused["id"], refused["reason"]) == ("50000003", "content_filter")
        before = stats(url)["requests"]
        assert run_cli(*words, environ=ENVIRON).returncode == 1  # a paid outcome is kept
        assert stats(url)["requests"] == before
        done = run_cli("retry", tmp_path / "run", "--only", "content_filter", environ=ENVIRON)
        assert done.returncode == 0, done.stderr
        assert stats(url)["requests"] == before + 1
    ids = [row["id"] for row in stage_file(tmp_path / "run", "postprocess", "records.jsonl")]
    assert ids == [f"5000000{study}" for study in range(1, 6)]


def test_batch_mode_gives_what_live_mode_gives(tmp_path: Path) -> None:
    with model_server("--answer", "tests.support.keyinfo_answers:good") as url:
        live = write_recipe(tmp_path / "live.yaml", url)
        batch = write_recipe(
            tmp_path / "batch.yaml", url, mode="batch", batch={"poll_seconds": 0.1}
        )
        for recipe, name in ((live, "live"), (batch, "batch")):
            words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / name)
            done = run_cli(*words, environ=ENVIRON)
            assert done.returncode == 1, done.stderr
        assert stats(url)["batch_submitted"]
    made = [(tmp_path / n / "exports" / "questions.csv").read_bytes() for n in ("live", "batch")]
    assert made[0] == made[1]
