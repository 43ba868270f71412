"""Recipe xrayglm to its end: captions paired with image files, samples, files for trainers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.clinical.caption_prompts import caption_prompts
from pipeline.core.resources import resource_path
from tests.support.cli import SAMPLE, run_cli
from tests.support.images import deep, grey, huge_png, save
from tests.support.model_runs import ENVIRON, model_server, stage_file, stats, write_recipe

OPEN_I = Path(__file__).parents[2].parent / "shared" / "data" / "open-i"
STUDIES = 40


def rejects(run: Path, stage: str) -> dict[str, str]:
    return {row["id"]: row["reason"] for row in stage_file(run, stage, "rejects.jsonl")}


def exported(run: Path, name: str) -> list[dict[str, Any]]:
    files = (run / "exports" / name).glob("*.json")
    parts = [path for path in files if path.stem.endswith(("train", "validation", "test"))]
    return [row for path in parts for row in json.loads(path.read_text("utf-8"))]


def test_the_sample_runs_as_it_is(tmp_path: Path) -> None:
    run = tmp_path / "run"
    done = run_cli("run", "xrayglm", "--input", SAMPLE, "--limit", "30", "--run-dir", run)
    assert done.returncode in (0, 1), done.stderr  # the glossary may fail a translation
    made = stage_file(run, "translate", "records.jsonl")
    samples = stage_file(run, "image-samples", "records.jsonl")
    assert 25 <= len(samples) == len(made)
    assert len({sample["instruction"] for sample in samples}) > 5
    for row in exported(run, "visualglm"):
        assert set(row) == {"img", "prompt", "label"}
        assert (SAMPLE / row["img"]).is_file()
        assert row["prompt"] in caption_prompts("zh")
    everything = "".join(path.read_text("utf-8") for path in run.rglob("exports/*/*.json"))
    assert str(SAMPLE) not in everything
    unused = stage_file(run, "image-pairs", "unused.jsonl")
    assert {row["reason"] for row in unused} == {"no_record"}
    counts = (run / "counts.md").read_text()
    assert f"{len(unused):,} unused (stages/image-pairs/unused.jsonl)" in counts


def test_without_images_the_run_says_what_to_do_before_anything_is_asked(tmp_path: Path) -> None:
    table = tmp_path / "in" / "reports.csv"
    table.parent.mkdir()
    table.write_text("id,findings,impression\n1,The lungs are clear.,Normal.\n")
    words = ("run", "xrayglm", "--input", table, "--run-dir", tmp_path / "run")
    done = run_cli(*words)
    assert done.returncode == 2
    said = " ".join(done.stderr.split())
    assert "--set stages.image-pairs.images_root=FOLDER" in said and "--until" in said
    assert not (tmp_path / "run" / "stages" / "caption").exists()
    checked = run_cli("check", "xrayglm", "--input", table)
    assert "images_root=FOLDER" in " ".join(checked.stdout.split())
    assert run_cli(*words, "--until", "translate").returncode == 0


@pytest.fixture
def open_i(tmp_path: Path) -> Path:
    """Images as the collection names them, some of them bad, one of them of nobody."""
    if not OPEN_I.is_dir():
        pytest.skip("the folder shared/data/open-i is not beside the repository")
    root = tmp_path / "images_normalized"
    with (OPEN_I / "projections.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    studies = list(dict.fromkeys(row["uid"] for row in rows))[:STUDIES]
    frontal = {r["uid"]: r["filename"] for r in reversed(rows) if r["projection"] == "Frontal"}
    for number, row in enumerate(rows):
        if row["uid"] in studies:
            save(root / row["filename"], grey(seed=number))
    bad = [frontal[uid] for uid in studies[:4]]
    (root / bad[0]).write_bytes((root / bad[0]).read_bytes()[:40])
    save(root / bad[1], deep(300, 400))
    huge_png(root / bad[2], 9000)
    (root / bad[3]).unlink()
    save(root / "9999_IM-9999-1001.dcm.png")
    return root


def test_open_i_by_projections(tmp_path: Path, open_i: Path) -> None:
    run = tmp_path / "run"
    with (OPEN_I / "projections.csv").open(newline="") as file:
        studies = list(dict.fromkeys(row["uid"] for row in csv.DictReader(file)))[:STUDIES]
    ids = tmp_path / "ids.txt"
    ids.write_text("\n".join(studies))
    words = ("--set", f"stages.image-pairs.images_root={open_i}", "--set", f"source.ids={ids}")
    done = run_cli("run", "xrayglm", "--input", OPEN_I, *words, "--run-dir", run)
    assert done.returncode == 1, done.stderr
    records = stage_file(run, "image-pairs", "records.jsonl")
    for record in records:
        (path,) = record["image_paths"]
        assert path.startswith(f"{record['study_id']}_IM-") and (open_i / path).is_file()
        assert record["view"] == "frontal"
    reasons = rejects(run, "image-pairs")
    paired = {record["study_id"] for record in records}
    first, deep_one, bomb, missing = studies[:4]
    seen = {row["id"] for row in stage_file(run, "translate", "records.jsonl")}
    for uid, reason in (
        (first, "unreadable_image"),
        (bomb, "image_too_large"),
        (missing, "missing_image"),
    ):
        # A study with a second frontal image falls back on it.
        assert uid not in seen or uid in paired or reasons[uid] == reason
    assert deep_one in paired or deep_one not in seen
    unused = [row["image"] for row in stage_file(run, "image-pairs", "unused.jsonl")]
    assert "9999_IM-9999-1001.dcm.png" in unused
    rows = exported(run, "llama-factory")
    assert len(rows) == len(records)
    for row in rows:
        assert len(row["images"]) == 1 and row["instruction"].count("<image>") == 1
    out = tmp_path / "copied"
    done = run_cli("export", run, "--format", "llama-factory", "--out", out, "--copy-images")
    assert done.returncode == 0, done.stderr
    assert len(list(out.rglob("*.png"))) == len(records)
    gone = open_i / records[0]["image_paths"][0]
    gone.unlink()
    done = run_cli("export", run, "--format", "llava", "--out", tmp_path / "llava")
    assert done.returncode == 2 and "--images-root" in done.stderr


def test_with_a_model_the_same_pairs_are_made_and_images_stay_here(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with model_server("--answer", "tests.support.caption_answers:mixed") as url:
        path = write_recipe(tmp_path / "xrayglm.yaml", url, "xrayglm")
        words = ("run", path, "--input", SAMPLE, "--limit", "40", "--run-dir", run)
        done = run_cli(*words, environ=ENVIRON)
        assert done.returncode in (0, 1), done.stderr
        asked = stats(url)["requests"]
        assert run_cli(*words, environ=ENVIRON).returncode == done.returncode
        assert stats(url)["requests"] == asked
    made = stage_file(run, "translate", "records.jsonl")
    samples = stage_file(run, "image-samples", "records.jsonl")
    assert [sample["output"] for sample in samples] == [row["translation"] for row in made]
    assert len(exported(run, "visualglm")) == len(samples)


def test_images_of_a_stricter_class_make_the_run_stricter(tmp_path: Path) -> None:
    """Public reports with credentialed images: nothing of the run may go anywhere."""
    table = tmp_path / "in" / "reports.csv"
    table.parent.mkdir()
    table.write_text("id,image_path,findings\n1,p10/a.png,The lungs are clear.\n")
    (table.parent / "DATA_CLASS").write_text("public\n")
    save(tmp_path / "jpg" / "p10" / "a.png")
    recipe = yaml.safe_load(resource_path("recipes", "xrayglm.yaml").read_text())
    recipe["backend"] = "far"
    recipe["backends"] = {
        "far": {
            "kind": "openai",
            "model": "m",
            "url": "https://models.example.org/v1",
            "key_env": "TEST_MODEL_KEY",
        }
    }
    path = tmp_path / "xrayglm.yaml"
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    root = ("--set", f"stages.image-pairs.images_root={tmp_path / 'jpg'}")
    done = run_cli(
        "run", path, "--input", table, *root, "--run-dir", tmp_path / "run", environ=ENVIRON
    )
    assert done.returncode == 4, done.stderr
    assert "credentialed data may not be sent" in " ".join(done.stderr.split())
    (tmp_path / "jpg" / "DATA_CLASS").write_text("synthetic\n")
    done = run_cli("run", "xrayglm", "--input", table, *root, "--run-dir", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "again" / "run.json").read_text())["data_class"] == "public"


def test_a_file_that_came_later_is_taken_up_by_retry(tmp_path: Path) -> None:
    """And the stage after it is made anew, with turns about the image where a table has some."""
    root, run, vqa = tmp_path / "jpg", tmp_path / "run", tmp_path / "vqa"
    for path in sorted(SAMPLE.rglob("*.png"))[:12]:
        save(root / path.relative_to(SAMPLE), grey())
    (held, *_) = root.rglob("*.png")
    late = held.rename(tmp_path / "late.png")
    words = ["--input", SAMPLE, "--limit", "8"]
    ours = [*words, "--run-dir", run, "--set", f"stages.image-pairs.images_root={root}"]
    done = run_cli("run", "xrayglm", *ours)
    assert done.returncode == 1, done.stderr
    before = stage_file(run, "image-samples", "records.jsonl")
    assert "missing_image" in rejects(run, "image-pairs").values()
    late.rename(held)
    assert run_cli("retry", run, "--only", "missing_image").returncode == 0
    done = run_cli("run", "xrayglm", *ours)
    assert done.returncode in (0, 1), done.stderr
    assert len(stage_file(run, "image-samples", "records.jsonl")) == len(before) + 1
    assert run_cli("run", "medical-cxr-vqa", *words, "--run-dir", vqa).returncode == 0
    table = f"stages.image-samples.questions={vqa / 'exports' / 'questions.csv'}"
    done = run_cli("run", "xrayglm", *ours, "--set", table, "--rebuild", "image-samples")
    assert done.returncode in (0, 1), done.stderr
    for row in exported(run, "llava"):
        asked = [turn["value"] for turn in row["conversations"] if turn["from"] == "human"]
        assert 2 <= len(asked) <= 4
        assert asked[0].startswith("<image>\n") and "<image>" not in "".join(asked[1:])
    assert {row["label"] for row in exported(run, "visualglm")} <= {
        row["translation"] for row in stage_file(run, "translate", "records.jsonl")
    }
