"""``merge``: an adapter and its base become one model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def merge(
    adapter: Annotated[Path, typer.Argument(help="Folder of the adapter that finetune made.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for the merged model.")],
    base: Annotated[
        str | None,
        typer.Option(
            "--base",
            help="Folder of the base model.  [default: where it was in training]",
            metavar="PATH",
        ),
    ] = None,
    allow_download: Annotated[
        bool, typer.Option("--allow-download", help="--base may be the id of a model on a hub.")
    ] = False,
) -> None:
    """Merge an adapter into its base model: one folder that needs no PEFT.

    Both are asked for the same logits before anything is written; the largest difference stands in
    the manifest.

    Example: cxr-pipeline merge models/keyinfo --out models/keyinfo-merged
    """
    from pipeline.training.merge import merge

    made = merge(adapter, out, base=base, allow_download=allow_download)
    typer.echo(
        f"merged  {made.parameters:,} weights, {made.dtype}; largest difference of a logit to the "
        f"adapter {made.difference:.1e}"
    )
    typer.echo(f"model   {made.out}")
