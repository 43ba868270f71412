"""Questions: the mix of types beside the published one, closed answers, splits, grades."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Note, Section, Table, number, share
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.report.sections.studies import part_name, part_order, shared_patients
from pipeline.run.counts.questions import type_mix, yes_and_no


def questions(run: Run) -> Section | None:
    """The section; None for a run without questions."""
    blocks: list[Block] = []
    for name in run.complete("questions"):
        counts = run.counts[name]
        if not counts["types"]:
            blocks.append(Note(f"Stage {name} made no question."))
            continue
        facts = [
            ("rows", number(sum(counts["types"].values()))),
            ("studies with a question", number(counts["studies"])),
        ]
        for pairs in run.complete("pairs"):
            paired = run.counts[pairs]
            said = f"{paired['paired']:,} of {paired['studies']:,}"
            facts.append(("studies compared with an earlier one", said))
        blocks += [Facts(facts), *_mix(counts), *_closed(counts), *_further(counts)]
    return Section("questions", "Questions", blocks) if blocks else None


def _mix(counts: Mapping[str, Any]) -> Iterator[Block]:
    mix = type_mix(counts["types"])
    six = [row for row in mix if row[3] is not None]
    if six:
        yield Plot(
            "Question types, as shares of the six published ones",
            [name for name, *_ in six],
            [
                Panel(
                    [_mix_bar(part, known) for _, _, part, known in six],
                    percent=True,
                )
            ],
            [(0, "this set")],
            mark="Medical-CXR-VQA 1.0.0",
        )
    rows = []
    for name, count, part, known in mix:
        yes, no = yes_and_no(counts, name)
        rows.append(
            [
                name,
                number(count),
                f"{part:.1%}" if known else "",
                f"{known:.1%}" if known else "",
                f"{100 * (part - known):+.1f}" if known else "",
                number(yes) if yes or no else "",
                number(no) if yes or no else "",
            ]
        )
    columns = ["type", "rows", "share", "published", "points apart", "yes", "no"]
    yield Table("Types and closed answers", columns, rows)


def _mix_bar(part: float, known: float | None) -> Bar:
    return Bar([(part, 0)], f"{part:.1%} (published {known:.1%})", mark=known)


def _closed(counts: Mapping[str, Any]) -> Iterator[Block]:
    pairs = {name: yes_and_no(counts, name) for name in counts["types"]}
    closed = {name: pair for name, pair in pairs.items() if sum(pair)}
    if not closed:
        return
    yield Plot(
        "Balance of yes and no, among rows answered yes or no",
        list(closed),
        [
            Panel(
                [
                    Bar(
                        [(yes / (yes + no), 0), (no / (yes + no), 2)], share(yes, yes + no) + " yes"
                    )
                    for yes, no in closed.values()
                ],
                top=1,
                percent=True,
            )
        ],
        [(0, "yes"), (2, "no")],
    )


def _further(counts: Mapping[str, Any]) -> Iterator[Block]:
    splits, rows = counts["splits"], sum(counts["types"].values())
    cells = [
        [part_name(part), number(splits[part]), share(splits[part], rows)]
        for part in sorted(splits, key=part_order)
    ]
    yield Table("Rows by split", ["split", "rows", "share"], cells)
    yield from shared_patients(counts)
    if counts["grades"]:
        cells = [[g, number(n), share(n, rows)] for g, n in counts["grades"].items()]
        yield Table("Rows by grade of agreement with the rules", ["grade", "rows", "share"], cells)
