"""Recipe xrayglm: captions and translations by rules, by a good and by careless models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.clinical.caption_check import check_caption
from pipeline.clinical.translation_check import check_translation
from tests.e2e.test_radiology_gpt import OPEN_I, made_files, reasons, rows
from tests.support.cli import SAMPLE, run_cli
from tests.support.model_runs import ENVIRON, model_server, write_recipe

ANSWERS = "tests.support.caption_answers"
UNTIL = ("--until", "translate")


TEXTS = ("ingest", "sections", "caption", "translate")


def assert_checked(run_dir: Path, script: str = "simplified") -> list[dict[str, Any]]:
    made = rows(run_dir, "translate")
    for row in made:
        assert check_caption(row["report"], row["caption"]).ok
        assert check_translation(row["caption"], row["translation"], script=script).ok
        assert row["study_id"]
        assert row["checks"][-1] == "glossary"
    return made


def test_with_rules_captions_and_translations_are_check_clean(tmp_path: Path) -> None:
    words = ("xrayglm", "--input", SAMPLE, *UNTIL, "--run-dir", tmp_path / "run")
    done = run_cli("run", *words)
    assert done.returncode == 1, done.stderr  # one sample report is empty on purpose
    made = assert_checked(tmp_path / "run")
    assert len(made) >= 170
    assert {row["by"] for row in made} == {row["caption_by"] for row in made} == {"rules"}


@pytest.mark.parametrize("answer", ["good", "mixed", "stubborn"])
def test_careless_models_are_asked_again_and_rejected(answer: str, tmp_path: Path) -> None:
    if not OPEN_I.is_file():
        pytest.skip("the public Open-i reports are not beside the checkout (shared/data/open-i)")
    run_dir = tmp_path / "run"
    with model_server("--answer", f"{ANSWERS}:{answer}") as url:
        recipe = write_recipe(tmp_path / "xrayglm.yaml", url, "xrayglm", only=TEXTS)
        words = ["run", recipe, "--input", OPEN_I, "--limit", "90", "--run-dir", run_dir]
        done = run_cli(*words, environ=ENVIRON)
    assert done.returncode in (0, 1), done.stderr
    made = assert_checked(run_dir)
    captions, translations = reasons(run_dir, "caption"), reasons(run_dir, "translate")
    lost = captions.total() + translations.total()
    if answer == "good":
        assert not captions
        assert len(made) >= 80
        return
    assert len(made) >= 40
    assert {"finding", "advice"} <= set(captions)
    assert {"wrong_language", "refusal", "untranslated", "script"} & set(translations)
    second = [row for row in rows(run_dir, "translate", "rejects.jsonl") if row["attempts"] == 2]
    assert second
    assert lost >= (20 if answer == "stubborn" else 8)


def test_a_second_opinion_by_translating_back_and_traditional_characters(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    with model_server("--answer", f"{ANSWERS}:good") as url:
        recipe = write_recipe(
            tmp_path / "xrayglm.yaml",
            url,
            "xrayglm",
            only=TEXTS,
            stages={"translate": {"script": "traditional"}},
        )
        value = yaml.safe_load(recipe.read_text())
        value["stages"]["verify-translation"] = {"by": "back", "least_agreement": 0.5}
        recipe.write_text(yaml.safe_dump(value, sort_keys=False))
        words = ["run", recipe, "--input", SAMPLE, "--limit", "40", "--run-dir", run_dir]
        done = run_cli(*words, environ=ENVIRON)
    assert done.returncode in (0, 1), done.stderr
    assert len(assert_checked(run_dir, "traditional")) >= 30
    opinions = [row["second_opinion"] for row in rows(run_dir, "verify-translation")]
    assert len(opinions) >= 30
    agreements = [o["agreement"] for o in opinions if o["agreement"] is not None]
    assert sum(agreements) / len(agreements) > 0.9


def test_whatever_the_concurrency_the_bytes_are_the_same(tmp_path: Path) -> None:
    with model_server("--answer", f"{ANSWERS}:mixed", "--latency", "0.005") as url:
        for name, several in (("one", "1"), ("many", "16")):
            recipe = write_recipe(tmp_path / "xrayglm.yaml", url, "xrayglm", only=TEXTS)
            words = ["run", recipe, "--input", SAMPLE, "--limit", "40", "--run-dir"]
            words += [tmp_path / name, f"--set=backends.model.concurrency={several}"]
            done = run_cli(*words, environ=ENVIRON)
            assert done.returncode in (0, 1), done.stderr
    assert made_files(tmp_path / "one") == made_files(tmp_path / "many")
