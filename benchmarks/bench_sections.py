"""Section extraction against a plain title splitter: speed and exactness, side by side.

Give it a folder that holds ``mimic-cxr-reports.zip`` and ``truth.jsonl.gz`` (one line per note of
the zip, in its order: ``{"variant": ..., "sections": {...}}``)::

    python benchmarks/bench_sections.py FOLDER

Time is CPU time of one process over notes already in memory, best of ``--repeat`` rounds.
"""

from __future__ import annotations

import argparse
import gzip
import json
import re
import resource
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from pipeline.clinical.sections import extract_sections

Sections = dict[str, str]
READ_FROM = ("findings", "findings_impression", "impression", "addendum")
OTHERS = ("indication", "history", "technique", "comparison", "wet_read", "notification")
TITLE = re.compile(
    r"^ *(EXAMINATION|INDICATION|(?:CLINICAL )?HISTORY|TECHNIQUE|COMPARISON|FINDINGS|IMPRESSION|"
    r"WET READ|ADDENDUM|NOTIFICATION|RECOMMENDATIONS?)\s*:",
    re.MULTILINE | re.IGNORECASE,
)


def plain_splitter(text: str) -> Sections:
    """What one writes first: known titles at the start of a line, all between them is theirs."""
    parts = TITLE.split(text)
    sections: Sections = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        name = "history" if "HISTORY" in title.upper() else title.lower().replace(" ", "_")
        sections[name] = " ".join(body.split())
    return sections


def whole_extraction(text: str) -> Sections:
    return extract_sections(text).sections


def read_inputs(folder: Path) -> tuple[list[str], list[Sections]]:
    with zipfile.ZipFile(folder / "mimic-cxr-reports.zip") as archive:
        notes = [archive.read(name).decode("utf-8", "replace") for name in archive.namelist()]
    with gzip.open(folder / "truth.jsonl.gz", "rt", encoding="utf-8") as lines:
        return notes, [json.loads(line)["sections"] for line in lines]


def notes_per_second(split: Callable[[str], Sections], notes: list[str], repeat: int) -> float:
    best = float("inf")
    for _ in range(repeat):
        start = time.process_time()
        for note in notes:
            split(note)
        best = min(best, time.process_time() - start)
    return len(notes) / best


def shares(
    split: Callable[[str], Sections], notes: list[str], truth: list[Sections]
) -> list[float]:
    """Share of notes with: exact findings and impression; all sections exact; a leaking reading."""
    exact_reading = exact_all = leaking = 0
    for note, expected in zip(notes, truth, strict=True):
        sections = split(note)
        keys = READ_FROM[:3]
        exact_reading += all(sections.get(key, "") == expected.get(key, "") for key in keys)
        exact_all += all(sections.get(key) == value for key, value in expected.items())
        reading = " ".join(sections.get(key, "") for key in READ_FROM)
        wanted = " ".join(expected.get(key, "") for key in READ_FROM)
        foreign = [expected[key] for key in OTHERS if len(expected.get(key, "")) > 20]
        leaking += any(text in reading and text not in wanted for text in foreign)
    return [count / len(notes) for count in (exact_reading, exact_all, leaking)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    notes, truth = read_inputs(options.folder)
    plain_speed = notes_per_second(plain_splitter, notes, options.repeat)
    print(f"{len(notes):,} notes, {sum(map(len, notes)) / len(notes):.0f} characters on average\n")
    print("| | notes/CPU-s | ratio | findings and impression exact | all exact | reading leaks |")
    print("|---|---|---|---|---|---|")
    for name, split in (("plain splitter", plain_splitter), ("extract_sections", whole_extraction)):
        speed = notes_per_second(split, notes, options.repeat)
        exact, exact_all, leaking = shares(split, notes, truth)
        print(
            f"| {name} | {speed:,.0f} | {speed / plain_speed:.2f} | {exact:.2%} | {exact_all:.2%} "
            f"| {leaking:.2%} |"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory with all notes loaded: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
