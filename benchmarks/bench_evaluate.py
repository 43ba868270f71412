"""How long ``evaluate labels`` takes on MIMIC-CXR's size, with intervals and paired tests.

    python benchmarks/bench_evaluate.py [--studies 227827] [--replicates 1000]

Writes three seeded label files in CheXpert's layout (gold and two predictions that differ from it
at random), then runs the command as a user does.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from pipeline.clinical.lexicon import CLASSES

ROOT = Path(__file__).resolve().parents[1]
CELLS = np.array(["", "0.0", "-1.0", "1.0"])
SHARES = (0.75, 0.10, 0.03, 0.12)
CHANGED = (0.0, 0.02, 0.03)
STUDIES_PER_PATIENT = 3.5


def write_tables(folder: Path, studies: int) -> list[Path]:
    """Gold and two predictions, gzipped."""
    rng = np.random.default_rng(20261122)
    patients = 10_000_000 + np.sort(rng.integers(0, int(studies / STUDIES_PER_PATIENT), studies))
    gold = rng.choice(len(CELLS), (studies, len(CLASSES)), p=SHARES)
    paths = []
    for name, share in zip(("gold", "a", "b"), CHANGED, strict=True):
        other = rng.choice(len(CELLS), gold.shape, p=SHARES)
        values = CELLS[np.where(rng.random(gold.shape) < share, other, gold)].tolist()
        path = folder / f"{name}.csv.gz"
        with gzip.open(path, "wt", newline="", compresslevel=1) as file:
            writer = csv.writer(file)
            writer.writerow(["subject_id", "study_id", *CLASSES])
            for number, cells in enumerate(values):
                writer.writerow([patients[number], 50_000_000 + number, *cells])
        paths.append(path)
    return paths


def main() -> None:
    """Runs and prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=227_827)
    parser.add_argument("--replicates", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gold, first, second = write_tables(folder, options.studies)
        words = ["evaluate", "labels", "--gold", str(gold), str(first), str(second)]
        words += ["--replicates", str(options.replicates), "--json", str(folder / "out.json")]
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, str(ROOT / "run_pipeline.py"), *words],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(
        f"{options.studies:,} studies x {len(CLASSES)} classes x 3 files, "
        f"{options.replicates:,} replicates: {wall:.1f} s wall, "
        f"{used.ru_utime + used.ru_stime:.1f} s CPU, {used.ru_maxrss / 1024:.0f} MB"
    )


if __name__ == "__main__":
    main()
