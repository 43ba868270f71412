"""A small MIMIC-CXR-shaped data set, built in a test's folder."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from pipeline.sources.mimic_metadata import CHEXPERT_LABELS

NOTES: Mapping[str, bytes] = {
    "files/p10/p10000001/s50000003.txt": b" FINDINGS:  Lungs are clear.\n",
    "files/p10/p10000001/s50000001.txt": b" IMPRESSION:  No change.\n",
    "files/p11/p11000002/s50000002.txt": b" FINDINGS:  Small left effusion.\r\n",
}

METADATA_HEADER = (
    "dicom_id",
    "subject_id",
    "study_id",
    "PerformedProcedureStepDescription",
    "ViewPosition",
    "StudyDate",
    "ViewCodeSequence_CodeMeaning",
)
METADATA_ROWS = (
    ("d3lat", "10000001", "50000003", "CHEST", "LATERAL", "21500301", "lateral"),
    ("d3pa", "10000001", "50000003", "CHEST", "PA", "21500301", "postero-anterior"),
    ("d1ll", "10000001", "50000001", "CHEST", "LL", "21500101", "left lateral"),
    ("d2ap", "11000002", "50000002", "CHEST", "AP", "21800101", ""),
)


def csv_bytes(header: Iterable[str], rows: Iterable[Iterable[object]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(list(header))
    writer.writerows(rows)
    return text.getvalue().encode()


def write_tree(root: Path, notes: Mapping[str, bytes] = NOTES) -> Path:
    for name, data in notes.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_zip(
    path: Path, notes: Mapping[str, bytes] = NOTES, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in notes.items():
            archive.writestr(name, data)
    return path


def write_tables(folder: Path, *, packed: bool = True, version: str = "2.0.0") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    chexpert = csv_bytes(
        ("subject_id", "study_id", *CHEXPERT_LABELS),
        (
            ("10000001", "50000003", "1.0", "0.0", "-1.0", *[""] * 11),
            ("10000001", "50000001", *[""] * 14),
            ("11000002", "50000002", *[""] * 9, "1.0", *[""] * 4),
        ),
    )
    split = csv_bytes(
        ("dicom_id", "study_id", "subject_id", "split"),
        (
            ("d3lat", "50000003", "10000001", "train"),
            ("d3pa", "50000003", "10000001", "train"),
            ("d1ll", "50000001", "10000001", "train"),
            ("d2ap", "50000002", "11000002", "test"),
        ),
    )
    tables = {
        "metadata": csv_bytes(METADATA_HEADER, METADATA_ROWS),
        "split": split,
        "chexpert": chexpert,
    }
    for kind, data in tables.items():
        name = f"mimic-cxr-{version}-{kind}.csv"
        if packed:
            (folder / f"{name}.gz").write_bytes(gzip.compress(data, mtime=0))
        else:
            (folder / name).write_bytes(data)
