"""Files for other tools, made of complete stages and remade only when those changed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pipeline.core.atomic import make_private_dir, write_json
from pipeline.core.errors import ConfigError, GovernanceError, StorageError
from pipeline.core.hashing import sha256_file
from pipeline.core.jsonl import iter_objects
from pipeline.exports.images import ImagePlace
from pipeline.exports.registry import (
    FORMATS,
    file_writer,
    find_format,
    sample_adapter,
    sample_format,
    sample_stages,
)
from pipeline.exports.sample_files import FolderFacts, write_folder
from pipeline.exports.survey import Samples
from pipeline.run.folder import RunFolder, git_would_track
from pipeline.run.recipe import ExportEntry, Recipe
from pipeline.run.store import StageStore, read_json
from pipeline.stages.image_pairs import ImageRoot

CATALOGUE = "manifest.json"


def write_exports(folder: RunFolder, recipe: Recipe, data_class: str) -> dict[str, dict[str, Any]]:
    """Write the recipe's exports whose stage is complete; returns what is known of each."""
    catalogue = (read_json(folder.exports / CATALOGUE) or {}).get("files", {})
    wanted = {}
    for entry in recipe.exports:
        manifest = StageStore(folder.stage(entry.stage)).manifest()
        if manifest is None:
            continue
        wanted[entry.file] = _write(folder, recipe, entry, manifest, catalogue.get(entry.file))
    if wanted and wanted != catalogue:
        write_json(
            folder.exports / CATALOGUE,
            {
                "files": {**catalogue, **wanted},
                "data_class": data_class,
                "contains_restricted_derivatives": data_class == "credentialed",
                "notice": notice(data_class),
            },
        )
    return wanted


def _write(
    folder: RunFolder,
    recipe: Recipe,
    entry: ExportEntry,
    manifest: dict[str, Any],
    known: dict[str, Any] | None,
) -> dict[str, Any]:
    path = folder.exports / entry.file
    made_of = {
        "format": entry.format,
        "stage": entry.stage,
        "made_of": manifest["output"]["records"]["sha256"],
        "options": entry.model_dump(mode="json", include={"split", "name", "images"}),
    }
    if known is not None and made_of.items() <= known.items() and _is_there(path, known):
        return known
    make_private_dir(folder.exports)
    return {**made_of, **write_export(folder, recipe, entry, path)}


def _is_there(path: Path, known: dict[str, Any]) -> bool:
    sizes = {path / name: facts["bytes"] for name, facts in known.get("files", {}).items()}
    if not sizes:
        sizes = {path: known.get("bytes")}
    return all(file.is_file() and file.stat().st_size == size for file, size in sizes.items())


def write_export(
    folder: RunFolder, recipe: Recipe, entry: ExportEntry, path: Path
) -> dict[str, Any]:
    """Write one export of a complete stage to ``path``, a file or a folder by its format.

    Returns:
        ``rows``, and what is known of the files: ``bytes`` and ``sha256`` of a file, ``files`` and
        ``skipped`` (reason -> records) of a folder.

    Raises:
        ConfigError: unknown format, the stage is not complete, or it holds no sample.
        DataError: ``leakage`` or ``unknown_split``.
        GovernanceError: git would pick up what is made of credentialed data.
        StorageError: the file cannot be written; what was there before stays.
    """
    format_ = find_format(entry.format)
    kind = recipe.stage(entry.stage).use
    store = StageStore(folder.stage(entry.stage))
    if store.manifest() is None:
        raise ConfigError(f"stage {entry.stage} of {folder.root} is not complete; run it first")
    place = path if path.is_dir() else path.parent
    if folder.read()["data_class"] == "credentialed" and git_would_track(place):
        raise GovernanceError(
            f"{path} lies in a git work tree that does not ignore it and would hold credentialed "
            "text; choose another --out or add it to .gitignore"
        )
    try:
        if not format_.is_folder:
            rows = file_writer(entry.format)(iter_objects(store.records_path), path)
            return {"rows": rows, "bytes": path.stat().st_size, "sha256": sha256_file(path)}
        samples_as = sample_format(entry.format)
        samples = Samples(
            lambda: iter_objects(store.records_path),
            sample_adapter(kind),
            entry.split,
            refuse=samples_as.refusal,
            marks_images=samples_as.marks_images,
            images=ImagePlace(entry.images, path, _images_root(recipe, entry.stage)),
        )
        make_private_dir(path)
        made = write_folder(samples_as, samples, path, _facts(folder, recipe, entry))
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    return {"rows": made["rows"], "files": made["files"], "skipped": made["skipped"]}


