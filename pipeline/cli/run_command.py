"""``run``: run or resume a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from pipeline.cli import shared
from pipeline.core.errors import ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.run.folder import RunFolder
    from pipeline.run.job import JobResult
    from pipeline.run.recipe import Recipe
    from pipeline.run.runner import Selection


def run(
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
    workers: shared.Workers = None,
) -> None:
    """Run a recipe, or go on with a run that was stopped.

    The same command resumes: complete stages are kept, a stage under way goes on where it was.
    Ends with 0 when done, 1 when records were rejected, 3 when stopped and resumable.

    Example: cxr-pipeline run medical-cxr-vqa --input mimic-cxr --run-dir runs/vqa
    """
    from pipeline.run.runner import Selection

    resolved = shared.read_recipe(recipe, input_, backend, limit, sets)
    folder = shared.folder_for(resolved, run_dir)
    selection = Selection(only, start, until, tuple(rebuild or ()))
    carry_out(folder, resolved, selection, workers)


def carry_out(folder: RunFolder, recipe: Recipe, selection: Selection, workers: int | None) -> None:
    """Run, show progress, and end by saying where things are."""
    from pipeline.run.job import run_job
    from pipeline.run.progress import reporter_for

    console = shared.make_console()
    reporter = reporter_for(console)
    reporter.note(f"{recipe.name}: {recipe.source.path} -> {folder.root}")
    try:
        job = run_job(folder, recipe, selection=selection, workers=workers, reporter=reporter)
    finally:
        reporter.close()
    _conclude(console, folder, recipe, job)
    if job.result.rejected:
        raise typer.Exit(ExitCode.REJECTS)


def _conclude(console: Console, folder: RunFolder, recipe: Recipe, job: JobResult) -> None:
    from pipeline.run.counts.questions import type_mix
    from pipeline.run.summary import counts_of

    for stage in recipe.stages:
        if stage.use == "questions" and stage.name in job.result.manifests:
            counts = counts_of(folder, stage.name)
            _show_mix(console, type_mix(counts["types"]), counts["studies"])
            _show_rows(console, folder, stage.name)
    say = [("report of counts", job.counts)]
    say += [
        (f"{known['format']} ({known['rows']:,} rows)", folder.exports / name)
        for name, known in job.exports.items()
    ]
    console.print()
    width = max(len(what) for what, _ in say)
    for what, path in say:
        console.print(f"{what:<{width}}  {path}", highlight=False, markup=False)
    if job.result.rejected:
        console.print(
            f"\nrejected: {job.result.rejected:,} (the report of counts says why). "
            f"To try again: cxr-pipeline retry {folder.root}",
            highlight=False,
            markup=False,
        )


def _show_mix(
    console: Console, mix: list[tuple[str, int, float, float | None]], studies: int
) -> None:
    from rich.table import Table

    table = Table(title=f"questions of {studies:,} studies", box=None, title_justify="left")
    table.add_column("type")
    for column in ("rows", "share", "published"):
        table.add_column(column, justify="right")
    for name, count, share, published in mix:
        shares = (f"{share:.1%}", f"{published:.1%}") if published else ("", "")
        table.add_row(name, f"{count:,}", *shares)
    console.print()
    console.print(table)


def _show_rows(console: Console, folder: RunFolder, stage: str, most: int = 6) -> None:
    """A few example rows, one per type, unless the data may not be shown lightly."""
    from pipeline.core.jsonl import iter_objects
    from pipeline.run.store import StageStore

    if folder.read()["data_class"] == "credentialed":
        return
    from rich.table import Table

    table = Table(title="example rows", box=None, title_justify="left")
    for column in ("study", "type", "question", "answer"):
        table.add_column(column, overflow="fold")
    seen: set[str] = set()
    for row in iter_objects(StageStore(folder.stage(stage)).records_path):
        if row["question_type"] not in seen:
            seen.add(row["question_type"])
            table.add_row(row["study_id"], row["question_type"], row["question"], row["answer"])
            if len(seen) == most:
                break
    console.print()
    console.print(table)
