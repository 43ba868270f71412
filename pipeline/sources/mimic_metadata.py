"""One row per study out of the image tables of MIMIC-CXR-JPG, in one pass over each file.

The rules are those of the published ``mimic_all.csv`` (Medical-CXR-VQA, MIMIC-Diff-VQA): the image
of a study is its first PA or AP image, else its first; ``study_order`` is the rank of its date
among the studies of the patient, equal dates sharing the lower rank. Where ``chexpert`` is there,
ranks count its studies, as published.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import ConfigError
from pipeline.sources.columns import say_columns
from pipeline.sources.mimic_files import MetadataFiles
from pipeline.sources.pause import collector_paused

CHEXPERT_LABELS: Final = (
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
)
"""The 14 columns of ``mimic-cxr-2.0.0-chexpert.csv.gz``, in its order."""

VIEW_WORDS: Final = {
    "AP": "antero-posterior",
    "PA": "postero-anterior",
    "LL": "left lateral",
    "LATERAL": "lateral",
}
"""ViewPosition -> the words of ViewCodeSequence_CodeMeaning, for images that lack the latter."""

FRONTAL_VIEWS: Final = frozenset({"postero-anterior", "antero-posterior"})

_VIEW: Final = "ViewCodeSequence_CodeMeaning"


@dataclass(slots=True)
class StudyRow:
    """What the tables say of one study; ``images`` alternates dicom id and view."""

    subject_id: str
    date: str | None = None
    split: str | None = None
    images: list[str | None] = field(default_factory=list)
    labels: tuple[float | None, ...] | None = None
    order: str | None = None

    def chosen(self) -> tuple[str | None, str | None]:
        """Image id and view that stand for the study."""
        for position in range(1, len(self.images), 2):
            if self.images[position] in FRONTAL_VIEWS:
                return self.images[position - 1], self.images[position]
        return (self.images[0], self.images[1]) if self.images else (None, None)

    def as_fields(self) -> dict[str, Any]:
        """The joined part of a locator."""
        dicom_id, view = self.chosen()
        pairs = zip(self.images[::2], self.images[1::2], strict=True)
        fields: dict[str, Any] = {
            "subject_id": self.subject_id,
            "dicom_id": dicom_id,
            "view": view,
            "split": self.split,
            "study_date": self.date,
            "study_order": self.order,
            "images": [{"dicom_id": image, "view": seen} for image, seen in pairs],
        }
        if self.labels is not None:
            fields["labels"] = dict(zip(CHEXPERT_LABELS, self.labels, strict=True))
        return fields


StudyTable = dict[str, StudyRow]
"""study id -> row; in the order of ``chexpert`` first, where it is there."""


def load_metadata(files: MetadataFiles) -> StudyTable:
    """Join the tables that are there; an empty table if there are none.

    Raises:
        ConfigError: a file is damaged or lacks a column.
    """
    table: StudyTable = {}
    with collector_paused():
        if files.mimic_all is not None:
            _add_mimic_all(table, files.mimic_all)
            return table
        if files.chexpert is not None:
            _add_chexpert(table, files.chexpert)
        if files.metadata is not None:
            _add_images(table, files.metadata)
        if files.split is not None:
            _add_splits(table, files.split)
        _rank(table)
    return table


def _add_chexpert(table: StudyTable, path: Path) -> None:
    values: dict[str, float | None] = {}
    known: dict[tuple[str, ...], tuple[float | None, ...]] = {}
    for subject, study, *cells in read_columns(path, ("subject_id", "study_id", *CHEXPERT_LABELS)):
        key = tuple(cells)
        labels = known.get(key)
        if labels is None:
            for cell in key:
                if cell not in values:
                    values[cell] = _label(cell)
            labels = known[key] = tuple(values[cell] for cell in key)
        table[study] = StudyRow(subject, labels=labels)


def _label(cell: str) -> float | None:
    try:
        return float(cell) if cell.strip() else None
    except ValueError:
        return None


def _add_images(table: StudyTable, path: Path) -> None:
    columns = ("dicom_id", "subject_id", "study_id", "StudyDate", "ViewPosition", _VIEW)
    words: dict[tuple[str, str], str | None] = {}
    dates: dict[str, str | None] = {"": None}
    for image, subject, study, date, position, meaning in read_columns(path, columns):
        row = table.get(study)
        if row is None:
            row = table[study] = StudyRow(subject)
        view = words.setdefault(
            (position, meaning), meaning.strip().lower() or VIEW_WORDS.get(position.strip().upper())
        )
        if not row.images or (view in FRONTAL_VIEWS and FRONTAL_VIEWS.isdisjoint(row.images)):
            # The date of a study is that of the image that stands for it.
            row.date = dates.setdefault(date, date)
        row.images += (image, view)


def _add_splits(table: StudyTable, path: Path) -> None:
    words: dict[str, str | None] = {"": None}
    for subject, study, split in read_columns(path, ("subject_id", "study_id", "split")):
        row = table.get(study)
        if row is None:
            row = table[study] = StudyRow(subject)
        row.split = words.setdefault(split, split)


def _add_mimic_all(table: StudyTable, path: Path) -> None:
    columns = ("subject_id", "study_id", "dicom_id", "view", "split", "study_date", "study_order")
    with open_table(path) as rows:
        header = next(rows, [])
        pick = _picker(path, header, columns)
        labelled = [header.index(name) if name in header else -1 for name in CHEXPERT_LABELS]
        for cells in rows:
            if len(cells) < len(header):
                continue
            subject, study, image, view, split, date, order = pick(cells)
            row = StudyRow(subject, date=date or None, split=split or None)
            row.order = order.removesuffix(".0") or None
            if image:
                row.images += (image, view or None)
            if any(at >= 0 for at in labelled):
                row.labels = tuple(_label(cells[at]) if at >= 0 else None for at in labelled)
            table[study] = row


def _rank(table: StudyTable) -> None:
    """Give each dated study its order: 1 + the number of earlier studies of its patient."""
    as_published = any(row.labels is not None for row in table.values())
    dates: dict[str, list[str]] = {}
    for row in table.values():
        if row.date is not None and (row.labels is not None or not as_published):
            dates.setdefault(row.subject_id, []).append(row.date)
    for days in dates.values():
        days.sort()
    for row in table.values():
        if row.date is not None:
            earlier = bisect.bisect_left(dates.get(row.subject_id, ()), row.date)
            row.order = str(earlier + 1)


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """The named cells of each row of a CSV file, packed or not; short rows are left out.

    Raises:
        ConfigError: the file is damaged or lacks a column.
    """
    with open_table(path) as rows:
        header = next(rows, [])
        pick = _picker(path, header, columns)
        width = len(header)
        for cells in rows:
            if len(cells) >= width:
                yield pick(cells)


def _picker(path: Path, header: list[str], columns: Sequence[str]) -> Any:
    missing = [name for name in columns if name not in header]
    if missing:
        raise ConfigError(
            f"{path.name} has no column {', '.join(missing)}; "
            f"it has {say_columns(header) or 'none'}"
        )
    return itemgetter(*(header.index(name) for name in columns))


@contextmanager
def open_table(path: Path) -> Iterator[Iterator[list[str]]]:
    """Rows of a ``.csv`` or ``.csv.gz`` file.

    Raises:
        ConfigError: it cannot be read to its end, also raised while rows are taken.
    """
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(
            f"{path} is damaged ({type(error).__name__}); fetch it again and compare its SHA-256"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from (
            None
        )
