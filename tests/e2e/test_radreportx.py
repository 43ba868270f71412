"""The whole label recipe: by rules, against a model server, and its figures by the command."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.clinical.lexicon import CLASSES
from tests.support.cli import SAMPLE, run_cli
from tests.support.model_runs import ENVIRON, model_server, stage_file, stats, write_recipe

SHARED = Path(__file__).parents[2].parent / "shared"
OPEN_I = SHARED / "data" / "open-i"


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def by_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("rules") / "run"
    done = run_cli("run", "radreportx", "--input", SAMPLE, "--run-dir", run)
    assert done.returncode == 1, done.stderr  # one report of the sample is empty
    return run


def test_rules_label_every_report(by_rules: Path) -> None:
    records = stage_file(by_rules, "combine", "records.jsonl")
    assert len(records) == 177
    for record in records:
        assert record["labels"] == ["Normal"] or set(record["labels"]) <= set(CLASSES)
        assert set(record["labels"]) - {"Normal"} <= set(record["evidence"])
        assert record["disputed"] == []
        assert all(p["certain"] and p["in_text"] for p in record["phrases"])
    agreement = table(by_rules / "exports" / "label_agreement.csv")
    assert [row["class"] for row in agreement] == list(CLASSES)
    assert {row["kappa"] for row in agreement} <= {"1.0000", ""}


def test_samples_are_split_by_patient(by_rules: Path) -> None:
    samples = stage_file(by_rules, "label-samples", "records.jsonl")
    assert Counter(sample["family"] for sample in samples) == {"labels": 177, "icd10": 177}
    splits: dict[str, set[str]] = {}
    for sample in samples:
        assert sample["instruction"] and sample["input"] and sample["output"]
        splits.setdefault(sample["subject_id"], set()).add(sample["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert len(set.union(*splits.values())) > 1
    assert (by_rules / "exports" / "llama-factory" / "dataset_info.json").is_file()


def test_labels_csv_can_be_evaluated(by_rules: Path, tmp_path: Path) -> None:
    labels = by_rules / "exports" / "labels.csv"
    words = ("--gold", labels, f"all={by_rules}", f"{by_rules}#rules")
    done = run_cli("evaluate", "labels", *words, "--json", tmp_path / "out.json", "--uncertain",
                   "exclude", "--replicates", "50")  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out.json").read_bytes())
    assert [one["name"] for one in report["predictions"]] == ["all", "run#rules"]
    for one in report["predictions"]:
        assert one["overall"]["micro f1"]["value"] == 1
    assert report["resampled"] == 64  # patients


def test_only_the_training_part_is_balanced(tmp_path: Path) -> None:
    sets = ("--set", "stages.label-samples.normal_share=0.2")
    sets += ("--set", "stages.label-samples.rare_below=0.2")
    sets += ("--set", "stages.label-samples.answer=json")
    done = run_cli("run", "radreportx", "--input", SAMPLE, "--run-dir", tmp_path / "run", *sets)
    assert done.returncode == 1, done.stderr
    out = stage_file(tmp_path / "run", "label-samples", "rejects.jsonl")
    assert out and {row["reason"] for row in out} == {"balanced_out"}
    assert {row["outcome"] for row in out} == {"filtered"}
    samples = stage_file(tmp_path / "run", "label-samples", "records.jsonl")
    times = Counter((s["study_id"], s["family"], s["split"]) for s in samples)
    assert {n for (_, _, split), n in times.items() if split != "train"} == {1}
    assert max(times.values()) > 1
    assert all(json.loads(sample["output"]) for sample in samples)


def test_a_model_is_checked_and_compared_with_the_rules(tmp_path: Path) -> None:
    with model_server("--answer", "tests.support.label_answers:mixed") as url:
        recipe = write_recipe(tmp_path / "r.yaml", url, "radreportx")
        words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
        done = run_cli(*words, environ=ENVIRON)
        assert done.returncode == 1, done.stderr
        sent = stats(url)["requests"]
        assert run_cli(*words, environ=ENVIRON).returncode == 1
        assert stats(url)["requests"] == sent
    run = tmp_path / "run"
    reasons = {
        stage: Counter(row["reason"] for row in stage_file(run, stage, "rejects.jsonl"))
        for stage in ("labels", "icd10")
    }
    assert reasons["labels"].keys() == {"unknown_label", "unreadable_reply"}
    assert reasons["icd10"].keys() == {"unknown_code"}
    assert "Sadness" not in (run / "stages" / "labels" / "rejects.jsonl").read_text()
    labelled = stage_file(run, "labels", "records.jsonl")
    assert len(labelled) + sum(reasons["labels"].values()) == 177
    disputes = table(run / "exports" / "label_disputes.csv")
    assert disputes
    assert {row["combined"] for row in disputes} <= {"uncertain", "absent", "not mentioned"}
    edema = next(
        row for row in table(run / "exports" / "label_agreement.csv") if row["class"] == "Edema"
    )
    assert int(edema["only_b"]) > 0 and float(edema["kappa"]) < 0.9


def test_a_veto_of_the_rules(tmp_path: Path) -> None:
    with model_server("--answer", "tests.support.label_answers:mixed") as url:
        combine = {"policy": "veto", "veto_by": ["rules"]}
        recipe = write_recipe(tmp_path / "r.yaml", url, "radreportx", stages={"combine": combine})
        words = ("run", recipe, "--input", SAMPLE, "--run-dir", tmp_path / "run")
        assert run_cli(*words, environ=ENVIRON).returncode == 1
    for record in stage_file(tmp_path / "run", "combine", "records.jsonl"):
        rules = record["readers"]["rules"]
        said = {*rules["labels"], *rules["uncertain"]}
        assert {*record["labels"], *record["uncertain"]} - {"Normal"} <= said


@pytest.mark.skipif(not OPEN_I.is_dir(), reason="the public reports are not next to the checkout")
def test_the_figures_of_the_rules_on_public_reports(tmp_path: Path) -> None:
    run, out = tmp_path / "run", tmp_path / "out.json"
    words = ("--until", "rule-labels", "--input", OPEN_I, "--run-dir", run)
    assert run_cli("run", "radreportx", *words).returncode == 1
    gold = ("--gold", OPEN_I / "gold.jsonl", "--replicates", "0", "--json", out)
    done = run_cli("evaluate", "labels", *gold, f"rules={run}#rules")
    assert done.returncode == 0, done.stderr
    (score,) = json.loads(out.read_bytes())["predictions"]
    assert score["overall"]["micro f1"]["value"] > 0.95
    assert score["normal"]["normal_with_label"] < 0.01
