from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.support.cli import SAMPLE, run_cli


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampled") / "run"
    done = run_cli("run", "medical-cxr-vqa", "--input", SAMPLE, "--run-dir", folder)
    assert done.returncode == 1, done.stderr
    return folder


def test_dictionaries_of_a_run_and_of_its_file_are_the_same(run_dir: Path, tmp_path: Path) -> None:
    done = run_cli("libs", "build", run_dir)
    assert done.returncode == 0, done.stderr
    file = run_dir / "exports" / "all_diseases.json"
    assert run_cli("libs", "build", file, "--out", tmp_path).returncode == 0
    for kind in ("entity", "location", "level", "type"):
        name = f"{kind}_dict.json"
        made = json.loads((run_dir / "libs" / name).read_text())
        assert made == json.loads((tmp_path / name).read_text())
        assert list(made.values()) == sorted(made.values(), reverse=True)
        with (tmp_path / f"{kind}_dict_checked.csv").open() as sheet:
            assert [row["Term"] for row in csv.DictReader(sheet)] == list(made)
        assert (tmp_path / name).stat().st_mode & 0o077 == 0


def test_a_broken_record_of_a_file_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "k.json"
    file.write_text('[{"study_id": 1, "entity": {"edema": null}}, {"x": }, {"study_id": 2}]')
    done = run_cli("libs", "build", file)
    assert done.returncode == 0 and "of 1 records (2 broken ones" in done.stdout
    file.write_text("{}")
    done = run_cli("libs", "build", file)
    assert done.returncode == 2 and "no KeyInfo file" in done.stderr


def test_a_sample_is_seeded_and_its_ids_can_be_left_out(run_dir: Path, tmp_path: Path) -> None:
    ids = tmp_path / "ids.txt"
    done = run_cli("sample", run_dir, "--n", "20", "--ids", ids, "--out", tmp_path / "a.csv")
    assert done.returncode == 0, done.stderr
    drawn = ids.read_text().split()
    assert len(drawn) == len(set(drawn)) == 20
    run_cli("sample", run_dir, "--n", "10", "--ids", ids, "--out", tmp_path / "b.csv")
    assert set(ids.read_text().split()) < set(drawn)
    ids.write_text("\n".join(drawn))
    other = tmp_path / "other.jsonl"
    assert run_cli("sample", run_dir, "--n", "20", "--exclude", ids, "--out", other).returncode == 0
    lines = [json.loads(line) for line in other.read_text().splitlines()]
    assert not set(drawn) & {line["study_id"] for line in lines}
    assert all(line["report"] and line["records"] for line in lines)
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["study_id"] for row in rows} == set(drawn)
    assert sum(bool(row["report"]) for row in rows) == 20
    assert list(rows[0])[-2:] == ["correct", "comment"]
    assert {row["category"] for row in rows} >= {"entity", "no_entity"}


def test_other_stages_are_sampled_row_by_row(run_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "q.csv"
    done = run_cli("sample", run_dir, "--n", "3", "--stage", "questions", "--out", out)
    assert done.returncode == 0, done.stderr
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["study_id"] for row in rows}) == 3 and all(row["question"] for row in rows)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--n", "100000"), "lower --n"),
        (("--stage", "nowhere"), "no stage"),
        (("--out", "x.xls"), ".csv or .jsonl"),
        (("--exclude", "nowhere.txt"), "cannot be read"),
    ],
)
def test_wrong_use_says_what_to_do(run_dir: Path, words: tuple[str, ...], said: str) -> None:
    done = run_cli("sample", run_dir, *words)
    assert done.returncode == 2 and said in done.stderr
