"""The whole recipe medical-cxr-vqa with rules: time and memory of every stage.

    python -m benchmarks.bench_pipeline --input DIR [--workers N]

DIR is a MIMIC-CXR-shaped folder. Memory is the proportional set size of the process and all its
workers, sampled five times a second, so shared pages are counted once.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from pipeline.run.recipe import load_recipe

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("ingest", "sections", "keyinfo", "followup", "postprocess", "pairs", "questions")


def tree_memory(group: int) -> float:
    """Memory of a process group in MiB."""
    total = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
            if int(fields[2]) == group:
                rollup = (stat.parent / "smaps_rollup").read_text()
                total += int(re.search(r"^Pss:\s+(\d+)", rollup, re.M)[1])  # type: ignore[index]
        except (OSError, TypeError, IndexError):
            continue  # it ended meanwhile
    return total / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", required=True)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        run_dir = Path(name) / "run"
        words = ["run", "medical-cxr-vqa", "--input", options.input, "--run-dir", str(run_dir)]
        print(f"{'stage':<14}{'rows':>10}{'records':>10}{'s':>8}{'rows/s':>9}{'peak MiB':>10}")
        begun = time.monotonic()
        recipe = load_recipe("medical-cxr-vqa", source={"path": options.input})
        for stage in [*(stage.name for stage in recipe.stages), None]:
            only = ["--only", stage] if stage else []
            process = subprocess.Popen(
                [
                    sys.executable,
                    "run_pipeline.py",
                    *words,
                    *only,
                    "--workers",
                    str(options.workers),
                ],
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
            started, peak = time.monotonic(), 0.0
            while process.poll() is None:
                peak = max(peak, tree_memory(process.pid))
                time.sleep(0.2)
            if process.returncode not in (0, 1):
                sys.exit(f"exit code {process.returncode}")
            seconds = time.monotonic() - started
            if stage:
                manifest = orjson.loads((run_dir / "stages" / stage / "manifest.json").read_bytes())
                counts = manifest["counts"]
                rows, records = f"{counts['in']:,}", f"{counts['records']:,}"
                rate = f"{counts['in'] / seconds:,.0f}"
            else:
                rows = records = rate = ""
            label = stage or "exports, counts"
            print(f"{label:<15}{rows:>9}{records:>10}{seconds:>8.1f}{rate:>9}{peak:>10,.0f}")
        print(f"{'all':<34}{time.monotonic() - begun:>8.1f}")


if __name__ == "__main__":
    main()
