"""How many rows went into each stage, what became of them, and why some left."""

from __future__ import annotations

from pipeline.report.blocks import Block, Note, Section, Table, first, number, share, words
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.run.progress import say_duration
from pipeline.run.status import StageStatus
from pipeline.run.summary import reason_rows

_MOST_REASONS = 40


def flow(run: Run) -> Section:
    """Rows through the stages."""
    begun = [row for row in run.rows if row.state != "waiting"]
    blocks: list[Block] = []
    if begun:
        legend = [(0, "kept"), (2, "filtered"), (3, "rejected")]
        blocks.append(
            Plot(
                "Rows that went into each stage",
                [row.stage for row in begun],
                [Panel([_bar(row) for row in begun])],
                legend,
            )
        )
    columns = ["stage", "state", "rows in", "kept", "records", "filtered", "rejected", "time"]
    rows = [
        [row.stage, row.state, *_cells(row)] if row.state != "waiting" else _waiting(row)
        for row in run.rows
    ]
    blocks.append(Table("Stages", columns, rows, left=["state"]))
    blocks.append(
        Note(
            "Every row that enters a stage is kept, filtered (leaving it out is the stage's work) "
            "or rejected (something went wrong; retry puts it back to work). One row may give "
            "several records."
        )
    )
    reasons = [
        [stage, words(reason), kind, number(count), share(count, run.row(stage).done)]
        for stage, reason, kind, count in reason_rows(run.rows)
    ]
    if reasons:
        shown, more = first(reasons, _MOST_REASONS, "reasons")
        columns = ["stage", "reason", "", "rows", "of rows in"]
        blocks.append(
            Table("Why rows left the run", columns, shown, left=["reason", ""], more=more)
        )
    return Section("flow", "Records", blocks)


def _bar(row: StageStatus) -> Bar:
    lost = [f"{row.filtered:,} filtered"] if row.filtered else []
    lost += [f"{row.rejected:,} rejected"] if row.rejected else []
    text = f"{row.done:,}" + (f" ({', '.join(lost)})" if lost else "")
    return Bar([(row.kept, 0), (row.filtered, 2), (row.rejected, 3)], text)


def _cells(row: StageStatus) -> list[str]:
    counts = (row.done, row.kept, row.records, row.filtered, row.rejected)
    return [*map(number, counts), say_duration(row.seconds)]


def _waiting(row: StageStatus) -> list[str]:
    return [row.stage, row.state, *[""] * 6]
