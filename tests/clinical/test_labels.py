"""Weak labels: classes, statuses, evidence, and the score where public reports are at hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pipeline.clinical.labels import label_report

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "open-i"


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("Lungs are clear. Heart size is normal.", ("Normal",)),
        ("Patchy opacity in the left base.", ("Lung Opacity",)),
        ("Right lower lobe consolidation.", ("Consolidation",)),
        ("Moderate cardiomegaly and interstitial edema.", ("Cardiomegaly", "Edema")),
        ("Hydropneumothorax on the right.", ("Pleural Effusion", "Pneumothorax")),
        ("Widened mediastinum.", ("Enlarged Cardiomediastinum",)),
        ("Healed left rib fractures.", ("Fracture",)),
        ("A 9 mm nodule in the lingula.", ("Lung Lesion",)),
        ("Left apical pleural thickening.", ("Pleural Other",)),
        ("Right PICC in place.", ("Support Devices",)),
        ("Right lower lobe pneumonia with atelectasis.", ("Atelectasis", "Pneumonia")),
        ("The endotracheal tube has been removed.", ("Normal",)),
        ("Fractured sternotomy wire.", ("Normal",)),
        ("Soft tissue edema.", ("Normal",)),
        ("Calcified granuloma in the right apex.", ("Normal",)),
    ],
)
def test_labels(text: str, labels: tuple[str, ...]) -> None:
    assert label_report(text).labels == labels


def test_uncertain_and_negated_are_apart() -> None:
    found = label_report("No pneumothorax. Possible pneumonia. Borderline heart size.")
    assert found.labels == ("Normal",)
    assert found.uncertain == ("Cardiomegaly", "Pneumonia")
    assert found.negated == ("Pneumothorax",)


def test_evidence_points_at_the_words() -> None:
    text = "Heart is normal. Small left effusion."
    evidence = label_report(text).evidence
    spans = {name: [text[slice(*m.span)] for m in found] for name, found in evidence.items()}
    assert spans == {"Cardiomegaly": ["Heart is normal"], "Pleural Effusion": ["effusion"]}


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public reports are not next to the checkout")
def test_labels_of_public_reports() -> None:
    gold = [json.loads(line) for line in (SHARED / "gold.jsonl").open(encoding="utf-8")]
    with (SHARED / "reports.csv").open(encoding="utf-8", newline="") as handle:
        texts = {
            row["uid"]: f"{row['findings']} {row['impression']}" for row in csv.DictReader(handle)
        }
    right = false = missed = wrong_normal = normal = 0
    for row in gold:
        if not row["scorable"]:
            continue
        neutral = {*row["ambiguous"], "Enlarged Cardiomediastinum", "Normal"}
        found = set(label_report(texts[str(row["uid"])]).labels) - neutral
        true = set(row["labels"]) - neutral
        right += len(found & true)
        false += len(found - true)
        missed += len(true - found)
        normal += row["normal"]
        wrong_normal += bool(row["normal"] and found)
    assert 2 * right / (2 * right + false + missed) > 0.95
    assert wrong_normal / normal < 0.01


def test_findings_outside_the_chest_are_none_of_the_classes() -> None:
    text = "Large mass in the liver. Opacity in the left upper quadrant. Fracture of the femur."
    assert label_report(text).labels == ("Normal",)
    assert label_report("Nodule in the lung base and liver.").labels == ("Lung Lesion",)
