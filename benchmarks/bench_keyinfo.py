"""KeyInfo to questions at full size: each stage of ``keyinfo-questions``, and ``libs build``.

    python /path/to/gen_keyinfo.py --n 227827 --out generated
    python benchmarks/bench_keyinfo.py --keyinfo generated/output/all_diseases_raw.json \
        --meta generated/data/mimic_all.csv --dir scratch [--audit audit_questions.py]

Prints seconds as the run counts them, the CPU seconds and the largest memory of a process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def timed(*words: object) -> tuple[float, float]:
    """Wall and CPU seconds of a command of the checkout."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, str(ROOT / "run_pipeline.py"), *map(str, words)],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 1):
        sys.exit(f"{words[0]} ended with {done.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - started, spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keyinfo", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--audit", type=Path)
    args = parser.parse_args()
    run = args.dir / "run"
    options = [
        *("--input", args.keyinfo, "--run-dir", run),
        *("--set", f"source.metadata={args.meta}", "--set", "source.data_class=synthetic"),
    ]
    wall, cpu = timed("run", "keyinfo-questions", *options)
    print("| job | seconds | CPU seconds | rows |\n| --- | ---: | ---: | ---: |")
    for stage in ("ingest", "postprocess", "pairs", "questions"):
        manifest = json.loads((run / "stages" / stage / "manifest.json").read_bytes())
        print(f"| {stage} | {manifest['seconds']:.1f} | | {manifest['counts']['records']:,} |")
    print(f"| whole run with its exports | {wall:.1f} | {cpu:.1f} | |")
    wall, cpu = timed("libs", "build", run)
    print(f"| libs build, of the run | {wall:.1f} | {cpu:.1f} | |")
    wall, cpu = timed("libs", "build", run / "exports" / "all_diseases.json", "--out", args.dir)
    print(f"| libs build, of all_diseases.json | {wall:.1f} | {cpu:.1f} | |")
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"\nlargest process: {largest:,.0f} MiB")
    if args.audit is not None:
        files = (run / "exports" / "all_diseases.json", run / "exports" / "questions.csv")
        subprocess.run([sys.executable, str(args.audit), *map(str, files)], check=False)


if __name__ == "__main__":
    main()