def _images_root(recipe: Recipe, stage: str) -> Path | None:
    """The folder that the images of a stage's records are relative to, where a stage says it."""
    name: str | None = stage
    while name is not None:
        entry = recipe.stage(name)
        if issubclass(entry.type.params_type, ImageRoot):
            return entry.type.params_type.model_validate(entry.given(recipe.source)).root
        name = entry.after
    return None


def stage_for(recipe: Recipe, format_: str) -> str:
    """The recipe's last stage of a kind that a format is made of.

    Raises:
        ConfigError: the recipe has no such stage.
    """
    found = find_format(format_)
    kind = found.stage
    kinds = [kind] if kind else sample_stages(found)
    for stage in reversed(recipe.stages):
        if stage.use in kinds:
            return stage.name
    what = "samples with images" if found.takes == "images" else "samples"
    raise ConfigError(
        f"format {format_} is made of {f'a {kind} stage' if kind else what}; "
        f"recipe {recipe.name} has no such stage"
    )


def formats_for(recipe: Recipe) -> list[str]:
    """The formats that a recipe has a stage for.

    Raises:
        ConfigError: it has none.
    """
    kinds = {stage.use for stage in recipe.stages}
    found = [
        name
        for name, format_ in FORMATS.items()
        if not kinds.isdisjoint(sample_stages(format_) if format_.is_folder else [format_.stage])
    ]
    if not found:
        raise ConfigError(f"recipe {recipe.name} has no stage that can be exported")
    return found


def notice(data_class: str) -> str:
    """What every manifest says about passing the data on."""
    if data_class == "credentialed":
        return (
            "Made of credentialed data: everything here is credentialed too. Share it on PhysioNet "
            "only, under the agreement of its source, with a name such as MIMIC-CXR-Ext-NAME."
        )
    return f"Made of {data_class} data."


def _facts(folder: RunFolder, recipe: Recipe, entry: ExportEntry) -> FolderFacts:
    run = folder.read()
    data_class = str(run["data_class"])
    return FolderFacts(
        name=entry.name or re.sub(r"[^A-Za-z0-9._-]+", "-", recipe.name).strip("-.") or "samples",
        data_class=data_class,
        notice=notice(data_class),
        provenance={
            "run_id": run["run_id"],
            "recipe": {"name": recipe.name, "description": recipe.description},
            "source": {
                "kind": run["source_kind"],
                "data_class": data_class,
                "files": [{"name": f["name"], "sha256": f["sha256"]} for f in run["input"]],
            },
            "versions": run["versions"],
            "split": entry.split.model_dump(mode="json"),
            "stages": list(_stages(folder, recipe, entry.stage)),
        },
    )


def _stages(folder: RunFolder, recipe: Recipe, last: str) -> list[dict[str, Any]]:
    """Counts of the stages that lead to ``last``, the first one first."""
    chain: list[dict[str, Any]] = []
    name: str | None = last
    while name is not None:
        manifest = StageStore(folder.stage(name)).manifest() or {}
        counts = manifest.get("counts", {})
        backend = manifest.get("backend") or {}
        chain.append(
            {
                "name": name,
                "model": backend.get("model") or backend.get("kind") or "",
                "counts": {k: counts.get(k, 0) for k in ("in", "records", "filtered", "rejected")},
                "reasons": {**counts.get("reasons", {}), **counts.get("filtered_reasons", {})},
            }
        )
        name = recipe.stage(name).after
    return chain[::-1]
