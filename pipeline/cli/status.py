"""``status``: how far a run is."""

from __future__ import annotations

from pipeline.cli import shared


def status(run_dir: shared.RunDir) -> None:
    """Show how far a run is.

    One row per stage: state, rows, requests, tokens, money, rate.
    """
    from rich.table import Table

    from pipeline.run.folder import RunFolder
    from pipeline.run.status import stage_rows

    folder = RunFolder(run_dir)
    data = folder.read()
    console = shared.make_console()
    table = Table(box=None)
    table.add_column("stage")
    table.add_column("state")
    numbers = ("done", "records", "filtered", "rejected", "left", "requests", "tokens", "money")
    for column in (*numbers, "rows/s"):
        table.add_column(column, justify="right")
    for row in stage_rows(folder):
        table.add_row(row.stage, row.state, *row.cells())
    state = "a process works on it now" if folder.is_locked() else "no process works on it"
    console.print(
        f"{run_dir}: recipe {data['recipe']['name']}, {data['data_class']} data, {state}",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    console.print(table)
