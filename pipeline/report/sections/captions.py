"""Captions: their lengths, what was marked or rejected, the images they were paired with."""

from __future__ import annotations

from pipeline.report.blocks import Block, Facts, Note, Section, Table, number, share, words
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.run.summary import reason_rows

_KINDS = ("caption", "translate", "image-pairs")


def captions(run: Run) -> Section | None:
    """The section; None for a run without captions."""
    stages = run.complete(*_KINDS)
    if not stages:
        return None
    counts = run.counts[stages[-1]]
    blocks: list[Block] = []
    lengths = [
        [name, *(number(counts[key][column]) for column in counts[key])]
        for name, key, stage in (
            ("caption, words", "words", "caption"),
            ("translation, characters", "characters", "translate"),
        )
        if run.complete(stage)
    ]
    if counts["records"]:
        blocks.append(Note(f"From stage {stages[-1]}: {counts['records']:,} records."))
        facts = [("language", ", ".join(f"{k} {n:,}" for k, n in counts["languages"].items()))]
        if counts["images"]:
            facts.append(("images", number(counts["images"])))
            facts.append(("views", ", ".join(f"{k} {n:,}" for k, n in counts["views"].items())))
        if any(text for _, text in facts):
            blocks.append(Facts([(name, text) for name, text in facts if text]))
        if lengths:
            blocks.append(Table("Lengths", ["text", *counts["words"]], lengths))
    else:
        blocks.append(Note(f"Stage {stages[-1]} made no record."))
    blocks += _lost(run, stages)
    if counts["flags"]:
        rows = [
            [words(f), number(n), share(n, counts["records"])] for f, n in counts["flags"].items()
        ]
        blocks.append(Table("Marked records", ["what", "records", "share"], rows))
    return Section("captions", "Captions", blocks)


def _lost(run: Run, stages: list[str]) -> list[Block]:
    """Why captions and translations were not kept."""
    lost = [row for row in reason_rows([run.row(name) for name in stages])]
    if not lost:
        return []
    return [
        Plot(
            "Why captions, translations and pairs were not kept",
            [f"{stage}: {words(reason)}" for stage, reason, _, _ in lost],
            [
                Panel(
                    [
                        Bar([(n, 3 if kind == "rejected" else 2)], number(n))
                        for _, _, kind, n in lost
                    ]
                )
            ],
            [(3, "rejected"), (2, "filtered")],
        )
    ]
