"""The report of counts: what went in and came out of every stage, for a paper's flow chart."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from pipeline.clinical.questions.options import PUBLISHED_MIX
from pipeline.core.atomic import write_bytes, write_json
from pipeline.core.jsonl import iter_objects
from pipeline.run.exporting import notice
from pipeline.run.folder import RunFolder
from pipeline.run.followup_counts import followup_counts, followup_lines
from pipeline.run.recipe import Recipe
from pipeline.run.runner import RunResult
from pipeline.run.store import StageStore, read_json

COUNTS = "counts.md"
_CACHE = "counts.json"


def write_counts(folder: RunFolder, recipe: Recipe, result: RunResult) -> Path:
    """Write ``counts.md`` in the run folder; returns its path."""
    lines = [f"# Counts of a {recipe.name} run", ""]
    lines += _stages(result)
    lines += _reasons(result)
    for stage in recipe.stages:
        if stage.use == "followup" and stage.name in result.manifests:
            store = StageStore(folder.stage(stage.name))
            lines += followup_lines(followup_counts(store, result.manifests[stage.name]))
        if stage.use == "questions" and stage.name in result.manifests:
            lines += _questions(question_counts(folder, stage.name))
    data_class = folder.read()["data_class"]
    lines += ["", notice(data_class), ""]
    path = folder.root / COUNTS
    write_bytes(path, "\n".join(lines).encode())
    return path


def question_counts(folder: RunFolder, stage: str) -> dict[str, Any]:
    """Rows by type and answer of a complete question stage; counted once, then remembered."""
    store = StageStore(folder.stage(stage))
    manifest = store.manifest()
    made_of = manifest["output"]["records"]["sha256"] if manifest else ""
    path = store.folder / _CACHE
    known = read_json(path)
    if known is not None and known.get("made_of") == made_of:
        return known
    types: Counter[str] = Counter()
    closed: Counter[str] = Counter()
    studies = 0
    last = None
    for row in iter_objects(store.records_path):
        types[row["question_type"]] += 1
        if row["answer"] in ("yes", "no"):
            closed[f"{row['question_type']}:{row['answer']}"] += 1
        if row["study_id"] != last:
            studies, last = studies + 1, row["study_id"]
    counts = {
        "made_of": made_of,
        "studies": studies,
        "types": dict(types.most_common()),
        "closed": dict(sorted(closed.items())),
    }
    write_json(path, counts)
    return counts


def type_mix(types: dict[str, int]) -> list[tuple[str, int, float, float | None]]:
    """Rows of ``(type, rows, share, published share)``.

    Shares are among the six published types, so that ``difference`` and ``scene`` rows do not
    blur the comparison; they have none.
    """
    six = sum(count for name, count in types.items() if name in PUBLISHED_MIX)
    return [
        (
            name,
            count,
            count / six if name in PUBLISHED_MIX and six else 0.0,
            PUBLISHED_MIX.get(name),
        )
        for name, count in types.items()
    ]


def _stages(result: RunResult) -> list[str]:
    lines = [
        "| stage | in | records | filtered | rejected | seconds |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, manifest in result.manifests.items():
        counts = manifest["counts"]
        lines.append(
            f"| {name} | {counts['in']:,} | {counts['records']:,} | {counts['filtered']:,} "
            f"| {counts['rejected']:,} | {manifest['seconds']:.1f} |"
        )
    return lines


def _reasons(result: RunResult) -> list[str]:
    rows = [
        f"| {name} | {reason} | {kind} | {count:,} |"
        for name, manifest in result.manifests.items()
        for kind, key in (("rejected", "reasons"), ("filtered", "filtered_reasons"))
        for reason, count in manifest["counts"][key].items()
    ]
    if not rows:
        return []
    return ["", "| stage | reason | | rows |", "| --- | --- | --- | ---: |", *rows]


def _questions(counts: dict[str, Any]) -> list[str]:
    lines = [
        "",
        f"Questions: {sum(counts['types'].values()):,} rows of {counts['studies']:,} studies. "
        "Shares are among the six types of Medical-CXR-VQA 1.0.0, whose shares stand beside.",
        "",
        "| type | rows | share | published | yes | no |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, count, share, published in type_mix(counts["types"]):
        yes, no = (counts["closed"].get(f"{name}:{answer}", 0) for answer in ("yes", "no"))
        lines.append(
            f"| {name} | {count:,} | {f'{share:.1%}' if published else ''} "
            f"| {f'{published:.1%}' if published else ''} | {yes or ''} | {no or ''} |"
        )
    return lines
