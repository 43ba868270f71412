"""LLMLF end to end: table -> samples and parts -> answers, killed in between -> scores."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from pipeline.core.errors import ExitCode
from tests.support.cli import SAMPLE, command, run_cli
from tests.support.model_runs import model_server, stats
from tests.support.model_server import KEY

TABLE = SAMPLE / "llmlf" / "reports.csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_parts_answers_and_scores(tmp_path: Path) -> None:
    run = run_cli("run", "llmlf", "--input", TABLE, "--run-dir", tmp_path / "run")
    assert run.returncode == ExitCode.REJECTS, run.stderr
    parts = {p: rows(tmp_path / "run/exports/csv" / f"{p}.csv") for p in ("train", "validation")}
    test = tmp_path / "run/exports/csv/test.csv"
    assert sum(map(len, parts.values())) + len(rows(test)) == 120
    assert len(parts["train"]) > 5 * len(parts["validation"])
    patients = {row["INSTRUCTION"]: row["PATIENT_ID"] for row in rows(TABLE)}
    owners = [{patients[row["INSTRUCTION"]] for row in part} for part in parts.values()]
    assert not owners[0] & owners[1]
    again = run_cli("run", "llmlf", "--input", TABLE, "--run-dir", tmp_path / "again")
    assert again.returncode == run.returncode
    assert test.read_bytes() == (tmp_path / "again/exports/csv/test.csv").read_bytes()
    assert (test.parent / "DATA_CLASS").read_text() == "synthetic\n"
    alpaca = json.loads((tmp_path / "run/exports/llama-factory/llmlf_test.json").read_text())
    assert [row["output"] for row in alpaca] == [row["RESPONSE"] for row in rows(test)]

    words = ("infer", "--recipe", "llmlf", "--backend", "rules")
    out = tmp_path / "answers.csv"
    made = run_cli(*words, "--in-csv", test, "--out-csv", out)
    assert made.returncode == ExitCode.DONE, made.stderr
    assert [{**row, "GENERATED": ""} for row in rows(out)] == [
        {**row, "GENERATED": ""} for row in rows(test)
    ]
    scored = run_cli(
        "evaluate", "answers", f"rules={out}", "--by", "text", "--out", tmp_path / "scores"
    )
    assert scored.returncode == ExitCode.DONE, scored.stderr
    figures = json.loads((tmp_path / "scores/text_scores.json").read_text())["systems"]["rules"]
    assert figures["bleu_tokens"] == "zh"
    assert figures["figures"]["findings F1"]["value"] > 0.2


def test_kills_change_no_byte_and_ask_nothing_twice(tmp_path: Path) -> None:
    table = tmp_path / "in.csv"
    table.write_text("N,INSTRUCTION\n" + "".join(f'{n},"第{n}段\n描述"\n' for n in range(400)))
    with model_server("--latency", "0.03") as url:
        options = ("--url", url, "--model", "test-model", "--data-class", "synthetic")
        words = ("infer", "--in-csv", table, *options, "--key-env", "TEST_KEY")
        env = {"TEST_KEY": KEY}
        whole = run_cli(*words, "--out-csv", tmp_path / "whole.csv", environ=env)
        assert whole.returncode == ExitCode.DONE, whole.stderr
        for seconds in (1.5, 2.0, 2.5, 3.0):
            process = subprocess.Popen(
                command(*words, "--out-csv", tmp_path / "killed.csv"),
                env={**os.environ, **env},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
        last = run_cli(*words, "--out-csv", tmp_path / "killed.csv", environ=env)
        assert last.returncode == ExitCode.DONE, last.stderr
        assert (tmp_path / "killed.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
        in_flight = 4 * 144
        assert stats(url)["requests"] <= 800 + in_flight
    assert not list(tmp_path.rglob("*.tmp"))
