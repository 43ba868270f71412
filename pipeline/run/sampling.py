"""A seeded sample of a run's studies with their records and reports, for experts to look at."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.core.jsonl import iter_objects
from pipeline.core.records import Record, root_id
from pipeline.run.folder import RunFolder
from pipeline.run.recipe import Recipe
from pipeline.run.store import StageStore

PREFERRED = ("postprocess", "combine", "questions")
"""Kinds of stages that are sampled by default, in this order; else the recipe's last stage."""


@dataclass(slots=True)
class SampledStudy:
    """One study of a sample.

    Attributes:
        id: the study.
        report: the text handed to the model; empty where the run has none.
        records: what the sampled stage made of it.
    """

    id: str
    report: str = field(default="", repr=False)
    records: list[Record] = field(default_factory=list, repr=False)


def stage_to_sample(recipe: Recipe, name: str | None) -> str:
    """The stage to sample: the named one, or the most telling one.

    Raises:
        ConfigError: the recipe has no such stage.
    """
    if name is not None:
        return recipe.stage(name).name
    for kind in PREFERRED:
        for stage in reversed(recipe.stages):
            if stage.use == kind:
                return stage.name
    return recipe.stages[-1].name


def draw_sample(
    folder: RunFolder,
    recipe: Recipe,
    stage: str,
    size: int,
    *,
    seed: int = 0,
    exclude: frozenset[str] = frozenset(),
) -> list[SampledStudy]:
    """``size`` studies of a complete stage, in the order of the run.

    Studies are drawn like those of ``source.sample``: a larger sample holds the smaller one, and
    the order of the input does not matter.

    Raises:
        ConfigError: the stage is not complete, or has fewer studies.
    """
    studies = dict.fromkeys(_study(record) for record in _records(folder, stage))
    candidates = [study for study in studies if study not in exclude]
    if len(candidates) < size:
        raise ConfigError(
            f"sample: {size:,} studies asked for, {len(candidates):,} are there; lower --n"
        )
    drawn = frozenset(
        study
        for _, study in heapq.nsmallest(
            size, ((stable_seed("sample", seed, study), study) for study in candidates)
        )
    )
    sample = {study: SampledStudy(study) for study in candidates if study in drawn}
    for record in _records(folder, stage):
        if (chosen := sample.get(_study(record))) is not None:
            chosen.records.append(record)
    for entry in recipe.stages:
        if entry.use == "sections" and StageStore(folder.stage(entry.name)).manifest():
            for record in _records(folder, entry.name):
                if (chosen := sample.get(_study(record))) is not None:
                    chosen.report = str(record.get("reading") or "")
    return list(sample.values())


def _records(folder: RunFolder, stage: str) -> Iterator[Record]:
    store = StageStore(folder.stage(stage))
    if store.manifest() is None:
        raise ConfigError(f"stage {stage} of {folder.root} is not complete; run it first")
    return iter_objects(store.records_path)


def _study(record: Record) -> str:
    return str(record.get("study_id") or root_id(str(record["id"])))
