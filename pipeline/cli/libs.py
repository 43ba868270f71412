"""``libs``: libraries made of a KeyInfo set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.core.errors import ConfigError, DataError, StorageError

app = typer.Typer(help="Libraries made of a KeyInfo set.", no_args_is_help=True)


@app.callback()
def libs() -> None:
    """Libraries made of a KeyInfo set: frequency dictionaries and sheets for reviewers."""


@app.command("build")
def build(
    source: Annotated[
        Path,
        typer.Argument(help="Run folder, or a KeyInfo file (all_diseases.json).", metavar="SOURCE"),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder.  [default: RUN_DIR/libs, or libs beside the file]"),
    ] = None,
) -> None:
    """Count how often each finding, location, level and type occurs.

    Writes entity_dict.json, location_dict.json, level_dict.json and type_dict.json, and a sheet
    beside each in which reviewers comment on terms: any comment but OK refuses one. Comments that
    are there already are kept. A recipe reads the folder with
    --set stages.postprocess.libs=FOLDER and --set stages.questions.libs=FOLDER.

    Example: cxr-pipeline libs build runs/medical-cxr-vqa
    """
    from pipeline.clinical.dictionaries import TermCounter
    from pipeline.exports.dictionaries import write_libraries

    counter = TermCounter()
    skipped = 0
    for record in _records(source):
        if record is None:
            skipped += 1
        else:
            counter.add(record)
    folder = out or (source / "libs" if source.is_dir() else source.parent / "libs")
    try:
        sizes = write_libraries(counter, folder)
    except OSError as error:
        raise StorageError(f"cannot write in {folder}: {error.strerror}") from None
    for kind, terms in sizes.items():
        typer.echo(f"{terms:>8,} {kind} terms")
    broken = f" ({skipped:,} broken ones passed over)" if skipped else ""
    typer.echo(f"of {counter.records:,} records{broken}  {folder}")


def _records(source: Path) -> Iterator[Mapping[str, Any] | None]:
    """KeyInfo records of a run folder or file; None for a broken one."""
    from pipeline.clinical.keyinfo import CATEGORIES
    from pipeline.core.jsonl import iter_objects
    from pipeline.exports.all_diseases import read
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe
    from pipeline.run.store import StageStore

    if source.is_file():
        try:
            for record in read(source):
                whole = isinstance(record, dict) and any(key in record for key in CATEGORIES)
                yield record if whole and isinstance(record, dict) else None
        except DataError as error:
            raise ConfigError(f"{source} is no KeyInfo file: {error.detail}") from None
        return
    folder = RunFolder(source)
    stages = [stage.name for stage in stored_recipe(folder).stages if stage.use == "postprocess"]
    if not stages:
        raise ConfigError(f"{source}: the recipe has no postprocess stage, so there is no KeyInfo")
    store = StageStore(folder.stage(stages[-1]))
    if store.manifest() is None:
        raise ConfigError(f"stage {stages[-1]} of {source} is not complete; run it first")
    yield from iter_objects(store.records_path)
