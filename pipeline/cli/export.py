"""``export``: files for other tools, made of a run's records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError


def export(
    run_dir: shared.RunDir,
    format_: Annotated[
        str, typer.Option("--format", help="vqa-csv, all-diseases-json, mimic-all-csv.")
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder.  [default: RUN_DIR/exports]")
    ] = None,
) -> None:
    """Write a run's records in a format of other tools."""
    from pipeline.core.atomic import make_private_dir
    from pipeline.exports.registry import export_file
    from pipeline.run.exporting import stage_for, write_export
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe

    folder = RunFolder(run_dir)
    stage = stage_for(stored_recipe(folder), format_)
    target = out if out is not None else folder.exports
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target} is a file; --out takes a folder")
    try:
        make_private_dir(target)
    except OSError as error:
        raise ConfigError(f"cannot create {target}: {error.strerror}") from None
    path = target / export_file(format_)
    rows = write_export(folder, format_, stage, path)
    typer.echo(f"{rows:,} rows  {path}")
