"""What ``run`` would do, without doing it: which stages, on how many records, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pipeline.run.data_class import data_class_of
from pipeline.run.folder import RunFolder
from pipeline.run.forecast import Forecast, forecast
from pipeline.run.graph import Graph
from pipeline.run.identity import say_changes
from pipeline.run.recipe import Recipe
from pipeline.run.runner import Selection
from pipeline.sources import open_source


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage.

    Attributes:
        stage: its name.
        state: ``complete``, ``resume``, ``run``, ``rework``, ``stale`` or ``not selected``.
        left: rows it still has to answer; None where that depends on a stage not run yet.
        why: what changed, for a stale stage.
        backend: the backend it asks, if any.
        forecast: what it would ask a model, if it does.
    """

    stage: str
    state: str
    left: int | None
    why: str = ""
    backend: str = ""
    forecast: Forecast | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do.

    Attributes:
        reports: reports the source gives after selection.
        data_class: how the source is governed.
        kind: kind of the source.
        stages: one entry per stage.
    """

    reports: int
    data_class: str
    kind: str
    stages: list[PlannedStage]


def make_plan(folder: RunFolder, recipe: Recipe, selection: Selection) -> Plan:
    """Look at source and run folder; nothing is written and nothing is sent.

    Raises:
        ConfigError: the source or the selection cannot work.
    """
    source = open_source(recipe.source)
    reports = sum(1 for _ in source.locators())
    graph = Graph(folder, recipe, source)
    selected = selection.names(recipe)
    rebuilt = set(selection.rebuild)
    for name in selection.rebuild:
        rebuilt.update(recipe.descendants(name))
    records: dict[str | None, int | None] = {None: reports}
    known = True
    stages = []
    for stage in recipe.stages:
        store = graph.store(stage.name)
        rows_in = records.get(stage.after)
        manifest = store.manifest()
        planned = PlannedStage(stage.name, "run", rows_in, backend=stage.backend or "")
        if stage.name not in selected:
            planned = PlannedStage(stage.name, "not selected", None)
        elif stage.name in rebuilt:
            known = False
        else:
            complete_input = stage.after is None or (
                known and graph.store(stage.after).manifest() is not None
            )
            stale = graph.staleness(stage, with_input=complete_input)
            if stale is not None and stale.parts == ["rounds"]:
                again = len(store.rounds())
                planned = PlannedStage(stage.name, "rework", again, backend=stage.backend or "")
                known = False
            elif stale is not None and not store.may_rebuild():
                why = say_changes(stale.parts)
                planned = PlannedStage(stage.name, "stale", rows_in, why, stage.backend or "")
                known = False
            elif manifest is not None and stale is None and known:
                planned = PlannedStage(stage.name, "complete", 0, backend=stage.backend or "")
            elif (progress := store.progress()) is not None and stale is None:
                left = None if rows_in is None else rows_in - progress.rows
                planned = PlannedStage(stage.name, "resume", left, backend=stage.backend or "")
                known = False
            else:
                known = False
        if planned.state in ("run", "resume"):
            ahead = forecast(graph, recipe, folder, stage, reports)
            planned = replace(planned, forecast=ahead)
        stages.append(planned)
        done = manifest is not None and planned.state in ("complete", "not selected")
        records[stage.name] = manifest["counts"]["records"] if done and manifest else None
    return Plan(reports, data_class_of(recipe, source), source.kind, stages)
