"""A whole job: recipe, source, run folder and lock put together, then run."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pipeline
from pipeline.core.errors import ConfigError, ResumeMismatch
from pipeline.llm.governance import open_gate
from pipeline.run.data_class import data_class_of
from pipeline.run.exporting import notice, write_exports
from pipeline.run.folder import RunFolder
from pipeline.run.progress import Reporter
from pipeline.run.recipe import Recipe
from pipeline.run.rework import rejected_ids
from pipeline.run.runner import Runner, RunResult, Selection
from pipeline.run.store import StageStore
from pipeline.run.summary import write_counts
from pipeline.sources import Source, open_source

MIN_FREE_BYTES = 64 << 20
"""Less free space than this, and a run is not started."""


@dataclass(frozen=True, slots=True)
class JobResult:
    """What a job came to.

    Attributes:
        result: the manifests of the complete stages.
        exports: what is known of each exported file.
        counts: path of the report of counts.
    """

    result: RunResult
    exports: dict[str, dict[str, Any]]
    counts: Path


def run_job(
    folder: RunFolder,
    recipe: Recipe,
    *,
    selection: Selection | None = None,
    workers: int | None = None,
    reporter: Reporter | None = None,
) -> JobResult:
    """Run or resume ``recipe`` in ``folder``.

    Raises:
        PipelineError: with the exit code of the command.
    """
    (selection or Selection()).names(recipe)
    source = open_source(recipe.source)
    source.inputs()
    data_class = data_class_of(recipe, source)
    check_same_run(folder, recipe)
    folder.prepare()
    with folder.locked():
        if data_class == "credentialed":
            folder.guard()
        folder.sweep()
        _check_space(folder.root)
        _describe(folder, recipe, source, data_class)
        gate = open_gate(data_class, recipe.governance, Path(recipe.folder))
        runner = Runner(
            folder, recipe, source, gate, selection=selection, workers=workers, reporter=reporter
        )
        result = runner.run()
        exports = write_exports(folder, recipe, data_class)
        counts = write_counts(folder, recipe)
    return JobResult(result, exports, counts)


def stored_recipe(folder: RunFolder) -> Recipe:
    """The recipe a run folder was made with.

    Raises:
        ConfigError: no run folder.
    """
    return Recipe.model_validate(folder.read()["recipe"])


def check_same_run(folder: RunFolder, recipe: Recipe) -> None:
    """Refuse to mix two recipes in one folder.

    Raises:
        ResumeMismatch: the folder holds a run of another recipe.
    """
    if not folder.exists():
        return
    there = folder.read()["recipe"]["name"]
    if there != recipe.name:
        raise ResumeMismatch(
            f"{folder.root} holds a run of recipe {there}, not {recipe.name}; "
            "choose another --run-dir"
        )


def mark_for_retry(
    folder: RunFolder, recipe: Recipe, *, stage: str | None = None, reason: str | None = None
) -> dict[str, int]:
    """Put rejected records back to work; returns how many per stage.

    The next run answers them anew and joins them with the rest.

    Raises:
        ConfigError: an unknown stage, or one that is not complete.
    """
    if stage is not None:
        recipe.stage(stage)
    marked: dict[str, int] = {}
    with folder.locked():
        for entry in recipe.stages:
            if stage is not None and entry.name != stage:
                continue
            store = StageStore(folder.stage(entry.name))
            manifest = store.manifest()
            if manifest is None:
                if entry.name == stage:
                    raise ConfigError(f"stage {stage} is not complete; run it first")
                continue
            ids = rejected_ids(store, reason)
            if ids:
                # Counted from the sealed state, so that marking twice asks once.
                rounds = dict(manifest.get("rounds", {}))
                rounds.update({i: rounds.get(i, 0) + 1 for i in ids})
                store.write_rounds(rounds)
                marked[entry.name] = len(ids)
    return marked


def _check_space(path: Path) -> None:
    free = shutil.disk_usage(path).free
    if free < MIN_FREE_BYTES:
        raise ConfigError(f"{path}: only {free >> 20} MiB free; make room first")


def _describe(folder: RunFolder, recipe: Recipe, source: Source, data_class: str) -> None:
    """Write ``run.json``: what this run is, in full."""
    run_id = folder.read()["run_id"] if folder.exists() else uuid.uuid4().hex
    folder.write(
        {
            "run_id": run_id,
            "recipe": recipe.model_dump(mode="json"),
            "data_class": data_class,
            "notice": notice(data_class),
            "source_kind": source.kind,
            "input": source.inputs(),
            "versions": {"cxr-pipeline": pipeline.__version__},
        }
    )
