"""What each round of a follow-up stage asked and gained, over all records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.core.atomic import write_json
from pipeline.core.jsonl import iter_objects
from pipeline.run.store import StageStore, read_json
from pipeline.stages.followup import ROUND_COUNTS

_CACHE = "counts.json"


def followup_counts(store: StageStore, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of a complete follow-up stage; counted once, then remembered.

    ``rounds`` has one entry per round: ``records`` that took part, and the sums of what their
    rounds counted. ``answers`` counts those that changed a record by kind of discrepancy and
    status, ``records`` all records followed up, ``left`` what model and rules still differ in.
    """
    made_of = manifest["output"]["records"]["sha256"]
    path = store.folder / _CACHE
    known = read_json(path)
    if known is not None and known.get("made_of") == made_of:
        return known
    rounds: list[Counter[str]] = []
    answers: Counter[str] = Counter()
    records = left = 0
    for record in iter_objects(store.records_path):
        followed = record.get("followup")
        if followed is None:
            continue
        records += 1
        left += followed["left"]
        answers.update(f"{one['kind']}:{one['status']}" for one in followed["answers"])
        for number, counts in enumerate(followed["rounds"]):
            if number == len(rounds):
                rounds.append(Counter())
            rounds[number]["records"] += 1
            rounds[number].update(counts)
    counted = {
        "made_of": made_of,
        "records": records,
        "left": left,
        "rounds": [dict(one) for one in rounds],
        "answers": dict(sorted(answers.items())),
    }
    write_json(path, counted)
    return counted


def followup_lines(counts: Mapping[str, Any]) -> list[str]:
    """The counts as a Markdown table; nothing where no record was followed up."""
    if not counts["records"]:
        return []
    columns = ("records", *ROUND_COUNTS)
    lines = [
        "",
        f"Follow-up of {counts['records']:,} records. Gained and lost are statements: findings, "
        f"denials, attribute values. Model and rules still differ in {counts['left']:,} things.",
        "",
        f"| round | {' | '.join(name.replace('_', ' ') for name in columns)} |",
        f"| ---: |{' ---: |' * len(columns)}",
    ]
    for number, one in enumerate(counts["rounds"], start=1):
        cells = " | ".join(f"{one.get(name, 0):,}" for name in columns)
        lines.append(f"| {number} | {cells} |")
    if counts["answers"]:
        lines += [
            "",
            "| asked because | answered | answers that changed a record |",
            "| --- | --- | ---: |",
        ]
        for key, count in counts["answers"].items():
            kind, _, status = key.partition(":")
            lines.append(f"| {kind} | {status.replace('_', ' ')} | {count:,} |")
    return lines
