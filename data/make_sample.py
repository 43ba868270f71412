#!/usr/bin/env python3
"""Make the sample reports in this folder: the same files every time.

    python data/make_sample.py --out data
    python data/make_sample.py --out more --patients 5000 --seed 1

The second form makes as many patients as are wanted, with their own seed, to train on.

Everything is synthetic: sentences written for this project, put together by a seeded generator. No
text, number or date of any patient or data set is in it, and the images are drawings. Layout and
file names are those of MIMIC-CXR, so that the sample runs the way the real data does.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from generator.courses import COURSES, Course, Step
from generator.layouts import BLANK, ENCODINGS, SPECIAL, Layout, Note, cut_short, full, no_text
from generator.phantom import phantom
from generator.states import Body, Finding, describe

SEED = 20261122
PATIENTS = sum(share for _, share in COURSES)
"""Patients of the sample in this folder, which also has its odd studies."""

FIRST_SUBJECT = 10000001
FIRST_STUDY = 50000001
LABELS = [
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "No Finding",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
]
METADATA = [
    "dicom_id",
    "subject_id",
    "study_id",
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "Rows",
    "Columns",
    "StudyDate",
    "StudyTime",
    "ProcedureCodeSequence_CodeMeaning",
    "ViewCodeSequence_CodeMeaning",
    "PatientOrientationCodeSequence_CodeMeaning",
]
MEANING = {
    "AP": "antero-posterior",
    "PA": "postero-anterior",
    "LL": "left lateral",
    "LATERAL": "lateral",
}
EMPTY_STUDY = 37
"""Number of the study whose note is an empty file."""

CUT_STUDY = 91
"""Number of the study whose note breaks off."""

LATERAL_STUDIES = (58, 120)
"""Numbers of studies with a lateral image only."""


@dataclass(frozen=True, slots=True)
class Study:
    """One study with everything that is written of it."""

    subject: int
    study: int
    day: date
    step: Step
    body: Body
    split: str
    images: tuple[tuple[str, str], ...]
    note: bytes


def patients(count: int, seed: int) -> list[Course]:
    """A course for each patient, in mixed order; frequent courses are frequent in any number."""
    rng = random.Random(seed)
    courses: list[Course] = []
    while len(courses) < count:
        once = [course for course, share in COURSES for _ in range(share)]
        rng.shuffle(once)
        courses += once
    return courses[:count]


def split_of(index: int, count: int, rng: random.Random) -> str:
    """The part of a patient: chosen by hand in the sample, drawn 8:1:1 in other numbers."""
    if count == PATIENTS:
        parts = {7: "validate", 23: "validate", 11: "test", 31: "test", 47: "test"}
        return parts.get(index, "train")
    return rng.choices(("train", "validate", "test"), (8, 1, 1))[0]


def studies(count: int, seed: int) -> Iterator[Study]:
    """All studies of ``count`` patients, patient by patient."""
    number = special = 0
    for index, course in enumerate(patients(count, seed)):
        rng = random.Random(f"{seed}/{index}")
        split = split_of(index, count, random.Random(f"{seed}/split/{index}"))
        day = date(2140 + rng.randrange(60), rng.randrange(1, 13), rng.randrange(1, 29))
        before: tuple[Finding, ...] | None = None
        for step in course(rng):
            day += timedelta(days=step.days)
            body = describe(step.findings, before, rng)
            images = views(step, count == PATIENTS and number in LATERAL_STUDIES, rng)
            layout: Layout = full
            if number % 2:
                layout = SPECIAL[special % len(SPECIAL)]
                special += 1
            if count == PATIENTS:
                layout = {EMPTY_STUDY: no_text, CUT_STUDY: cut_short}.get(number, layout)
            note = layout(lay_out(step, body, before is None, images, rng), rng)
            yield Study(
                FIRST_SUBJECT + index,
                FIRST_STUDY + number,
                day,
                step,
                body,
                split,
                images,
                note.encode(ENCODINGS.get(layout, "utf-8")),
            )
            before = step.findings
            number += 1


def views(step: Step, lateral: bool, rng: random.Random) -> tuple[tuple[str, str], ...]:
    """Image ids and ViewPosition: one bedside image, or frontal and lateral in either order."""
    if lateral:
        positions = ["LATERAL"]
    elif step.portable:
        positions = ["AP", "AP"] if rng.random() < 0.1 else ["AP"]
    else:
        positions = ["PA", rng.choice(("LATERAL", "LL"))]
        if rng.random() < 0.3:
            positions.reverse()
        if rng.random() < 0.1:
            positions.append("")
    return tuple(
        ("-".join(f"{rng.getrandbits(32):08x}" for _ in range(5)), position)
        for position in positions
    )


def lay_out(
    step: Step,
    body: Body,
    first: bool,
    images: tuple[tuple[str, str], ...],
    rng: random.Random,
) -> Note:
    """The parts of the note of one study."""
    positions = {position for _, position in images}
    if positions == {"LATERAL"}:
        examination, technique = "CHEST (LATERAL ONLY)", "Single lateral view of the chest."
    elif step.portable:
        examination = "CHEST (PORTABLE AP)"
        technique = rng.choice(
            ("Portable AP view of the chest.", "Semi-upright bedside AP radiograph.")
        )
    else:
        examination, technique = "CHEST (PA AND LAT)", "Upright PA and lateral views of the chest."
    comparison = (
        rng.choice(("None.", "No prior studies available."))
        if first
        else rng.choice((f"Chest radiograph {BLANK}.", f"{BLANK}.", f"Radiograph from {BLANK}."))
    )
    age = rng.choice(("", f"{BLANK}-year-old patient. ", f"{BLANK} years old. "))
    return Note(
        examination=examination,
        indication=f"{age}{step.indication}",
        technique=technique,
        comparison=comparison,
        findings=body.findings,
        parts=body.parts,
        impression=body.impression,
        recommendation=step.recommendation,
        call=step.call,
    )


def metadata_rows(made: Iterable[Study], seed: int) -> Iterator[list[object]]:
    """Rows of the image table."""
    for study in made:
        rng = random.Random(f"{seed}/image/{study.study}")
        time = f"{rng.randrange(24):02d}{rng.randrange(60):02d}{rng.randrange(60):02d}.125"
        what = "CHEST (PORTABLE AP)" if study.step.portable else "CHEST (PA AND LAT)"
        for dicom, position in study.images:
            yield [
                *(dicom, study.subject, study.study, what, position, 3056, 2544),
                *(study.day.strftime("%Y%m%d"), time, what, MEANING.get(position, "")),
                "Recumbent" if study.step.portable else "Erect",
            ]


def packed(header: list[str], rows: Iterable[Iterable[object]]) -> bytes:
    """A csv.gz file without a time stamp."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    data = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=data, mode="wb", mtime=0) as file:
        file.write(text.getvalue().encode())
    return data.getvalue()


