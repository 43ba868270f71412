"""Which sentences describe the chest image."""

from __future__ import annotations

import pytest

from pipeline.clinical.described import described


def sentences(text: str) -> list[str]:
    return [part for start, end in described(text) if (part := " ".join(text[start:end].split()))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INDICATION: Cough. Fever.\nFINDINGS: No effusion.", ["FINDINGS: No effusion."]),
        ("HISTORY:\n\nCough.\n\nThe heart is enlarged.", ["The heart is enlarged."]),
        ("COMPARISON: None.\n\nThere is a mass.", ["There is a mass."]),
        ("TECHNIQUE: Two views.\nCHEST, PA AND LATERAL: Edema.", ["CHEST, PA AND LATERAL: Edema."]),
        ("Lungs: clear. Bones: intact.", ["Lungs: clear.", "Bones: intact."]),
        ("Chest. No edema. Left knee. Joint effusion.", ["Chest.", "No edema."]),
        ("Right hip: fracture. Chest: no edema.", ["Chest: no edema."]),
        ("1. Left ankle. Fracture. 2. Edema.", ["1.", "2.", "Edema."]),
        ("Left knee: Fracture.\n\nNo edema.", ["No edema."]),
        ("LUMBAR SPINE:\n\nFracture.\n\nNo edema.", ["No edema."]),
        ("Shoulders: degenerative change.", ["Shoulders: degenerative change."]),
        ("", []),
    ],
)
def test_what_is_passed_over(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected
