"""``export``: files for other tools, made of a run's records."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError, ExitCode

_FORMATS = (
    "alpaca, sharegpt, llama-factory, trl, parquet, vqa-csv, all-diseases-json, mimic-all-csv, "
    "labels-csv, label-disputes-csv, label-agreement-csv, visualglm, llava, qwen-vl, label-studio, "
    "or all that fit the run."
)


def export(
    run_dir: shared.RunDir,
    format_: Annotated[str, typer.Option("--format", help=_FORMATS)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder.  [default: in RUN_DIR/exports]"),
    ] = None,
    stage: Annotated[
        str | None, typer.Option("--stage", help="Stage to export.  [default: by the format]")
    ] = None,
    name: Annotated[
        str, typer.Option("--name", help="Name of the data set.  [default: the recipe's]")
    ] = "",
    split: Annotated[
        str,
        typer.Option(
            "--split",
            help="record: the records' splits, drawn where missing; patient: all drawn; none.",
        ),
    ] = "record",
    shares: Annotated[
        str, typer.Option("--shares", help="Shares of train, validation, test where drawn.")
    ] = "0.8,0.1,0.1",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of the draw.")] = 0,
    images_root: Annotated[
        str | None,
        typer.Option("--images-root", help="Folder of the images.  [default: the run's]"),
    ] = None,
    image_prefix: Annotated[
        str, typer.Option("--image-prefix", help="Put before the name of each image.")
    ] = "",
    copy_images: Annotated[
        bool, typer.Option("--copy-images", help="Copy the images beside the samples.")
    ] = False,
    check_images: Annotated[
        bool,
        typer.Option("--check-images/--no-check-images", help="Look whether images are there."),
    ] = True,
) -> int:
    """Write a run's records in a format of other tools."""
    from pydantic import ValidationError

    from pipeline.exports.registry import find_format
    from pipeline.run.exporting import formats_for, stage_for, write_export
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe
    from pipeline.run.recipe import ExportEntry, first_problem

    folder = RunFolder(run_dir)
    recipe = stored_recipe(folder)
    everything = format_ == "all"
    skipped = 0
    for each in formats_for(recipe) if everything else [format_]:
        usual = find_format(each)
        try:
            entry = ExportEntry.model_validate(
                {
                    "format": each,
                    "stage": stage or stage_for(recipe, each),
                    "file": usual.file,
                    "name": name,
                    "split": {"by": split, "shares": shares.split(","), "seed": seed},
                    "images": {
                        "root": images_root,
                        "prefix": image_prefix,
                        "copy_files": copy_images,
                        "check": check_images,
                    },
                }
            )
        except ValidationError as error:
            raise ConfigError(first_problem(error)) from None
        target = _folder(out if out is not None else folder.exports)
        inside = everything or out is None or not usual.is_folder
        path = target / usual.file if inside else target
        made = write_export(folder, recipe, entry, path)
        skipped += _say(made, path)
    return ExitCode.REJECTS if skipped else ExitCode.DONE


def _folder(path: Path) -> Path:
    from pipeline.core.atomic import make_private_dir

    if path.exists() and not path.is_dir():
        raise ConfigError(f"{path} is a file; --out takes a folder")
    try:
        return make_private_dir(path)
    except OSError as error:
        raise ConfigError(f"cannot create {path}: {error.strerror}") from None


def _say(made: dict[str, Any], path: Path) -> int:
    """One line per file; gives the number of records that could not be exported."""
    for name, facts in made.get("files", {path.name: made}).items():
        file = path / name if "files" in made else path
        typer.echo(f"{facts['rows']:,} rows  {file}" if "rows" in facts else f"        {file}")
    skipped: dict[str, int] = made.get("skipped", {})
    for reason, count in skipped.items():
        typer.echo(f"skipped {count:,}: {reason}")
    return sum(skipped.values())
