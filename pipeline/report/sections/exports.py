"""The files made for other tools, with rows and hashes."""

from __future__ import annotations

from pipeline.report.blocks import Block, Section, Table, number, words
from pipeline.report.gather import Run


def exports(run: Run) -> Section | None:
    """The section; None for a run without exports."""
    if not run.exports:
        return None
    rows = []
    for name, known in run.exports.items():
        files = known.get("files") or {name: known}
        for file, facts in files.items():
            shown = file if file == name else f"{name}/{file}"
            rows.append(
                [
                    shown,
                    known["format"],
                    known["stage"],
                    number(facts.get("rows")),
                    number(facts.get("bytes")),
                    str(facts.get("sha256", "")),
                ]
            )
    columns = ["file", "format", "stage", "rows", "bytes", "SHA-256"]
    blocks: list[Block] = [
        Table("Files in exports/", columns, rows, left=["format", "stage", "SHA-256"])
    ]
    for name, manifest in run.parts.items():
        cells = [
            [part, *(number(counts[key]) for key in ("rows", "patients", "studies"))]
            for part, counts in manifest["parts"].items()
        ]
        skipped = manifest.get("skipped") or {}
        said = ", ".join(f"{count:,} {words(reason)}" for reason, count in skipped.items())
        columns = ["split", "samples", "patients", "studies"]
        more = f"Left out: {said}." if said else ""
        blocks.append(Table(f"{name}: no patient is in two splits", columns, cells, more=more))
    return Section("exports", "Exports", blocks)
