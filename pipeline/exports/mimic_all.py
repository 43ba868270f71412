"""``mimic_all.csv``: one row per study with labels, image, view, split, date and order.

The published file of Medical-CXR-VQA and MIMIC-Diff-VQA, whose script needs hours for it; here it
is one pass over each table. Columns, order of rows (that of the chexpert table) and form of numbers
(``1.0``) are the published ones.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pipeline.core.atomic import atomic_writer
from pipeline.core.records import Record
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

    def rows() -> Iterator[Sequence[object]]:
        for study_id, row in table.items():
            if not labelled or row.labels is not None:
                order = None if row.order is None else f"{row.order}.0"
                yield (
                    *(row.subject_id, study_id, *(row.labels or no_labels), *row.chosen()),
                    *(row.split, row.date, order),
                )

    return _write_rows(rows(), out)


def write_records(records: Iterable[Record], out: Path) -> int:
    """Write ``out`` from ingested records, one row each. Returns the number of rows."""

    def rows() -> Iterator[Sequence[object]]:
        for record in records:
            labels = record.get("labels") or {}
            order = record.get("study_order")
            yield (
                *(record.get("subject_id"), record["study_id"]),
                *(labels.get(name) for name in CHEXPERT_LABELS),
                *(record.get(name) for name in ("dicom_id", "view", "split", "study_date")),
                None if order is None else f"{float(order)}" if _is_number(order) else order,
            )

    return _write_rows(rows(), out)


def _is_number(value: object) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return True


def _write_rows(rows: Iterable[Sequence[object]], out: Path) -> int:
    count = 0
    with atomic_writer(out) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(MIMIC_ALL_COLUMNS)
        for row in rows:
            writer.writerow(row)
            count += 1
        text.detach()
    return count
