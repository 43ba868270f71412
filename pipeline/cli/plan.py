"""``plan``: what a run would do, without doing it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.cli import shared

if TYPE_CHECKING:
    from pipeline.run.forecast import Forecast


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
    """Say what a run would do, without doing it.

    Takes the options of run; sends nothing and writes nothing.
    """
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
    for stage in made.stages:
        if stage.forecast is not None:
            console.print()
            for line in _say(stage.stage, stage.backend, stage.forecast):
                console.print(line, highlight=False, markup=False)
    stale = [stage.stage for stage in made.stages if stage.state == "stale"]
    if stale:
        console.print(
            f"run would refuse: make the stale stages again with --rebuild {stale[0]}",
            highlight=False,
            markup=False,
        )


def _say(stage: str, backend: str, ahead: Forecast) -> Iterator[str]:
    """What a stage would ask, in a few lines."""
    from pipeline.run.forecast import scaled
    from pipeline.run.progress import say_duration

    found, scale = ahead.estimate, ahead.scale
    how = "all rows" if scale == 1 else f"the first {ahead.looked_at:,} reports, scaled up"
    yield f"{stage} would ask {backend} (by {how}; tokens by {found.counted}):"
    numbers = (
        ("requests", found.requests),
        ("from the journal", found.reused),
        ("asked twice, sent once", found.repeated),
        ("to send", found.to_send),
        ("prompt tokens", found.prompt_tokens),
        ("output tokens, likely", found.output_tokens),
        ("output tokens, at most", found.most_output_tokens),
    )
    for what, number in numbers:
        amount = scaled(number, scale)
        if amount is not None:
            yield f"  {what:<24}{round(amount):>16,}"
    for what, money in (("money, likely", found.money), ("money, at most", found.most_money)):
        amount = scaled(money, scale)
        if amount is not None:
            yield f"  {what:<24}{amount:>16,.2f} {found.currency}"
    seconds = scaled(found.seconds, scale)
    if seconds is not None:
        yield f"  {'time at the limits':<24}{say_duration(seconds):>16}"
