"""Instructions and samples: families from task to sample, why some were dropped, splits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.exports.registry import SAMPLE_STAGES
from pipeline.report.blocks import Block, Heading, Section, Table, number, share, words
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.report.sections.studies import part_name, part_order, shared_patients

_DROPPING: Mapping[str, str] = {
    "instruct": "written",
    "clean-instructions": "cleaned",
    "dedupe": "compared",
    "answer": "answered",
    "check-answers": "checked",
}
"""Kind of stage -> what it had done to what it dropped."""


def samples(run: Run) -> Section | None:
    """The section; None for a run without tasks and samples."""
    blocks: list[Block] = []
    tasks = run.complete("tasks")
    made = run.complete(*SAMPLE_STAGES)
    if tasks:
        blocks += _families(run, tasks[0], run.complete("check-answers"))
        blocks += _dropped(run)
    for name in made:
        if len(made) > 1:
            blocks.append(Heading(f"Samples of {name}"))
        blocks += _samples(run.counts[name], with_families=not tasks)
    title = "Instructions" if tasks else "Samples"
    return Section("samples", title, blocks) if blocks else None


def _families(run: Run, tasks: str, checked: list[str]) -> Iterator[Block]:
    planned = _totals(run.counts[tasks])
    kept = _totals(run.counts[checked[0]]) if checked else {}
    if not planned:
        return
    if kept:
        yield Plot(
            "Instructions by family: samples kept of tasks planned",
            [words(name) for name in planned],
            [
                Panel(
                    [
                        Bar(
                            [(kept.get(f, 0), 0), (n - kept.get(f, 0), 2)],
                            f"{kept.get(f, 0):,} of {n:,}",
                        )
                        for f, n in planned.items()
                    ]
                )
            ],
            [(0, "samples"), (2, "dropped on the way")],
        )
    rows = [
        [
            words(name),
            number(count),
            number(kept.get(name, 0)) if kept else "",
            share(kept.get(name, 0), count) if kept else "",
        ]
        for name, count in planned.items()
    ]
    last = ["all", number(sum(planned.values())), "", ""]
    if kept:
        last[2:] = [number(sum(kept.values())), share(sum(kept.values()), sum(planned.values()))]
    columns = ["family", "tasks", "samples", "kept"]
    yield Table("Families", columns, rows, total=last)


def _dropped(run: Run) -> Iterator[Block]:
    """Why instructions and answers were dropped, over all waves."""
    reasons: Counter[tuple[str, str]] = Counter()
    for row in run.rows:
        use = run.uses[row.stage]
        if use in _DROPPING:
            for found in (row.reasons, row.filtered_reasons):
                reasons.update({(use, reason): count for reason, count in found.items()})
    if not reasons:
        return
    order = list(_DROPPING)
    ranked = sorted(reasons.items(), key=lambda item: (order.index(item[0][0]), -item[1]))
    yield Plot(
        "Why instructions and answers were dropped",
        [f"{_DROPPING[use]}: {words(reason)}" for (use, reason), _ in ranked],
        [Panel([Bar([(count, 3)], number(count)) for _, count in ranked])],
    )
    rows = [[_DROPPING[use], words(reason), number(count)] for (use, reason), count in ranked]
    yield Table("Dropped", ["dropped when", "reason", "rows"], rows, left=["reason"])


def _samples(counts: Mapping[str, Any], *, with_families: bool) -> Iterator[Block]:
    splits = counts["splits"]
    rows = [
        [
            part_name(part),
            number(splits[part]["samples"]),
            share(splits[part]["samples"], counts["samples"]),
            number(splits[part]["studies"]),
            number(splits[part]["patients"]),
        ]
        for part in sorted(splits, key=part_order)
    ]
    columns = ["split", "samples", "share", "studies", "patients"]
    yield Table("Samples by split", columns, rows)
    yield from shared_patients(counts)
    named = {name: n for name, n in _totals(counts).items() if name}
    if with_families and len(named) > 1:
        rows = [[words(f), number(n), share(n, counts["samples"])] for f, n in named.items()]
        yield Table("Samples by family", ["family", "samples", "share"], rows)
    for title, key in (("Languages", "languages"), ("Marked samples", "flags")):
        if counts[key]:
            rows = [
                [words(n), number(c), share(c, counts["samples"])] for n, c in counts[key].items()
            ]
            yield Table(title, [title.lower().split()[0], "samples", "share"], rows)


def _totals(counts: Mapping[str, Any]) -> dict[str, int]:
    return {name: sum(parts.values()) for name, parts in counts["families"].items()}
