"""What went in: studies, patients, images, splits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Note, Section, Table, number, share
from pipeline.report.gather import Run

PARTS = {"train": 0, "validate": 1, "validation": 1, "test": 2, "other": 3, "": 4}
"""Order in which splits are shown."""


def studies(run: Run) -> Section | None:
    """The studies that were read."""
    stages = run.complete("ingest")
    if not stages:
        return None
    counts = run.counts[stages[0]]
    facts = [("studies", number(counts["studies"])), ("patients", number(counts["patients"]))]
    if counts["unknown_patient"]:
        facts.append(("studies without a patient", number(counts["unknown_patient"])))
    if counts["images"]:
        facts.append(("images", number(counts["images"])))
    views = {
        {"unknown": "not said"}.get(name, name): count for name, count in counts["views"].items()
    }
    if set(views) - {"not said"}:
        said = ", ".join(f"{name} {count:,}" for name, count in views.items())
        facts.append(("views of the image chosen", said))
    blocks: list[Block] = [Facts(facts)]
    splits = counts["splits"]
    if set(splits) - {""}:
        rows = [
            [
                part_name(part),
                number(splits[part]["studies"]),
                share(splits[part]["studies"], counts["studies"]),
                number(splits[part]["patients"]),
            ]
            for part in sorted(splits, key=part_order)
        ]
        blocks.append(
            Table("Splits of the source", ["split", "studies", "share", "patients"], rows)
        )
        blocks += shared_patients(counts)
    else:
        blocks.append(Note("The source has no splits; exports draw them by patient."))
    return Section("studies", "Studies", blocks)


def shared_patients(counts: Mapping[str, Any]) -> Iterator[Note]:
    """Whether the splits are of different patients; nothing where there is one split."""
    if len(set(counts["splits"]) - {""}) < 2:
        return
    shared = counts["in_two_splits"]
    if shared:
        yield Note(f"{shared:,} patients are in more than one split.", warning=True)
    else:
        yield Note("No patient is in two splits.")


def part_order(part: str) -> int:
    """Where a split stands in a table."""
    return PARTS.get(part, len(PARTS))


def part_name(part: str) -> str:
    """A split in a table."""
    return part or "none given"
