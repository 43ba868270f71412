"""The report of finished, half-finished and broken runs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
import yaml

from pipeline.core.errors import ConfigError, DataError
from pipeline.report.write import write_report
from pipeline.run.folder import RunFolder
from pipeline.run.job import run_job
from pipeline.run.recipe import load_recipe
from pipeline.run.runner import Selection
from tests.support.cli import SAMPLE
from tests.support.html_page import Page

READ = 59
"""Reports that can be read among the first 60 of the sample; one is empty."""

EVALUATION = {
    "kind": "labels",
    "gold": ["/home/somebody/gold.csv"],
    "gold_rule": "first",
    "options": {"uncertain": "absent", "uncertain_gold": "absent", "blank": "absent",
                "missing": "absent", "replicates": 100},
    "studies": 40,
    "resampled": 30,
    "notes": ["/home/somebody/gold.csv: 2 rows are marked not scorable"],
    "annotators": {},
    "comparisons": [],
    "files": {"/home/somebody/gold.csv": ""},
    "predictions": [],
}  # fmt: skip


def make(run: Path, recipe: str, until: str | None = None) -> Path:
    source = {"path": str(SAMPLE), "limit": 60}
    run_job(RunFolder(run), load_recipe(recipe, source=source), selection=Selection(until=until))
    return run


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("questions") / "run", "medical-cxr-vqa")


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("labels") / "run", "radreportx")


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("instructions") / "run", "radiology-gpt")


@pytest.fixture(scope="module")
def captions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("captions") / "run", "xrayglm")


@pytest.fixture
def copied(questions: Path, tmp_path: Path) -> Path:
    return shutil.copytree(questions, tmp_path / "run")


def report(run: Path, *evaluations: Path) -> Page:
    return Page(write_report(RunFolder(run), evaluations).report.read_text())


def number(text: str) -> int:
    return int(text.replace(",", ""))


@pytest.fixture(params=["questions", "labels", "instructions", "captions"])
def any_run(request: pytest.FixtureRequest) -> Path:
    run: Path = request.getfixturevalue(request.param)
    return run


def test_the_file_needs_nothing_else(any_run: Path) -> None:
    page = report(any_run)
    assert not page.loads
    assert len(set(page.ids)) == len(page.ids)
    assert all(link.startswith("#") and link[1:] in page.ids for link in page.links)
    text = (any_run / "report.html").read_text()
    assert not re.search(r"@import|url\(|https?://(?!physionet)", text)
    assert "default-src 'none'" in text and "prefers-color-scheme: dark" in text
    assert "@media print" in text
    for name in ("report.html", "card.md"):
        assert (any_run / name).stat().st_mode & 0o077 == 0


def test_every_plot_stands_beside_tables_and_rows_are_whole(any_run: Path) -> None:
    page = report(any_run)
    assert len(page.plots) >= 2 and all(page.captions)
    for table in page.tables:
        assert table.caption and table.rows, table.caption
        assert all(len(row) == len(table.heads) for row in table.rows), table.caption


def test_no_text_and_no_id_of_a_record(any_run: Path) -> None:
    shown = report(any_run).text + (any_run / "card.md").read_text()
    for line in (any_run / "stages/ingest/records.jsonl").read_text().splitlines():
        record = orjson.loads(line)
        assert record["id"] not in shown and record["subject_id"] not in shown
        for sentence in re.split(r"[.\n]", record["text"]):
            if len(sentence.split()) > 4:
                assert " ".join(sentence.split()) not in shown


def test_counts_are_those_of_the_report_of_counts(questions: Path) -> None:
    stages = report(questions).table("Stages")
    for line in (questions / "counts.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0] in [row[0] for row in stages.rows]:
            row = stages.row(cells[0])
            assert [row[k] for k in ("rows in", "records", "filtered", "rejected")] == cells[1:5]
    mix = report(questions).table("Types and closed answers")
    total = sum(number(row[1]) for row in mix.rows)
    assert total == number(stages.row("questions")["records"])
    assert mix.row("view")["published"] == "11.8%"


def test_findings_add_up(questions: Path) -> None:
    page = report(questions)
    records = [
        orjson.loads(line)
        for line in (questions / "stages/postprocess/records.jsonl").read_text().splitlines()
    ]
    effusions = sum("pleural effusion" in one["entity"] for one in records)
    assert number(page.table("Findings").row("pleural effusion")["present"]) == effusions
    assert "pleural effusion" in page.plot("Most frequent findings, by what is said of them")


def test_labels_and_samples(labels: Path) -> None:
    page = report(labels)
    agreement = page.table("Agreement of rules and model")
    assert len(agreement.rows) == 13
    assert "The rules stood in for the model" in page.text
    samples = page.table("Samples by split")
    assert sum(number(row[1]) for row in samples.rows) == 2 * READ
    assert "No patient is in two splits" in page.text
    combined = page.table("Labels: combined").row("Pleural Effusion")
    counts = [number(combined[k]) for k in ("present", "uncertain", "denied", "not mentioned")]
    assert sum(counts) == READ


def test_instructions_say_what_was_dropped(instructions: Path) -> None:
    page = report(instructions)
    families = page.table("Families")
    assert number(families.row("all")["tasks"]) == 3 * READ
    dropped = sum(number(row[2]) for row in page.table("Dropped").rows)
    assert number(families.row("all")["samples"]) + dropped == 3 * READ
    assert page.table("Files in exports/").row("alpaca/train.json")["SHA-256"]


def test_captions_and_their_images(captions: Path) -> None:
    page = report(captions)
    assert number(page.table("Lengths").row("caption, words")["longest"]) > 10
    lost = page.plot("Why captions, translations and pairs were not kept")
    assert any(text.startswith(("translate: ", "image-pairs: ")) for text in lost)
    assert "Captions were translated" in (captions / "card.md").read_text()


def test_the_card_can_be_pasted_into_a_paper(any_run: Path) -> None:
    report(any_run)
    _, front, body = (any_run / "card.md").read_text().split("---\n", 2)
    assert yaml.safe_load(front)["license"] == "other"
    for title in ("Contents", "Methods", "Evaluation", "Provenance", "Licence and data use"):
        assert f"\n## {title}\n" in body
    assert f"Of {READ + 1} reports of the source (mimic-tree), {READ} of " in body
    assert "fixed seeds" in body and "Synthetic reports describe nobody." in body
    assert "was not scored against labels of people" in body


def test_a_run_that_is_not_complete(tmp_path: Path) -> None:
    run = make(tmp_path / "run", "medical-cxr-vqa", until="sections")
    written = write_report(RunFolder(run))
    assert written.unfinished[0] == "keyinfo"
    page = Page(written.report.read_text())
    assert "This run is not complete: not begun: keyinfo" in page.text
    assert page.table("Stages").row("keyinfo")["state"] == "waiting"
    assert not {"KeyInfo", "Questions"} & set(written.sections)
    assert "**Not complete:** keyinfo" in written.card.read_text()


def test_counting_again_gives_the_same_and_only_once(copied: Path) -> None:
    report(copied)
    first = (copied / "stages/postprocess/counts.json").read_bytes()
    (copied / "stages/postprocess/counts.json").unlink()
    report(copied)
    assert (copied / "stages/postprocess/counts.json").read_bytes() == first


def test_words_that_nobody_listed_are_not_shown(copied: Path) -> None:
    path = copied / "stages/postprocess/records.jsonl"
    records = [orjson.loads(line) for line in path.read_text().splitlines()]
    odd = {"location": "next to Zebrafinch", "level": None, "type": None}
    for record in records[:3]:
        record["entity"]["zebrafinch effusion of Mr Quartz"] = odd
    data = b"".join(orjson.dumps(record) + b"\n" for record in records)
    path.write_bytes(data)
    manifest_path = path.with_name("manifest.json")
    manifest = orjson.loads(manifest_path.read_bytes())
    manifest["output"]["records"] = {"bytes": len(data), "sha256": "other"}
    manifest_path.write_bytes(orjson.dumps(manifest))
    page = report(copied)
    assert page.table("Findings").row("1 further names")["present"] == "3"
    for place in ("report.html", "card.md", "stages/postprocess/counts.json"):
        text = (copied / place).read_text().lower()
        assert "zebrafinch" not in text and "quartz" not in text


def test_evaluations_are_shown(copied: Path, tmp_path: Path) -> None:
    def value(low: float) -> dict[str, float]:
        return {"value": low + 0.1, "low": low, "high": low + 0.2}

    scores = {
        "true_positives": 8, "false_positives": 2, "false_negatives": 1, "true_negatives": 29,
        "excluded": 0, "kappa": 0.7, "precision": value(0.6), "recall": value(0.7),
        "f1": value(0.65), "false_positive_ids": ["50999999"], "false_negative_ids": [],
    }  # fmt: skip
    overall = {
        f"{kind} {m}": value(0.5)
        for kind in ("micro", "macro", "macro, classes in gold")
        for m in ("precision", "recall", "f1")
    }
    normal = {"studies": 40.0, "in_gold": 20.0, "normal_with_label": 0.05, "precision": 0.9,
              "recall": 0.9, "f1": 0.9}  # fmt: skip
    one = {
        "name": "mine", "missing": 0, "missing_examples": ["50888888"], "extra": 0,
        "overall": overall, "normal": normal, "exact": 0.8, "classes": {"Edema": scores},
    }  # fmt: skip
    path = tmp_path / "scores.json"
    path.write_bytes(orjson.dumps({**EVALUATION, "predictions": [one]}))
    page = report(copied, path)
    assert page.table("mine: scores").row("Edema")["F1"] == "0.750 [0.650, 0.850]"
    assert "0.750" in page.plot("mine: scores per class")
    assert "gold.csv: 2 rows are marked" in page.text and "/home/somebody" not in page.text
    assert "50999999" not in page.text and "50888888" not in page.text
    card = (copied / "card.md").read_text()
    assert "Labels of mine, 40 studies: micro F1 0.600 [0.500, 0.700]" in card


def test_answers_beside_expected_ones(copied: Path, tmp_path: Path) -> None:
    figures = {
        "ROUGE-L": {"value": 0.5, "low": 0.4, "high": 0.6},
        "BLEU": {"value": 21.5, "low": 20.0, "high": 23.0},
        "findings F1": None,
    }
    one = {"rows": 30, "empty": 2, "without_reference": 1, "bleu_tokens": "zh", "figures": figures}
    path = tmp_path / "text_scores.json"
    path.write_bytes(orjson.dumps({"kind": "texts", "replicates": 9, "systems": {"mine": one}}))
    page = report(copied, path)
    table = page.table("Figures")
    assert table.row("BLEU")["mine"] == "21.50 [20.00, 23.00]"
    assert table.row("findings F1")["mine"] == "–"
    assert "2 of them empty" in page.text
    assert "Answers of mine beside 30 expected ones" in (copied / "card.md").read_text()


def break_json(path: Path) -> None:
    path.write_text("{")


def drop_counts(path: Path) -> None:
    manifest = orjson.loads(path.read_bytes())
    del manifest["counts"]
    path.write_bytes(orjson.dumps(manifest))


@pytest.mark.parametrize("damage", [break_json, drop_counts])
def test_a_broken_manifest_is_named(copied: Path, damage: Callable[[Path], None]) -> None:
    damage(copied / "stages/keyinfo/manifest.json")
    with pytest.raises(ConfigError, match=r"keyinfo/manifest.json is damaged; .*--rebuild keyinfo"):
        report(copied)


def test_records_changed_after_sealing_are_noticed(copied: Path) -> None:
    with (copied / "stages/keyinfo/records.jsonl").open("a") as file:
        file.write("{}\n")
    with pytest.raises(ConfigError, match="another size than when the stage was sealed"):
        report(copied)


def test_a_record_of_another_shape(copied: Path) -> None:
    path = copied / "stages/questions/records.jsonl"
    path.write_bytes(b"[]".ljust(path.stat().st_size - 1) + b"\n")
    (copied / "stages/questions/counts.json").unlink(missing_ok=True)
    with pytest.raises(DataError, match="has not the shape that a questions stage makes"):
        report(copied)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"{", "is not JSON"),
        (b'{"kind": "poem"}', "is no evaluation of labels, keyinfo, phrases or answers"),
        (b'["labels"]', "is no evaluation of"),
        (orjson.dumps({"kind": "labels"}), "not an evaluation as this version writes it"),
        (orjson.dumps({"kind": "answers", "judge": 3}), "not an evaluation as this version"),
    ],
)
def test_an_evaluation_of_something_else(
    questions: Path, tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "e.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        report(questions, path)


def test_a_damaged_run_file(copied: Path) -> None:
    (copied / "run.json").write_bytes(orjson.dumps({"format": 1, "recipe": {"stages": []}}))
    with pytest.raises(ConfigError, match="lacks run_id, data_class"):
        report(copied)
