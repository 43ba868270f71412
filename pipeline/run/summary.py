"""The report of counts: what went in and came out of every stage, for a paper's flow chart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.core.atomic import write_bytes
from pipeline.run.counts.followup import ROUND_COLUMNS
from pipeline.run.counts.questions import type_mix, yes_and_no
from pipeline.run.counts.remembered import stage_counts
from pipeline.run.exporting import notice
from pipeline.run.folder import RunFolder
from pipeline.run.recipe import Recipe
from pipeline.run.status import StageStatus, stage_rows
from pipeline.run.store import UNUSED, StageStore

COUNTS = "counts.md"
_SAID = ("followup", "questions")


def write_counts(folder: RunFolder, recipe: Recipe) -> Path:
    """Write ``counts.md`` in the run folder, about its complete stages; returns its path."""
    complete = [row for row in stage_rows(folder) if row.state == "complete"]
    lines = [f"# Counts of a {recipe.name} run", "", *_stages(complete), *_reasons(complete)]
    kinds = {stage.name: stage.use for stage in recipe.stages}
    for row in complete:
        unused = (StageStore(folder.stage(row.stage)).manifest() or {}).get("unused")
        if unused is not None:
            lines += ["", f"Stage {row.stage}: {unused:,} unused (stages/{row.stage}/{UNUSED})."]
        if kinds[row.stage] in _SAID:
            counts = counts_of(folder, row.stage)
            lines += (_followup if kinds[row.stage] == "followup" else _questions)(counts)
    lines += ["", notice(folder.read()["data_class"]), ""]
    path = folder.root / COUNTS
    write_bytes(path, "\n".join(lines).encode())
    return path


def counts_of(folder: RunFolder, stage: str) -> Mapping[str, Any]:
    """What is counted of the records of a stage; empty where it is not complete."""
    store = StageStore(folder.stage(stage))
    manifest = store.manifest()
    return (stage_counts(store, manifest) if manifest is not None else None) or {}


def reason_rows(rows: Sequence[StageStatus]) -> Iterator[tuple[str, str, str, int]]:
    """Rows of ``(stage, reason, rejected or filtered, rows)``: why records left the run."""
    for row in rows:
        for kind, reasons in (("rejected", row.reasons), ("filtered", row.filtered_reasons)):
            for reason, count in reasons.items():
                yield row.stage, reason, kind, count


def _stages(rows: Sequence[StageStatus]) -> list[str]:
    lines = [
        "| stage | in | records | filtered | rejected | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for row in rows:
        lines.append(
            f"| {row.stage} | {row.done:,} | {row.records:,} | {row.filtered:,} "
            f"| {row.rejected:,} | {row.seconds:.1f} |"
        )
    return lines


def _reasons(rows: Sequence[StageStatus]) -> list[str]:
    lines = [
        f"| {stage} | {reason} | {kind} | {count:,} |"
        for stage, reason, kind, count in reason_rows(rows)
    ]
    if not lines:
        return []
    return ["", "| stage | reason | | rows |", "| --- | --- | --- | ---: |", *lines]


def _followup(counts: Mapping[str, Any]) -> list[str]:
    """Nothing where no record was followed up."""
    if not counts["records"]:
        return []
    lines = [
        "",
        f"Follow-up of {counts['records']:,} records. Gained and lost are statements: findings, "
        f"denials, attribute values. Model and rules still differ in {counts['left']:,} things.",
        "",
        f"| round | {' | '.join(name.replace('_', ' ') for name in ROUND_COLUMNS)} |",
        f"| ---: |{' ---: |' * len(ROUND_COLUMNS)}",
    ]
    for number, one in enumerate(counts["rounds"], start=1):
        cells = " | ".join(f"{one.get(name, 0):,}" for name in ROUND_COLUMNS)
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


def _questions(counts: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        f"Questions: {sum(counts['types'].values()):,} rows of {counts['studies']:,} studies. "
        "Shares are among the six types of Medical-CXR-VQA 1.0.0, whose shares stand beside.",
        "",
        "| type | rows | share | published | yes | no |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, count, share, published in type_mix(counts["types"]):
        yes, no = yes_and_no(counts, name)
        lines.append(
            f"| {name} | {count:,} | {f'{share:.1%}' if published else ''} "
            f"| {f'{published:.1%}' if published else ''} | {yes or ''} | {no or ''} |"
        )
    return lines
