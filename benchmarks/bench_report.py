"""How long ``report`` takes on a run of MIMIC-CXR's size, and what it holds in memory.

    python -m benchmarks.bench_report [--studies 227827]

Runs ``medical-cxr-vqa`` on the sample reports, repeats the records of every stage under new ids
until the run is as large as asked, and makes the report as a user does, twice: the second time the
counts are remembered. Beside it: a loop that parses the same lines with the standard library and
counts nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

ROOT = Path(__file__).resolve().parents[1]
LOOP = "import json, sys\nfor path in sys.argv[1:]:\n    for line in open(path): json.loads(line)"


def grow(run: Path, studies: int) -> int:
    """Repeat the records of a run until it has about ``studies``; returns the records."""
    total = 0
    for stage in sorted((run / "stages").iterdir()):
        manifest = orjson.loads((stage / "manifest.json").read_bytes())
        path = stage / "records.jsonl"
        records = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        times = -(-studies // manifest["counts"]["in"])
        hashed, size = hashlib.sha256(), 0
        with path.open("wb") as file:
            for number in range(times):
                for record in records:
                    ids = {name: f"{number}{record[name]}" for name in ("id", "study_id")}
                    ids["subject_id"] = f"{number}{record['subject_id']}"
                    line = orjson.dumps({**record, **ids}) + b"\n"
                    file.write(line)
                    hashed.update(line)
                    size += len(line)
        counts = manifest["counts"]
        for name in ("in", "kept", "records", "rejected", "filtered"):
            counts[name] *= times
        manifest["output"]["records"] = {"bytes": size, "sha256": hashed.hexdigest()}
        (stage / "manifest.json").write_bytes(orjson.dumps(manifest))
        (stage / "counts.json").unlink(missing_ok=True)
        total += counts["records"]
    return total


def timed(*words: str) -> tuple[float, float, float]:
    """Wall and CPU seconds of a command, and the most MiB it held."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, used.ru_maxrss / 1024


def main() -> None:
    """Runs and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=227_827)
    options = parser.parse_args()
    pipeline = str(ROOT / "run_pipeline.py")
    with tempfile.TemporaryDirectory() as name:
        run = Path(name) / "run"
        words = ["run", "medical-cxr-vqa", "--input", str(ROOT / "data"), "--run-dir", str(run)]
        subprocess.run([sys.executable, pipeline, *words], stdout=subprocess.DEVNULL, check=False)
        records = grow(run, options.studies)
        files = sorted(map(str, run.glob("stages/*/records.jsonl")))
        size = sum(Path(file).stat().st_size for file in files) >> 20
        print(json.dumps({"studies": options.studies, "records": records, "MiB": size}))
        rows = [
            ("report", timed(pipeline, "report", str(run))),
            ("report again", timed(pipeline, "report", str(run))),
            ("json.loads of every line", timed("-c", LOOP, *files)),
        ]
    print("| what | wall s | CPU s | beside json.loads |\n| --- | ---: | ---: | ---: |")
    for what, (wall, cpu, _) in rows:
        print(f"| {what} | {wall:.1f} | {cpu:.1f} | {cpu / rows[-1][1][1]:.2f} |")
    print(f"most memory of a command, the run on the sample included: {rows[0][1][2]:.0f} MiB")


if __name__ == "__main__":
    main()
