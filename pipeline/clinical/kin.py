"""Names that two people give to one thing, so that a check of one against the other is not sure.

*Emphysema* and *hyperinflation*, *scarring* and *fibrosis*: where a text has one and its source the
other, they are worth a flag. Written for this project from general knowledge of chest reports.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.clinical.claims import Claim

_KIN = (
    {"cardiomegaly", "chamber enlargement"},
    {"emphysema", "bulla", "copd", "hyperinflation", "hyperlucency"},
    {"atelectasis", "lobar collapse", "volume loss"},
    {"opacity", "density", "airspace opacity", "airspace disease", "infiltrate",
     "interstitial opacity", "nodular opacity", "consolidation"},
    {"scarring", "fibrosis", "pleural scarring", "pleural thickening"},
    {"interstitial markings", "interstitial opacity", "interstitial lung disease"},
    {"interstitial markings", "vascular congestion", "bronchovascular crowding"},
    {"degenerative change", "osteophyte", "spondylosis", "arthritis"},
    {"tortuous aorta", "prominent aorta"},
    {"atherosclerosis", "aortic calcification", "calcification"},
    {"granuloma", "calcified granuloma", "granulomatous disease", "splenic granuloma"},
    {"osteopenia", "osteoporosis"},
    {"central venous catheter", "picc", "port", "dialysis catheter", "catheter"},
    {"pleural effusion", "fissural fluid", "costophrenic angle blunting"},
    {"costophrenic angle blunting", "obscured costophrenic angle"},
    {"opacity", "obscured costophrenic angle"},
    {"opacity", "obscured diaphragm"},
    {"pleural thickening", "pleural nodule", "pleural mass"},
    {"deformity", "vertebral deformity", "compression fracture"},
    {"deformity", "rib deformity", "fracture"},
    {"sternotomy", "postsurgical change", "coronary bypass", "lung resection"},
    {"lung lesion", "nodule", "nodular opacity"},
    {"mass", "lung lesion", "malignancy", "soft tissue mass"},
)  # fmt: skip
"""Names that two people give to one thing: where one stands for another, nobody can be sure."""


def has_kin(claim: Claim, others: Iterable[Claim]) -> bool:
    """Whether another claim, denied or stated alike, may be what this one means."""
    names = {name for kin in _KIN if claim.name in kin for name in kin}
    absent = claim.status == "absent"
    return any(other.name in names and (other.status == "absent") == absent for other in others)
