r"""The question table as CSV: UTF-8, ``\n`` line ends, the published columns first."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path

from pipeline.core.atomic import atomic_writer
from pipeline.core.errors import DataError

#: The published columns, then where a row comes from.
COLUMNS = (
    "study_id", "subject_id", "question_type", "question", "answer",
    "dicom_id", "view", "split", "ref_id", "template_id", "evidence",
)  # fmt: skip


QUALITY_COLUMN = "quality"
"""Added where the first row has it: rows of scene questions, or graded by a second reading."""


def write(
    rows: Iterable[Mapping[str, object]], path: Path, *, columns: Sequence[str] | None = None
) -> int:
    """Stream ``rows`` to ``path``, which appears whole or not at all. Returns their number.

    Values are quoted where they hold a quote, comma or line end. A missing key is an empty cell,
    a key that is no column is left out.

    Args:
        rows: the rows.
        path: the file.
        columns: its columns; :data:`COLUMNS`, and the quality where rows are graded.
    """
    count = 0
    rows = iter(rows)
    first = list(islice(rows, 1))
    rows = chain(first, rows)
    if columns is None:
        graded = any(QUALITY_COLUMN in row for row in first)
        columns = (*COLUMNS, QUALITY_COLUMN) if graded else COLUMNS
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        try:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(columns)
            for row in rows:
                writer.writerow([row.get(name, "") for name in columns])
                count += 1
        finally:
            text.detach()  # flushes; the file itself is closed by the atomic writer
    return count


def read(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a question CSV, ours or a published one (which has the first five columns).

    Raises:
        DataError: ``missing_column``: a published column is missing.
    """
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS[:5] if name not in (reader.fieldnames or ())]
        if missing:
            raise DataError("missing_column", f"{path.name} has no {', '.join(missing)}")
        yield from reader
