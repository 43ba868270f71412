"""The report command, and evaluations that find their way into it."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from tests.support.cli import SAMPLE, run_cli
from tests.support.html_page import Page


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled run of a few reports; tests that change it copy it."""
    run = tmp_path_factory.mktemp("report") / "run"
    done = run_cli("run", "radreportx", "--input", SAMPLE, "--run-dir", run, "--limit", "20")
    assert done.returncode == 0, done.stderr
    return run


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "run")


def evaluate(run: Path, *words: str) -> None:
    gold = run / "exports" / "labels.csv"
    options = ("--gold", gold, "--replicates", "20", *words)
    done = run_cli("evaluate", "labels", *options, f"rules={run}#rules", run)
    assert done.returncode == 0, done.stderr
    assert f"written  {run / 'evaluation'}" in done.stdout


def test_evaluations_of_a_run_are_kept_and_shown(run: Path) -> None:
    evaluate(run)
    evaluate(run)
    evaluate(run, "--uncertain", "present")
    kept = sorted((run / "evaluation").glob("labels-labels-*.json"))
    assert len(kept) == 2  # the same question once, another one beside it
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)
    done = run_cli("report", run)
    assert done.returncode == 0, done.stderr
    for name in ("report.html", "card.md"):
        assert str(run / name) in done.stdout
    page = Page((run / "report.html").read_text())
    assert "Labels scored against labels.csv" in done.stdout
    assert len([t for t in page.tables if t.caption == "rules: scores"]) == 2
    assert "F1 per class, file by file" in page.captions
    assert page.table("Difference, and a paired randomisation test").rows
    assert "Outdated" not in page.text


def test_a_run_that_cannot_be_written_to_is_scored_all_the_same(run: Path, tmp_path: Path) -> None:
    (run / "evaluation").write_text("in the way")
    gold = ("--gold", run / "exports" / "labels.csv", "--replicates", "0")
    done = run_cli("evaluate", "labels", *gold, run, "--json", tmp_path / "out.json")
    assert done.returncode == 0, done.stderr
    assert f"not kept in {run}" in done.stdout and "micro" in done.stdout
    assert (tmp_path / "out.json").is_file()


def test_an_evaluation_of_what_was_made_again_is_outdated(run: Path) -> None:
    evaluate(run)
    (kept,) = (run / "evaluation").glob("*.json")
    data = orjson.loads(kept.read_bytes())
    assert {one["stage"] for one in data["run"].values()} == {"combine"}
    data["run"]["rules"]["made_of"] = "another state"
    kept.write_bytes(orjson.dumps(data))
    assert run_cli("report", run).returncode == 0
    page = Page((run / "report.html").read_text())
    assert "Outdated: the run was made again after this evaluation" in page.text
    assert "was not scored" in (run / "card.md").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("nowhere",), "nowhere is no run folder: it has no run.json"),
        (("run", "--evaluation", "none.json"), "none.json cannot be read: No such file"),
        (("run", "--evaluation", "run/run.json"), "run/run.json is no evaluation of labels"),
        (("run", "--evaluation", "run/counts.md"), "run/counts.md is not JSON"),
    ],
)
def test_wrong_use_is_one_line(finished: Path, words: tuple[str, ...], message: str) -> None:
    done = run_cli("report", *words, cwd=finished.parent)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
