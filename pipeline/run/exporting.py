"""Files for other tools, made of complete stages and remade only when those changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.atomic import make_private_dir, write_json
from pipeline.core.errors import ConfigError, StorageError
from pipeline.core.hashing import sha256_file
from pipeline.core.jsonl import iter_objects
from pipeline.exports.registry import export_stage, export_writer
from pipeline.run.folder import RunFolder
from pipeline.run.recipe import ExportEntry, Recipe
from pipeline.run.store import StageStore, read_json

CATALOGUE = "manifest.json"


def write_exports(folder: RunFolder, recipe: Recipe, data_class: str) -> dict[str, dict[str, Any]]:
    """Write the recipe's exports whose stage is complete; returns what is known of each file."""
    catalogue = (read_json(folder.exports / CATALOGUE) or {}).get("files", {})
    wanted = {}
    for entry in recipe.exports:
        manifest = StageStore(folder.stage(entry.stage)).manifest()
        if manifest is None:
            continue
        wanted[entry.file] = _write(folder, entry, manifest, catalogue.get(entry.file))
    if wanted and wanted != catalogue:
        write_json(
            folder.exports / CATALOGUE,
            {
                "files": {**catalogue, **wanted},
                "data_class": data_class,
                "notice": notice(data_class),
            },
        )
    return wanted


def _write(
    folder: RunFolder, entry: ExportEntry, manifest: dict[str, Any], known: dict[str, Any] | None
) -> dict[str, Any]:
    path = folder.exports / entry.file
    made_of = manifest["output"]["records"]["sha256"]
    if (
        known is not None
        and known["format"] == entry.format
        and known["made_of"] == made_of
        and path.is_file()
        and path.stat().st_size == known["bytes"]
    ):
        return known
    make_private_dir(folder.exports)
    rows = write_export(folder, entry.format, entry.stage, path)
    return {
        "format": entry.format,
        "stage": entry.stage,
        "made_of": made_of,
        "rows": rows,
        "bytes": path.stat().st_size,
        "sha256": sha256_file(path),
    }


def write_export(folder: RunFolder, format_: str, stage: str, path: Path) -> int:
    """Write one export of a complete stage; returns its number of rows.

    Raises:
        ConfigError: unknown format, or the stage is not complete.
        StorageError: the file cannot be written; what was there before stays.
    """
    store = StageStore(folder.stage(stage))
    if store.manifest() is None:
        raise ConfigError(f"stage {stage} of {folder.root} is not complete; run it first")
    try:
        return export_writer(format_)(iter_objects(store.records_path), path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def stage_for(recipe: Recipe, format_: str) -> str:
    """The recipe's last stage of the kind a format is made of.

    Raises:
        ConfigError: the recipe has no such stage.
    """
    kind = export_stage(format_)
    for stage in reversed(recipe.stages):
        if stage.use == kind:
            return stage.name
    raise ConfigError(f"format {format_} is made of a {kind} stage; recipe {recipe.name} has none")


def notice(data_class: str) -> str:
    """What every manifest says about passing the data on."""
    if data_class == "credentialed":
        return (
            "Made of credentialed data: everything here is credentialed too. Share it on PhysioNet "
            "only, under the agreement of its source, with a name such as MIMIC-CXR-Ext-NAME."
        )
    return f"Made of {data_class} data."
