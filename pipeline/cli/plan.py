"""``plan``: what a run would do, without doing it."""

from __future__ import annotations

from pipeline.cli import shared


def plan(
    recipe: shared.RecipeName,
    input_: shared.Input = None,
    run_dir: shared.RunDirOption = None,
    backend: shared.Backend = None,
    only: shared.Only = None,
    start: shared.From = None,
    until: shared.Until = None,
    limit: shared.Limit = None,
    sets: shared.Sets = None,
    rebuild: shared.Rebuild = None,
) -> None:
    """Say what ``run`` with the same options would do. Sends nothing and writes nothing."""
    from rich.table import Table

    from pipeline.run.job import check_same_run
    from pipeline.run.plan import make_plan
    from pipeline.run.runner import Selection

    resolved = shared.read_recipe(recipe, input_, backend, limit, sets)
    folder = shared.folder_for(resolved, run_dir)
    check_same_run(folder, resolved)
    selection = Selection(only, start, until, tuple(rebuild or ()))
    made = make_plan(folder, resolved, selection)
    console = shared.make_console()
    console.print(
        f"{resolved.source.path}: {made.kind}, {made.reports:,} reports, {made.data_class} data; "
        f"run folder {folder.root}",
        highlight=False,
        markup=False,
    )
    table = Table(box=None)
    for column in ("stage", "would", "rows left", "asks", "why"):
        table.add_column(column, justify="right" if column == "rows left" else "left")
    for stage in made.stages:
        left = "" if stage.left is None else f"{stage.left:,}"
        table.add_row(stage.stage, stage.state, left, stage.backend, stage.why)
    console.print(table)
    stale = [stage.stage for stage in made.stages if stage.state == "stale"]
    if stale:
        console.print(
            f"run would refuse: make the stale stages again with --rebuild {stale[0]}",
            highlight=False,
            markup=False,
        )
