"""Killed at random moments and run again, a run ends with the bytes of an uninterrupted one."""

from __future__ import annotations

import hashlib
import random
import signal
import subprocess
import time
from pathlib import Path

from tests.support.cli import command, run_cli
from tests.support.reports import column_options, write_table

KILLS = 20


def artifacts(run_dir: Path) -> dict[str, str]:
    """Hash of everything a run makes but its diaries (times, host)."""
    return {
        str(path.relative_to(run_dir)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(run_dir.rglob("*"))
        if path.is_file()
        and (path.suffix == ".jsonl" or path.parent.name == "exports")
        and path.name != "manifest.json"
    }


def test_twenty_kills_change_no_byte(tmp_path: Path) -> None:
    table = write_table(tmp_path / "reports.csv", 6_000)
    words = ["run", "medical-cxr-vqa", "--input", table, *column_options()]
    whole = run_cli(*words, "--run-dir", tmp_path / "whole")
    assert whole.returncode in (0, 1), whole.stderr
    moments = random.Random(20)
    for _ in range(KILLS):
        process = subprocess.Popen(
            command(*words, "--run-dir", tmp_path / "killed"),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(moments.uniform(0.3, 1.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
    last = run_cli(*words, "--run-dir", tmp_path / "killed")
    assert last.returncode == whole.returncode, last.stderr
    made = artifacts(tmp_path / "whole")
    assert len(made) > 12
    assert artifacts(tmp_path / "killed") == made
    assert not list((tmp_path / "killed").rglob("*.tmp"))


def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path) -> None:
    table = write_table(tmp_path / "reports.csv", 6_000)
    words = ["run", "medical-cxr-vqa", "--input", table, *column_options()]
    words += ["--run-dir", tmp_path / "run"]
    process = subprocess.Popen(
        command(*words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    while not (tmp_path / "run" / "stages" / "sections").exists():
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 3
    assert "run the same command to go on" in said
    assert "Traceback" not in said
