"""The evaluate commands as a user meets them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.evaluation.tables import random_cells, write_csv, write_labels
from tests.support.cli import run_cli


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path, Path]:
    return (
        write_labels(tmp_path / "gold.csv", random_cells(40, 1)),
        write_labels(tmp_path / "a.csv.gz", random_cells(40, 2)),
        write_labels(tmp_path / "b.csv", random_cells(40, 3)),
    )


def test_labels_prints_tables_and_writes_json(
    files: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    gold, first, second = files
    out = tmp_path / "new" / "out.json"
    words = ("--gold", gold, f"one={first}", second, "--replicates", "20", "--examples", "2")
    done = run_cli("evaluate", "labels", *words, "--json", out)
    assert done.returncode == 0, done.stderr
    for shown in ("Pleural Effusion", "micro", "b.csv against one", "McNemar", "false positive"):
        assert shown in done.stdout
    report = json.loads(out.read_bytes())
    assert report["kind"] == "labels" and len(report["comparisons"]) == 1
    assert out.stat().st_mode & 0o077 == 0


def test_texts_are_shown_only_if_asked(files: tuple[Path, Path, Path], tmp_path: Path) -> None:
    gold, first, _ = files
    rows = [[50_000_000 + number, "Sentinel text."] for number in range(40)]
    texts = write_csv(tmp_path / "texts.csv", ["study_id", "report"], rows)
    words = ("--gold", gold, first, "--replicates", "0")
    asked = run_cli("evaluate", "labels", *words, "--show-text", texts, "--json", tmp_path / "o")
    assert "Sentinel text." in asked.stdout
    assert "Sentinel" not in (tmp_path / "o").read_text()
    assert "Sentinel" not in run_cli("evaluate", "labels", *words, "--examples", "2").stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none.csv",), "does not exist"),
        (("gold.csv", "gold.csv"), "same name"),
        (("gold.csv", "--class", "x=y"), "--class takes NAME=CLASS"),
        (("gold.csv", "--id", "uid"), "has no column 'uid'"),
        ((".",), "holds no run with a stage combine"),
    ],
)
def test_wrong_use(files: tuple[Path, Path, Path], words: tuple[str, ...], message: str) -> None:
    gold = files[0]
    done = run_cli("evaluate", "labels", "--gold", gold, *words, cwd=gold.parent)
    assert done.returncode == 2
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_keyinfo_and_phrases(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    entity = {"edema": {"location": None, "level": "mild", "type": None}}
    row = {"study_id": "1", "entity": entity, "uncertain_entity": {}, "no_entity": []}
    phrases = [{"phrase": "edema", "code": "J81.0"}]
    path.write_text(json.dumps({**row, "phrases": phrases}))
    for command, shown in (("keyinfo", "degree"), ("phrases", "fuzzy, 85 or more")):
        out = tmp_path / f"{command}.json"
        done = run_cli("evaluate", command, "--gold", path, f"same={path}", "--json", out)
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout and "1.000 [1.000, 1.000]" in done.stdout
        assert json.loads(out.read_bytes())["predictions"]["same"]["studies"] == 1
