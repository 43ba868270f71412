"""``mimic_all.csv``: one row per study with labels, image, view, split, date and order.

The published file of Medical-CXR-VQA and MIMIC-Diff-VQA, whose script needs hours for it; here it
is one pass over each table. Columns, order of rows (that of the chexpert table) and form of numbers
(``1.0``) are the published ones.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Final

from pipeline.core.atomic import atomic_writer
from pipeline.sources.mimic_files import find_metadata
from pipeline.sources.mimic_metadata import CHEXPERT_LABELS, load_metadata

MIMIC_ALL_COLUMNS: Final = (
    "subject_id",
    "study_id",
    *CHEXPERT_LABELS,
    "dicom_id",
    "view",
    "split",
    "study_date",
    "study_order",
)
"""The published columns in their order."""


def write_mimic_all(metadata: Path, out: Path) -> int:
    """Write ``out`` from a folder with the csv.gz tables, or from another ``mimic_all.csv``.

    Studies without a row in the chexpert table are left out where there is one, as published.

    Returns:
        The number of studies written.

    Raises:
        ConfigError: the tables are missing or damaged.
    """
    table = load_metadata(find_metadata(str(metadata), []))
    labelled = any(row.labels is not None for row in table.values())
    no_labels: tuple[float | None, ...] = (None,) * len(CHEXPERT_LABELS)
    count = 0
    with atomic_writer(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(MIMIC_ALL_COLUMNS)
        for study_id, row in table.items():
            if labelled and row.labels is None:
                continue
            dicom_id, view = row.chosen()
            order = None if row.order is None else f"{row.order}.0"
            labels = row.labels or no_labels
            writer.writerow(
                [row.subject_id, study_id, *labels, dicom_id, view, row.split, row.date, order]
            )
            count += 1
        text.detach()
    return count
