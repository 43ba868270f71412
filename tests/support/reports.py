"""Larger inputs made of the sample reports."""

from __future__ import annotations

import csv
from itertools import cycle, islice
from pathlib import Path

from tests.support.cli import SAMPLE


def write_table(path: Path, studies: int, per_patient: int = 3) -> Path:
    """A CSV of ``studies`` reports, their texts taken from the sample in turn."""
    texts = [p.read_bytes().decode("utf-8", "replace") for p in sorted(SAMPLE.rglob("s*.txt"))]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["study_id", "subject_id", "report", "view", "study_order"])
        for number, text in enumerate(islice(cycle(texts), studies)):
            patient, order = divmod(number, per_patient)
            view = "antero-posterior" if number % 3 else "postero-anterior"
            writer.writerow([50000000 + number, 10000000 + patient, text, view, order + 1])
    return path


TABLE_COLUMNS = {
    "id": "study_id",
    "subject_id": "subject_id",
    "text": "report",
    "view": "view",
    "study_order": "study_order",
}


def column_options() -> list[str]:
    """The options that tell a recipe the columns of :func:`write_table`."""
    options = ["--set", "source.data_class=synthetic"]
    for field, column in TABLE_COLUMNS.items():
        options += ["--set", f"source.columns.{field}={column}"]
    return options
