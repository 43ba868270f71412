"""Label files made for tests."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.clinical.lexicon import CLASSES

CELLS = np.array(["", "0.0", "-1.0", "1.0"])


def random_cells(studies: int, seed: int) -> NDArray[np.str_]:
    """Cells of the 13 classes as CheXpert's tables have them."""
    rng = np.random.default_rng(seed)
    made: NDArray[np.str_] = rng.choice(CELLS, (studies, len(CLASSES)), p=[0.4, 0.2, 0.1, 0.3])
    return made


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    """A CSV file, compressed where its name says so."""
    with gzip.open(path, "wt", newline="") if path.suffix == ".gz" else path.open("w") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
    return path


def write_labels(path: Path, cells: NDArray[np.str_], patients: int | None = None) -> Path:
    """A table of studies 50000000, 50000001, ... with these cells."""
    ids = [50_000_000 + number for number in range(len(cells))]
    if patients is None:
        return write_csv(
            path,
            ["study_id", *CLASSES],
            [[i, *row] for i, row in zip(ids, cells.tolist(), strict=True)],
        )
    rows = [
        [10_000_000 + number % patients, i, *row]
        for number, (i, row) in enumerate(zip(ids, cells.tolist(), strict=True))
    ]
    return write_csv(path, ["subject_id", "study_id", *CLASSES], rows)
