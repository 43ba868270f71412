"""A whole evaluation of label files: policies, coverage, annotators, examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.evaluation.label_files import LabelEvaluation, LabelFile, evaluate_labels
from pipeline.evaluation.labels import LabelOptions
from pipeline.evaluation.table import UncertainPolicy
from tests.evaluation.tables import write_csv

NONE = LabelOptions(replicates=0)


def table(path: Path, rows: dict[str, tuple[object, object]]) -> Path:
    return write_csv(path, ["study_id", "Edema", "Fracture"], [[i, *c] for i, c in rows.items()])


GOLD: dict[str, tuple[object, object]] = {"1": (1, 0), "2": (-1, 1), "3": ("", 1), "4": (0, 0)}


def evaluate(
    folder: Path, rows: dict[str, tuple[object, object]], options: LabelOptions = NONE
) -> LabelEvaluation:
    gold, said = table(folder / "gold.csv", GOLD), table(folder / "said.csv", rows)
    return evaluate_labels([gold], [LabelFile(said, "said")], options)


@pytest.mark.parametrize(
    ("policy", "counts"),
    [("absent", (1, 1, 0, 2, 0)), ("present", (2, 0, 0, 2, 0)), ("exclude", (1, 0, 0, 2, 1))],
)
def test_uncertain_gold(tmp_path: Path, policy: UncertainPolicy, counts: tuple[int, ...]) -> None:
    rows = {**GOLD, "2": (1, 1)}
    found = evaluate(tmp_path, rows, LabelOptions(uncertain_gold=policy, replicates=0))
    edema = found.scores[0].classes["Edema"]
    pair = edema.counts
    assert (pair.both, pair.only_b, pair.only_a, pair.neither, edema.excluded) == counts


def test_silence_of_gold_can_be_excluded(tmp_path: Path) -> None:
    found = evaluate(tmp_path, GOLD, LabelOptions(blank="exclude", replicates=0))
    assert found.scores[0].classes["Edema"].excluded == 1


def test_missing_studies_are_said_and_scored_as_wished(tmp_path: Path) -> None:
    rows = {study: cells for study, cells in GOLD.items() if study != "3"}
    found = evaluate(tmp_path, rows)
    assert "said lacks 1 of 4 gold studies: scored as having no label" in found.notes
    assert found.scores[0].classes["Fracture"].counts.only_a == 1
    excluded = evaluate(tmp_path, rows, LabelOptions(missing="exclude", replicates=0))
    assert excluded.scores[0].classes["Fracture"].counts.only_a == 0
    assert "not scored" in excluded.notes[0]
    with pytest.raises(ConfigError, match="said lacks 1 of 4 gold studies, such as 3"):
        evaluate(tmp_path, rows, LabelOptions(missing="error", replicates=0))


def test_extra_studies_are_passed_over(tmp_path: Path) -> None:
    found = evaluate(tmp_path, {**GOLD, "9": (1, 1)})
    assert found.scores[0].extra == 1 and "passed over" in found.notes[0]
    assert found.scores[0].exact == 1


def test_no_study_in_common_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no study of said is in gold\.csv"):
        evaluate(tmp_path, {"x1": (1, 1)})


def test_classes_that_a_file_lacks_are_not_scored(tmp_path: Path) -> None:
    gold = table(tmp_path / "gold.csv", GOLD)
    said = write_csv(tmp_path / "said.csv", ["study_id", "Edema"], [[i, 0] for i in GOLD])
    found = evaluate_labels([gold], [LabelFile(said, "said")], NONE)
    assert found.classes == ("Edema",) and "Fracture" in found.notes[0]


def test_examples_are_ids_and_a_seeded_sample(tmp_path: Path) -> None:
    rows = {study: (0, 0) for study in GOLD}
    found = evaluate(tmp_path, rows, LabelOptions(examples=1, replicates=0))
    one = found.scores[0].classes["Fracture"]
    assert len(one.false_negatives) == 1 and set(one.false_negatives) < {"2", "3"}
    assert not one.false_positives


def test_patients_known_to_a_prediction_are_used(tmp_path: Path) -> None:
    gold = table(tmp_path / "gold.csv", GOLD)
    header = ["subject_id", "study_id", "Edema", "Fracture"]
    said = write_csv(tmp_path / "said.csv", header, [["p", i, *c] for i, c in GOLD.items()])
    found = evaluate_labels([gold], [LabelFile(said, "said")], LabelOptions(replicates=10))
    assert found.patients == 1


def test_two_annotators_agree_or_not(tmp_path: Path) -> None:
    first = table(tmp_path / "first.csv", GOLD)
    second = table(tmp_path / "second.csv", {**GOLD, "3": (0, 0)})
    said = LabelFile(first, "said")
    found = evaluate_labels([first, second], [said], NONE)
    fracture = found.annotators["Fracture"]
    assert (fracture.both, fracture.only_a, fracture.only_b, fracture.neither) == (1, 1, 0, 2)
    assert fracture.kappa == pytest.approx(0.5)
    agreed = evaluate_labels([first, second], [said], NONE, gold_rule="agreed")
    assert agreed.scores[0].classes["Fracture"].excluded == 1
    assert agreed.scores[0].classes["Edema"].excluded == 0  # silence and denial agree
    with pytest.raises(ConfigError, match="3 annotators"):
        evaluate_labels([first, second, first], [said], NONE)


def test_the_report_names_every_file_by_its_hash(tmp_path: Path) -> None:
    report = evaluate(tmp_path, GOLD).as_json()
    assert sorted(Path(path).name for path in report["files"]) == ["gold.csv", "said.csv"]
    assert report["options"]["uncertain"] == "absent"
