"""``check``: what is wrong with this machine and this recipe, before hours are spent."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import shared
from pipeline.core.errors import ExitCode


def check(
    recipe: Annotated[
        str | None, typer.Argument(help="Recipe to check as well: a name or a YAML path.")
    ] = None,
    input_: shared.Input = None,
    run_dir: Annotated[Path, typer.Option("--run-dir", help="Where a run would write.")] = Path(
        "runs"
    ),
    backend: shared.Backend = None,
    sets: shared.Sets = None,
) -> None:
    """Find what is wrong before hours are spent.

    Looks at the machine and the installation; with a recipe, also at its input and, with one tiny
    request to each deployment that the data may go to, at its models.
    """
    from pipeline.run.checking import check_machine, check_recipe

    findings = list(check_machine(run_dir))
    if recipe is not None:
        findings += check_recipe(recipe, input_, backend, sets or [])
    for finding in findings:
        typer.echo(f"{finding.level:<4}  {finding.what}: {finding.detail}")
    if any(finding.level == "bad" for finding in findings):
        raise typer.Exit(ExitCode.USAGE)
