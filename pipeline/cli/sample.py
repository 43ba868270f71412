"""``sample``: studies for experts to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError, StorageError


def sample(
    run_dir: shared.RunDir,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of studies.")] = 100,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw.")] = 0,
    exclude: Annotated[
        str | None, typer.Option("--exclude", help="File of study ids to leave out.")
    ] = None,
    stage: Annotated[
        str | None,
        typer.Option("--stage", help="Stage to look at.  [default: the KeyInfo or labels]"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="CSV or JSONL file.  [default: RUN_DIR/sample.csv]")
    ] = None,
    ids: Annotated[
        Path | None, typer.Option("--ids", help="Also write the drawn study ids, one per line.")
    ] = None,
) -> None:
    """Draw studies for expert review, with their reports and what was made of them.

    The ids of one sample can be left out of the next one, or of training with
    --set source.exclude=FILE.

    Example: cxr-pipeline sample runs/medical-cxr-vqa --n 100 --ids reviewed.txt
    """
    from pipeline.core.atomic import write_bytes
    from pipeline.exports.review_sheet import write_csv, write_jsonl
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe
    from pipeline.run.sampling import draw_sample, stage_to_sample
    from pipeline.sources.selection import read_ids

    path = out if out is not None else run_dir / "sample.csv"
    writers = {".csv": write_csv, ".jsonl": write_jsonl}
    if path.suffix.lower() not in writers:
        raise ConfigError(f"{path}: the name must end with .csv or .jsonl")
    folder = RunFolder(run_dir)
    recipe = stored_recipe(folder)
    chosen = stage_to_sample(recipe, stage)
    left_out = read_ids(exclude, "--exclude") if exclude is not None else frozenset[str]()
    studies = draw_sample(folder, recipe, chosen, n, seed=seed, exclude=left_out)
    try:
        rows = writers[path.suffix.lower()]([(x.id, x.report, x.records) for x in studies], path)
        if ids is not None:
            write_bytes(ids, "".join(f"{study.id}\n" for study in studies).encode())
    except OSError as error:
        raise StorageError(f"cannot write {error.filename or path}: {error.strerror}") from None
    typer.echo(f"{len(studies):,} studies of stage {chosen}, {rows:,} rows  {path}")
