"""Measures the standardisation of KeyInfo beside the cost of merely reading and writing it.

    python benchmarks/bench_standardise.py [--input all_diseases_raw.json] [--records 20000]

Without ``--input`` it makes its own records. Prints a row per job: CPU seconds, records per second,
microseconds per record, growth of the resident memory, and the ratio to plain JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pipeline.clinical.reply import parse_keyinfo_reply
from pipeline.clinical.standardise import Standardiser

FULL_SET = 227_827
"""Studies of the full MIMIC-CXR set, for the projection."""

_NAMES = (
    "pleural effusion",
    "small left pleural effusions",
    "opacities",
    "right lower lobe consolidation",
    "edema",
    "Cardiomegaly",
    "rib fractures",
    "left picc",
    "calcified granuloma",
    "possible pneumonia",
    "atelectasis",
    "opacity concerning for pneumonia",
    "mild pulmonary edema",
    "hiatal hernia",
    "nodules and masses",
)
_PLACES = (None, "left", "Right", "bilateral", "right lower lobe", "left base", ["left", "base"])
_LEVELS = (None, None, "small", "mild", "moderate to severe", "N/A")
_TYPES = (None, None, "patchy", "linear", "acute")


def made_records(count: int) -> Iterator[dict[str, Any]]:
    """Records like those of a model, a part of them not in standard form; seeded."""
    rng = random.Random(0)

    def findings(most: int) -> dict[str, Any]:
        return {
            rng.choice(_NAMES): {
                "location": rng.choice(_PLACES),
                "level": rng.choice(_LEVELS),
                "type": rng.choice(_TYPES),
            }
            for _ in range(rng.randint(0, most))
        }

    for number in range(count):
        yield {
            "study_id": str(50_000_000 + number),
            "opacity_vs_clear": {"clear": {"location": "lungs"}} if rng.random() < 0.3 else {},
            "entity": findings(4),
            "uncertain_entity": findings(2),
            "no_entity": rng.sample(_NAMES, rng.randint(0, 3)),
        }


def resident_mib() -> float:
    """Highest resident memory of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(job: Callable[[str], object], lines: list[str]) -> tuple[float, float]:
    """CPU seconds of ``job`` over all lines and the growth of the resident memory in MiB."""
    before = resident_mib()
    start = time.process_time()
    for line in lines:
        job(line)
    return time.process_time() - start, resident_mib() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", type=Path, help="a JSON list of records")
    parser.add_argument("--records", type=int, default=20_000)
    options = parser.parse_args()
    if options.input is None:
        records = list(made_records(options.records))
    else:
        records = json.loads(options.input.read_text(encoding="utf-8"))[: options.records]
    lines = [json.dumps(record) for record in records]
    standardiser = Standardiser()
    jobs: dict[str, Callable[[str], object]] = {
        "json.loads + json.dumps": lambda line: json.dumps(json.loads(line)),
        "standardise (with JSON)": lambda line: json.dumps(
            standardiser.standardise(json.loads(line)).record
        ),
        "parse_keyinfo_reply": parse_keyinfo_reply,
        "reply in prose + fence": lambda line: parse_keyinfo_reply(f"Sure:\n```json\n{line}\n```"),
        "reply that needs repair": lambda line: parse_keyinfo_reply(line[:-1] + ",}"),
    }
    print(f"{len(lines)} records, {sum(map(len, lines)) / len(lines):.0f} bytes each")
    print(
        f"{'job':26}{'CPU s':>8}{'rec/s':>10}{'us/rec':>8}{'MiB':>7}{'ratio':>7}{'full set s':>12}"
    )
    base = 0.0
    for name, job in jobs.items():
        seconds, grown = measure(job, lines)
        base = base or seconds
        each = seconds / len(lines)
        print(
            f"{name:26}{seconds:8.2f}{1 / each:10,.0f}{each * 1e6:8.1f}{grown:7.1f}"
            f"{seconds / base:7.1f}{each * FULL_SET:12.1f}"
        )


if __name__ == "__main__":
    main()
