"""``chat`` and ``infer`` with a model in this process: tiny, random, real."""

from __future__ import annotations

import csv
import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import ExitCode
from tests.support.cli import SAMPLE, command, run_cli
from tests.support.terminal import Terminal
from tests.support.tiny_models import make_model

pytestmark = pytest.mark.heavy
pytest.importorskip("torch")

QUIET = {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


def test_it_talks_on_a_terminal(model: Path) -> None:
    words = command("chat", "--model-path", model, "--max-tokens", "8")
    with Terminal(words, QUIET) as screen:
        screen.wait_for("transformers: tiny", 60)
        for number in (1, 2):
            screen.type(f"question {number}\n")
            screen.wait_for("cut at the length limit", 120, times=number)
        screen.type("/clear\n")
        screen.wait_for("forgotten")
        assert screen.leave() == ExitCode.DONE


def test_it_answers_a_table_and_the_same_again(model: Path, tmp_path: Path) -> None:
    table = SAMPLE / "llmlf" / "reports.csv"
    words = ("infer", "--in-csv", table, "--recipe", "llmlf", "--model-path", model)
    for name in ("one.csv", "two.csv"):
        out = ("--out-csv", tmp_path / name, "--max-tokens", "8", "--limit", "20")
        made = run_cli(*words, *out, environ=QUIET)
        assert made.returncode == ExitCode.DONE, made.stderr
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    with (tmp_path / "one.csv").open(newline="") as file:
        assert all(row["GENERATED"] for row in csv.DictReader(file))


def test_a_folder_that_is_no_model_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        command("chat", "--model-path", tmp_path),
        input="x",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.USAGE
    assert str(tmp_path) in done.stderr
    assert "Traceback" not in done.stderr
