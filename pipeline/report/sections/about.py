"""What a run is: recipe, source, when, under which rules; and what would be needed to repeat it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from pipeline.report.blocks import Block, Facts, Note, Section, Table, number
from pipeline.report.gather import Run
from pipeline.run.progress import say_duration

_SELECTION = ("ids", "exclude", "split", "sample", "seed", "limit")
_PARTS = ("code", "prompts", "libs", "params", "model", "input")
_HEX = 12


def about(run: Run) -> Section:
    """The first section."""
    blocks: list[Block] = [*_missing(run), Facts(list(_facts(run)))]
    files = run.facts["input"]
    rows = [
        [file["name"], number(file.get("bytes")), str(file.get("sha256") or "")] for file in files
    ]
    columns = ["file", "bytes", "SHA-256 of content, or of the list of files of a folder"]
    if not any(row[1] for row in rows):
        rows = [[row[0], row[2]] for row in rows]
        del columns[1]
    if rows:
        blocks.append(Table("Input", columns, rows, left=columns[-1:]))
    backends = list(_backends(run))
    if backends:
        columns = ["backend", "kind", "model", "deployments", "parameters", "prices per million"]
        said = [n for n in range(len(columns)) if any(row[n] for row in backends)]
        columns = [columns[n] for n in said]
        rows = [[row[n] for n in said] for row in backends]
        blocks.append(Table("Who answered", columns, rows, left=columns[1:]))
    return Section("run", "The run", blocks)


def repeat(run: Run) -> Section | None:
    """What the run was made with, stage by stage."""
    if not run.manifests:
        return None
    columns = ["stage", "kind", *_PARTS]
    rows = [
        [
            name,
            manifest["use"],
            *(str(manifest["parts"].get(part, ""))[:_HEX] for part in _PARTS),
        ]
        for name, manifest in run.manifests.items()
    ]
    params = [
        [name, _compact(manifest["params"])]
        for name, manifest in run.manifests.items()
        if manifest["params"] and manifest["use"] != "ingest"
    ]
    blocks: list[Block] = [
        Note(
            "Two runs whose hashes are equal make the same records. The whole hashes stand in the "
            "stages' manifests, the recipe as it was resolved in run.json."
        ),
        Table(
            f"Hashes (first {_HEX} digits) of what each stage rests on",
            columns,
            rows,
            left=columns[1:],
        ),
        Table("Parameters", ["stage", "parameters"], params, left=["parameters"]),
    ]
    return Section("repeat", "To repeat it", blocks)


def _missing(run: Run) -> Iterator[Note]:
    waiting = [row.stage for row in run.rows if row.state == "waiting"]
    under_way = [row for row in run.rows if row.state == "under way"]
    said = [
        f"{row.stage} is under way ({row.done:,} rows answered"
        + (f", {row.left:,} left)" if row.left is not None else ")")
        for row in under_way
    ]
    if waiting:
        said.append(f"not begun: {', '.join(waiting)}")
    if said:
        yield Note(
            f"This run is not complete: {'; '.join(said)}. What they make is missing below.",
            warning=True,
        )
    if run.working:
        yield Note("A process works on the run now; make the report again when it is done.")


def _facts(run: Run) -> Iterator[tuple[str, str]]:
    recipe, source = run.recipe, run.recipe.get("source", {})
    yield "recipe", f"{recipe['name']}: {recipe.get('description') or 'no description'}"
    yield "data class", str(run.facts["data_class"])
    yield "source", str(run.facts["source_kind"])
    chosen = [
        f"{name} {source[name]}"
        for name in _SELECTION
        if source.get(name) is not None and (name != "seed" or source.get("sample"))
    ]
    if chosen:
        yield "selection", ", ".join(chosen)
    starts = [m["resumed_at"] for m in run.manifests.values() if m.get("resumed_at")]
    ends = [m["finished"] for m in run.manifests.values()]
    if ends:
        yield "made", f"{_moment(min(starts or ends))} to {_moment(max(ends))}"
    seconds = sum(row.seconds for row in run.rows)
    yield "working time", say_duration(seconds)
    versions = {v for m in run.manifests.values() for v in _versions(m)} or {
        f"{name} {version}" for name, version in run.facts["versions"].items()
    }
    yield "versions", ", ".join(sorted(versions))
    yield "run", str(run.facts["run_id"])
    yield from _governance(run)


def _governance(run: Run) -> Iterator[tuple[str, str]]:
    records = [m["governance"] for m in run.manifests.values() if m.get("governance")]
    attestations = sorted({one for r in records for one in r.get("attestations") or ()})
    if run.restricted:
        yield "attestations", ", ".join(attestations) or "none: rules and local models alone"
    for override in (r.get("provider_storage") for r in records):
        if override:
            yield (
                "storage at the service",
                f"allowed by {override['by']} on {override['date']}: {override['reason']}",
            )
            break
    for policy in sorted({r["policy"] for r in records if r.get("policy")}):
        yield "policy", policy


def _versions(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, version in (manifest.get("versions") or {}).items():
        yield f"{name} {version}"


def _moment(text: str) -> str:
    return text.replace("T", " ").replace("+00:00", " UTC")


def _backends(run: Run) -> Iterator[list[str]]:
    """The backends that a stage of the run asks."""
    used = {stage["backend"] for stage in run.recipe["stages"] if stage.get("backend")}
    for name, backend in run.recipe.get("backends", {}).items():
        if name not in used:
            continue
        deployments = [
            " ".join(
                filter(
                    None,
                    (
                        one.get("deployment") or "",
                        urlsplit(one.get("url") or "").netloc.rpartition("@")[2],
                        one.get("region") or "",
                    ),
                )
            )
            for one in backend.get("deployments") or ()
        ]
        prices = backend.get("prices") or {}
        yield [
            name,
            str(backend["kind"]) + (", batch" if backend.get("mode") == "batch" else ""),
            str(backend.get("model") or ""),
            "; ".join(deployments),
            _compact(backend.get("params") or {}),
            ", ".join(f"{key} {value}" for key, value in prices.items() if value is not None),
        ]


def _compact(params: Mapping[str, Any]) -> str:
    """Parameters as ``name: value``; what is not set is left out."""
    shown = []
    for name, value in params.items():
        if value is None or value in ("", [], {}):
            continue
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        shown.append(f"{name}: {text if len(text) <= 200 else text[:200] + '…'}")
    return ", ".join(shown)
