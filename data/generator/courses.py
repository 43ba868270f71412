"""Patients: what each has, study by study, and why the film was taken."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from generator.states import Finding


@dataclass(frozen=True, slots=True)
class Step:
    """One study; ``days`` since the one before, ``portable`` for a bedside film."""

    findings: tuple[Finding, ...]
    indication: str
    days: int = 0
    portable: bool = False
    recommendation: str = ""
    call: str = ""


Course: TypeAlias = Callable[[random.Random], list[Step]]

F = Finding


def _side(rng: random.Random) -> str:
    return rng.choice(("left", "right"))


def _lobe(rng: random.Random) -> str:
    lobes = ("right lower lobe", "left lower lobe", "right middle lobe", "right upper lobe")
    return rng.choice((*lobes, "left upper lobe", "lingula"))


def heart_failure(rng: random.Random) -> list[Step]:
    """Decompensated heart failure that clears under treatment."""
    heart = F("cardiomegaly", rng.choice(("moderately", "severely")))
    pacer = (F("pacemaker", where="left"),) if rng.random() < 0.4 else ()
    effusion = F("effusions", "moderate")
    steps = [
        Step(
            (*pacer, heart, F("edema", "moderate"), effusion),
            "Shortness of breath and leg swelling.",
            portable=True,
        ),
        Step(
            (*pacer, heart, F("edema", "mild"), F("effusions", "small")),
            "Heart failure on diuretics, evaluate for change.",
            days=2,
            portable=True,
        ),
        Step(
            (*pacer, heart, F("congestion", "mild"), F("effusions", "trace")),
            "Congestive heart failure, follow-up.",
            days=4,
        ),
        Step((*pacer, heart), "Clinic visit, history of heart failure.", days=60),
    ]
    return steps[: rng.choice((3, 4, 4))]


def heart_failure_relapse(rng: random.Random) -> list[Step]:
    """Stable cardiomegaly, then a relapse with one-sided effusion."""
    side = "right"
    return [
        Step((F("cardiomegaly", "mildly"), F("aorta", type="dense")), "Preoperative evaluation."),
        Step(
            (
                F("cardiomegaly", "moderately"),
                F("edema", "severe"),
                F("effusion", "small", side),
            ),
            "Acute dyspnea, hypoxia.",
            days=rng.randrange(90, 400),
            portable=True,
            call="worsening pulmonary edema",
        ),
        Step(
            (F("cardiomegaly", "moderately"), F("edema", "mild"), F("effusion", "small", side)),
            "Interval change after diuresis.",
            days=1,
            portable=True,
        ),
    ]


def pneumonia(rng: random.Random) -> list[Step]:
    """Lobar pneumonia that gets worse, then clears."""
    lobe = _lobe(rng)
    side = "left" if lobe in ("lingula", "left lower lobe", "left upper lobe") else "right"
    kind = rng.choice(("dense", "patchy"))
    steps = [
        Step((F("consolidation", "", lobe, kind),), "Fever and productive cough."),
        Step(
            (F("consolidation", "", lobe, kind), F("effusion", "small", side)),
            "Pneumonia with persistent fever, evaluate for effusion.",
            days=3,
        ),
        Step((F("scarring", "mild", f"{side} lung base"),), "Follow-up after pneumonia.", days=42),
    ]
    return steps if rng.random() < 0.7 else [steps[0], steps[2]]


def early_pneumonia(rng: random.Random) -> list[Step]:
    """An equivocal opacity, gone later."""
    base = rng.choice(("left lung base", "right lung base", "right middle lobe"))
    return [
        Step(
            (F("possible pneumonia", "", base, rng.choice(("faint", "patchy", "subtle"))),),
            "Cough and chills for three days.",
            recommendation="Repeat PA and lateral radiographs in four weeks to document clearing.",
        ),
        Step((), "Follow-up of possible pneumonia.", days=30),
    ]


def intensive_care(rng: random.Random) -> list[Step]:
    """Intubation, lines, low volumes, extubation."""
    base = rng.choice(("left lung base", "right lung base"))
    jugular = F("central line", "", "lower SVC", "right internal jugular")
    return [
        Step(
            (
                F("tube", rng.choice(("2 cm", "3.5 cm", "4 cm"))),
                F("feeding tube", where="stomach"),
                F("low volumes"),
                F("atelectasis", "mild", base, "patchy"),
            ),
            "Intubated, confirm tube position.",
            portable=True,
        ),
        Step(
            (
                F("tube", "5 cm"),
                F("feeding tube", where="stomach"),
                jugular,
                F("atelectasis", "moderate", base, "patchy"),
            ),
            "New central line, rule out pneumothorax.",
            days=1,
            portable=True,
        ),
        Step(
            (jugular, F("atelectasis", "mild", base, "patchy")),
            "Extubated, evaluate lungs.",
            days=3,
            portable=True,
        ),
    ]


def respiratory_failure(rng: random.Random) -> list[Step]:
    """Multifocal opacities with partial recovery."""
    where = rng.choice(("both lungs", "the mid and lower lungs"))
    picc = F("picc", "", "mid SVC", "right")
    return [
        Step(
            (F("tube", "4.5 cm"), F("opacities", "", where, "multifocal")),
            "Aspiration event, respiratory failure.",
            portable=True,
            call="multifocal airspace opacities",
        ),
        Step(
            (F("tube", "4.5 cm"), picc, F("opacities", "", where, "multifocal")),
            "Hypoxic, interval change.",
            days=2,
            portable=True,
        ),
        Step((picc, F("effusions", "trace")), "Recovering, evaluate PICC.", days=9, portable=True),
    ]


def cardiac_surgery(rng: random.Random) -> list[Step]:
    """After coronary bypass: tubes out, small pneumothorax, effusion that stays."""
    wires = F("wires")
    return [
        Step(
            (
                wires,
                F("tube", "3 cm"),
                F("chest tube", "", "left", "apex"),
                F("central line", "", "upper SVC", "right internal jugular"),
                F("atelectasis", "mild", "left lung base", "linear"),
            ),
            "Status post CABG.",
            portable=True,
        ),
        Step(
            (
                wires,
                F("pneumothorax", "tiny", "left", "apical"),
                F("atelectasis", "mild", "left lung base", "linear"),
            ),
            "Chest tube removed, rule out pneumothorax.",
            days=2,
            portable=True,
        ),
        Step(
            (wires, F("effusion", rng.choice(("small", "moderate")), "left")),
            "Postoperative follow-up.",
            days=12,
        ),
        Step((wires,), "Six weeks after CABG.", days=35),
    ]


def pneumothorax(rng: random.Random) -> list[Step]:
    """Spontaneous pneumothorax, drained and healed."""
    side = _side(rng)
    tube = F("chest tube", "", side, rng.choice(("apex", "lung base")))
    return [
        Step(
            (F("pneumothorax", rng.choice(("large", "moderate")), side, "apical"),),
            "Sudden chest pain in a tall young man.",
            call="pneumothorax",
        ),
        Step(
            (
                tube,
                F("pneumothorax", "small", side, "apical"),
                F("subcutaneous emphysema", "mild", side),
            ),
            "Chest tube placed.",
            portable=True,
        ),
        Step((F("pneumothorax", "trace", side, "apical"),), "Chest tube removed.", days=3),
        Step((), "Follow-up of pneumothorax.", days=20),
    ]


def nodule(rng: random.Random) -> list[Step]:
    """A nodule followed over years; in some it grows."""
    lobe = _lobe(rng)
    grows = rng.random() < 0.5
    advice = "Chest CT is recommended to characterize the nodule."
    return [
        Step((F("nodule", "7 mm", lobe, "solid"),), "Weight loss.", recommendation=advice),
        Step((F("nodule", "7 mm", lobe, "solid"),), "Follow-up of lung nodule.", days=180),
        Step(
            (F("nodule", "12 mm" if grows else "7 mm", lobe, "solid"),),
            "Nodule surveillance.",
            days=370,
            recommendation=advice if grows else "",
        ),
    ]


def malignancy(rng: random.Random) -> list[Step]:
    """A lung mass with effusion that comes and goes with drainage."""
    side = _side(rng)
    lobe = f"{side} upper lobe"
    return [
        Step(
            (F("mass", "4 cm", lobe, rng.choice(("spiculated", "lobulated"))),),
            "Hemoptysis, long smoking history.",
            recommendation="Contrast-enhanced chest CT is recommended.",
            call="lung mass",
        ),
        Step(
            (
                F("mass", "5 cm", lobe, "lobulated"),
                F("adenopathy", "", side),
                F("effusion", "large", side),
            ),
            "Lung cancer with increasing dyspnea.",
            days=80,
        ),
        Step(
            (
                F("mass", "5 cm", lobe, "lobulated"),
                F("adenopathy", "", side),
                F("effusion", "small", side),
            ),
            "After thoracentesis, rule out pneumothorax.",
            days=1,
        ),
    ]


def trauma(rng: random.Random) -> list[Step]:
    """Rib fractures with a small pneumothorax."""
    side = _side(rng)
    ribs = tuple(
        F("rib fracture", "", f"{side} {rib}", "nondisplaced")
        for rib in rng.choice((("fifth", "sixth"), ("seventh", "eighth"), ("fourth", "fifth")))
    )
    return [
        Step(
            (*ribs, F("pneumothorax", "small", side, "apical")),
            "Motor vehicle collision.",
            portable=True,
            call="rib fractures and pneumothorax",
        ),
        Step((*ribs, F("effusion", "small", side)), "Rib fractures, chest pain.", days=2),
        Step(ribs, "Follow-up of rib fractures.", days=30),
    ]


def fall(rng: random.Random) -> list[Step]:
    """A fall without consequence in an old patient."""
    bone = rng.choice(("right clavicle", "left sixth rib", "left proximal humerus"))
    spine = F("degenerative", rng.choice(("mild", "moderate")))
    return [
        Step((F("old fracture", "", bone), spine, F("aorta", type="mild")), "Fall, chest pain."),
        Step((F("old fracture", "", bone), spine, F("hernia", "small")), "Cough.", days=240),
    ]


def obstructive(rng: random.Random) -> list[Step]:
    """Emphysema with an exacerbation and then pneumonia."""
    lobe = rng.choice(("left lower lobe", "right lower lobe"))
    lungs = F("emphysema", "severe")
    return [
        Step((lungs,), "COPD exacerbation."),
        Step((lungs, F("consolidation", "", lobe, "patchy")), "COPD, fever, hypoxia.", days=120),
        Step((lungs, F("nodule", "6 mm", "right upper lobe", "calcified")), "COPD.", days=60),
    ]


def interstitial(rng: random.Random) -> list[Step]:
    """Pulmonary fibrosis that progresses."""
    return [
        Step((F("fibrosis", "mild", "lung bases"), F("low volumes")), "Dry cough, crackles."),
        Step(
            (F("fibrosis", "moderate", "lung bases"), F("low volumes")),
            "Known pulmonary fibrosis.",
            days=rng.randrange(300, 500),
        ),
    ]


def line_placement(rng: random.Random) -> list[Step]:
    """A PICC that went astray and was put right."""
    side = _side(rng)
    return [
        Step(
            (F("picc", "", "ipsilateral internal jugular vein", side),),
            "PICC placement.",
            portable=True,
            call="malpositioned PICC",
        ),
        Step(
            (F("picc", "", rng.choice(("lower SVC", "cavoatrial junction")), side),),
            "PICC repositioned.",
            portable=True,
        ),
    ]


def dialysis(rng: random.Random) -> list[Step]:
    """Fluid overload between dialysis sessions."""
    line = F("central line", "", "right atrium", "tunneled right internal jugular dialysis")
    heart = F("cardiomegaly", "mildly")
    return [
        Step((line, heart, F("congestion", "moderate")), "Missed dialysis, dyspnea."),
        Step((line, heart, F("congestion", "mild")), "After dialysis.", days=1, portable=True),
        Step((line, heart, F("effusion", "trace", "right")), "Chest pain.", days=rng.randrange(90)),
    ]


def screening(rng: random.Random) -> list[Step]:
    """Old granulomatous disease found on screening."""
    lobe = _lobe(rng)
    apex = F("scarring", "mild", rng.choice(("lung apices", "right lung apex")))
    return [
        Step((F("granuloma", "", lobe), apex), "Positive tuberculosis test."),
        Step((F("granuloma", "", lobe), apex), "Employment screening.", days=365),
    ][: rng.choice((1, 2))]


def incidental(rng: random.Random) -> list[Step]:
    """Findings that matter little."""
    options = (
        F("hernia", "moderate"),
        F("scoliosis", "mild", type="rightward"),
        F("elevated diaphragm", "mildly", "right"),
        F("degenerative", "mild"),
        F("aorta", type="mild"),
    )
    return [
        Step(tuple(rng.sample(options, 2)), "Chest pain."),
        Step(
            tuple(rng.sample(options, 2)), "Preoperative evaluation.", days=rng.randrange(30, 700)
        ),
    ][: rng.choice((1, 2, 2))]


def normal(rng: random.Random) -> list[Step]:
    """Nothing wrong, once or twice."""
    reasons = ("Cough.", "Chest pain.", "Dizziness.", "Fever, no source.", "Preoperative study.")
    count = rng.choice((1, 1, 2, 3))
    return [
        Step((), rng.choice(reasons), days=rng.randrange(20, 600), portable=rng.random() < 0.2)
        for _ in range(count)
    ]


COURSES: Final[tuple[tuple[Course, int], ...]] = (
    (heart_failure, 5),
    (heart_failure_relapse, 3),
    (pneumonia, 5),
    (early_pneumonia, 3),
    (intensive_care, 4),
    (respiratory_failure, 2),
    (cardiac_surgery, 4),
    (pneumothorax, 4),
    (nodule, 4),
    (malignancy, 3),
    (trauma, 4),
    (fall, 2),
    (obstructive, 3),
    (interstitial, 2),
    (line_placement, 2),
    (dialysis, 2),
    (screening, 2),
    (incidental, 3),
    (normal, 7),
)
"""Courses and how many patients have each."""