def files(count: int, seed: int) -> dict[str, bytes]:
    """Relative name -> content of everything that is generated."""
    made = list(studies(count, seed))
    written = {f"files/p{str(x.subject)[:2]}/p{x.subject}/s{x.study}.txt": x.note for x in made}
    written["mimic-cxr-2.0.0-metadata.csv.gz"] = packed(METADATA, metadata_rows(made, seed))
    written["mimic-cxr-2.0.0-split.csv.gz"] = packed(
        ["dicom_id", "study_id", "subject_id", "split"],
        ([dicom, x.study, x.subject, x.split] for x in made for dicom, _ in x.images),
    )
    written["mimic-cxr-2.0.0-chexpert.csv.gz"] = packed(
        ["subject_id", "study_id", *LABELS],
        (
            [x.subject, x.study, *(x.body.labels.get(label, "") for label in LABELS)]
            for x in made
            if x.note
        ),
    )
    for study in made:
        folder = f"files/p{str(study.subject)[:2]}/p{study.subject}/s{study.study}"
        for dicom, position in study.images:
            if position in ("PA", "AP"):
                rng = random.Random(f"{SEED}/phantom/{dicom}")
                written[f"{folder}/{dicom}.png"] = phantom(study.body.labels, rng)
    written["DATA_CLASS"] = b"synthetic\n"
    return written


def main() -> None:
    """Write the files."""
    parser = argparse.ArgumentParser(description="Make the synthetic sample reports.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write into")
    parser.add_argument("--patients", type=int, default=PATIENTS, help="how many patients")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of everything drawn")
    options = parser.parse_args()
    out = options.out
    written = files(options.patients, options.seed)
    for name, data in written.items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    notes = [name for name in written if name.endswith(".txt")]
    folders = {name.rsplit("/", 1)[0] for name in notes}
    size = sum(map(len, written.values()))
    print(f"{len(notes)} studies of {len(folders)} patients, {size} bytes, in {out}")


if __name__ == "__main__":
    main()
