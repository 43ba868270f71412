"""Carrying a recipe to its end: stage after stage, each complete and sealed before the next."""

from __future__ import annotations

import asyncio
import platform
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, islice
from types import FrameType
from typing import Any

import pipeline
from pipeline.core.errors import ConfigError, ResumeMismatch, Stopped
from pipeline.core.jsonl import iter_lines, load_line
from pipeline.llm.config import BackendConfig
from pipeline.llm.governance import Gate
from pipeline.llm.types import Ask, Deferred
from pipeline.run.answer import Answerer, chunk_of
from pipeline.run.asking import answer_rows, stopped_by_signals
from pipeline.run.folder import RunFolder
from pipeline.run.graph import Graph, Staleness
from pipeline.run.identity import say_changes
from pipeline.run.models import ModelPlace
from pipeline.run.pool import WorkerPool, build_stage, stage_spec
from pipeline.run.progress import Reporter, SilentReporter
from pipeline.run.recipe import Recipe, StageEntry
from pipeline.run.rework import merge, rows_to_retry
from pipeline.run.rows import FileRows
from pipeline.run.store import Chunk, Progress, StageStore, StageWriter
from pipeline.sources import Source
from pipeline.stages.base import Reject, SetStage


@dataclass(frozen=True, slots=True)
class Selection:
    """Which stages to run.

    Attributes:
        only: this one alone; its input must be complete.
        start: from this one on; what comes before must be complete.
        until: stop after this one.
        rebuild: make these again, and what stands on them.
    """

    only: str | None = None
    start: str | None = None
    until: str | None = None
    rebuild: tuple[str, ...] = ()

    def names(self, recipe: Recipe) -> list[str]:
        """The selected stages in order.

        Raises:
            ConfigError: a name is unknown, or the selection is empty.
        """
        names = [stage.name for stage in recipe.stages]
        for name in (self.only, self.start, self.until, *self.rebuild):
            if name is not None:
                recipe.stage(name)
        if self.only is not None:
            if self.start or self.until:
                raise ConfigError("--only cannot be combined with --from or --until")
            return [self.only]
        first = names.index(self.start) if self.start else 0
        last = names.index(self.until) if self.until else len(names) - 1
        if first > last:
            raise ConfigError(f"--from {self.start} comes after --until {self.until}")
        return names[first : last + 1]


@dataclass(slots=True)
class RunResult:
    """What a run came to: the manifests of all its complete stages, in order."""

    manifests: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Failed records over all stages."""
        return sum(manifest["counts"]["rejected"] for manifest in self.manifests.values())


class Runner:
    """Runs or resumes the selected stages of a recipe in a run folder whose lock is held."""

    def __init__(
        self,
        folder: RunFolder,
        recipe: Recipe,
        source: Source,
        gate: Gate,
        *,
        selection: Selection | None = None,
        workers: int | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self._folder = folder
        self._recipe = recipe
        self._source = source
        self._gate = gate
        self._selection = selection or Selection()
        self._workers = workers
        self._reporter = reporter or SilentReporter()
        self._graph = Graph(folder, recipe, source)

    def run(self) -> RunResult:
        """Run what is left to do.

        Raises:
            ResumeMismatch: a stage is stale; says why and how to go on.
            ConfigError: a stage lacks something of the user's, such as a folder of images.
            Stopped: stopped early; the same command goes on.
            GovernanceError: refused before anything was sent.
        """
        selected = self._selection.names(self._recipe)
        self._refuse_unready(selected)
        self._agree_to_rebuild()
        self._refuse_stale(selected)
        result = RunResult()
        with WorkerPool(self._workers) as pool, _interruptible():
            for stage in self._recipe.stages:
                store = self._graph.store(stage.name)
                if stage.name not in selected:
                    self._require_complete(stage, selected)
                    if (manifest := store.manifest()) is not None:
                        result.manifests[stage.name] = manifest
                    continue
                result.manifests[stage.name] = self._run_stage(stage, pool)
        return result

    def _agree_to_rebuild(self) -> None:
        for name in self._selection.rebuild:
            store = self._graph.store(name)
            if store.may_rebuild() and store.manifest() is None:
                continue  # the rebuild was agreed to before and is under way
            store.clear()
            for affected in (name, *self._recipe.descendants(name)):
                self._graph.store(affected).allow_rebuild()

    def _refuse_unready(self, selected: list[str]) -> None:
        for name in selected:
            stage = self._recipe.stage(name)
            complete = self._graph.store(name).manifest() is not None
            if not complete and (problem := stage.missing(self._source.config)):
                raise ConfigError(problem)

    def _refuse_stale(self, selected: list[str]) -> None:
        """Say at once what cannot be resumed, before hours are spent on the stages before it."""
        for name in selected:
            stage = self._recipe.stage(name)
            if not self._graph.store(name).may_rebuild():
                self._refuse(stage, self._graph.staleness(stage, with_input=False))

    def _refuse(self, stage: StageEntry, stale: Staleness | None) -> None:
        if stale is not None and stale.parts != ["rounds"]:
            where = "" if stale.complete else " (it was not complete)"
            raise ResumeMismatch(
                f"stage {stage.name} is stale{where}: {say_changes(stale.parts)}. Make it again "
                f"with --rebuild {stage.name} (replies that still fit are reused), or choose "
                "another --run-dir"
            )

    def _require_complete(self, stage: StageEntry, selected: list[str]) -> None:
        needed = {self._recipe.stage(name).after for name in selected}
        if stage.name in needed and self._graph.store(stage.name).manifest() is None:
            raise ConfigError(
                f"stage {stage.name} is not complete, and the selected stages stand on it; "
                "run without --only and --from"
            )

    def _run_stage(self, stage: StageEntry, pool: WorkerPool) -> dict[str, Any]:
        store = self._graph.store(stage.name)
        parts = self._graph.parts(stage)
        stale = self._graph.staleness(stage)
        manifest = store.manifest()
        if manifest is not None and stale is None:
            store.allow_rebuild(False)
            self._reporter.skip(stage.name, manifest["counts"])
            return manifest
        if stage.after is not None:
            before = self._graph.store(stage.after)
            before.verify(self._graph.manifest(stage.after))
        if manifest is not None and stale is not None and stale.parts == ["rounds"]:
            if issubclass(stage.type, SetStage):
                store.clear()
                for affected in self._recipe.descendants(stage.name):
                    self._graph.store(affected).allow_rebuild()
            else:
                return self._rework(stage, store, manifest, parts, pool)
        elif stale is not None:
            if not store.may_rebuild():
                self._refuse(stage, stale)
            store.clear()
        started = datetime.now(UTC)
        total = self._graph.total(stage)
        if issubclass(stage.type, SetStage):
            state = self._answer_set(stage, store, parts, total)
        else:
            state = self._answer_rows(stage, store, parts, self._graph.input_lines, pool, total)
        if total is not None and state.rows != total:
            raise ResumeMismatch(
                f"stage {stage.name}: {total:,} rows went in, {state.rows:,} were answered; "
                "this is a defect, please report it"
            )
        return self._seal(stage, store, state, started)

    def _answer_rows(
        self,
        stage: StageEntry,
        store: StageStore,
        parts: dict[str, str],
        lines: Callable[[StageEntry], Iterator[bytes]],
        pool: WorkerPool,
        total: int | None,
    ) -> Progress:
        rounds = self._graph.store(stage.name).rounds()
        backend = self._graph.backend(stage)
        if backend is None or backend.kind == "rules":
            spec = stage_spec(stage.name, stage.use, self._graph.params(stage), rounds)
            rows = _started(lines(stage))
            with StageWriter(store, parts) as writer:
                self._reporter.start(stage.name, total, writer.state.rows)
                rest = islice(rows, writer.state.rows, None)
                for chunk in pool.answer(spec, rest):
                    self._append(writer, chunk)
            return writer.state

        return asyncio.run(self._ask_model(stage, store, parts, lines, total, backend, rounds))

    async def _ask_model(
        self,
        stage: StageEntry,
        store: StageStore,
        parts: dict[str, str],
        lines: Callable[[StageEntry], Iterator[bytes]],
        total: int | None,
        backend: BackendConfig,
        rounds: dict[str, int],
    ) -> Progress:
        worker = build_stage(stage.use, self._graph.params(stage))

        async def collect(ask: Ask) -> None:
            answerer = Answerer(stage.name, worker, ask, rounds)
            for line in lines(stage):
                with suppress(Deferred):
                    await answerer.answer(line)
            self._reporter.note(f"{stage.name}: waiting for batch jobs, if any are open")

        run_id = self._folder.read()["run_id"]
        place = ModelPlace(self._folder, self._gate, run_id, self._reporter.note)
        async with stopped_by_signals(), place.open(backend, stage.name, collect) as model:
            answerer = Answerer(stage.name, worker, model.ask, rounds)
            with StageWriter(store, parts, usage=model.usage) as writer:
                self._reporter.start(stage.name, total, writer.state.rows)
                rest = islice(lines(stage), writer.state.rows, None)
                await answer_rows(
                    answerer, rest, lambda chunk: self._append(writer, chunk), model.workers
                )
            return writer.state

    def _answer_set(
        self, stage: StageEntry, store: StageStore, parts: dict[str, str], total: int | None
    ) -> Progress:
        # A set stage is a pass over all rows: it starts anew, which gives the same bytes.
        store.clear()
        cls = stage.type
        assert issubclass(cls, SetStage)
        worker = cls(cls.params_type.model_validate(self._graph.params(stage)))
        assert stage.after is not None
        path = self._graph.store(stage.after).records_path
        with StageWriter(store, parts) as writer, FileRows(path) as rows:
            self._reporter.start(stage.name, total, 0)
            ids = (str(load_line(line)["id"]) for line in iter_lines(path))
            for record_id, result in zip(ids, worker.process(rows), strict=True):
                answer: Any = result if isinstance(result, Reject) else list(result)
                self._append(writer, chunk_of(stage.name, cls.fans_out, record_id, answer))
        if (left := worker.leftovers()) is not None:
            store.write_unused(left)
        return writer.state

    def _append(self, writer: StageWriter, chunk: Chunk) -> None:
        writer.append(chunk)
        self._reporter.advance(chunk.rows, sum(chunk.reasons.values()))

    def _rework(
        self,
        stage: StageEntry,
        store: StageStore,
        manifest: dict[str, Any],
        parts: dict[str, str],
        pool: WorkerPool,
    ) -> dict[str, Any]:
        """Answer the retried rows anew and merge them with the rest."""
        started = datetime.now(UTC)
        before = manifest.get("rounds", {})
        ids = {i for i, round_ in store.rounds().items() if before.get(i) != round_}
        for affected in self._recipe.descendants(stage.name):
            self._graph.store(affected).allow_rebuild()

        def lines(entry: StageEntry) -> Iterator[bytes]:
            return rows_to_retry(self._graph.input_lines(entry), ids)

        fresh = self._answer_rows(stage, store.retried, parts, lines, pool, len(ids))
        old = Progress(parts, usage=dict(manifest.get("usage", {})), seconds=manifest["seconds"])
        order: Iterable[str] = (
            str(load_line(line)["id"]) for line in self._graph.input_lines(stage)
        )
        cls = stage.type
        state = merge(store, ids, order, old, fans_out=cls.fans_out)
        state.seconds += fresh.seconds
        state.usage = fresh.usage or state.usage
        sealed = self._seal(stage, store, state, started)
        store.drop_retried()
        return sealed

    def _seal(
        self, stage: StageEntry, store: StageStore, state: Progress, started: datetime
    ) -> dict[str, Any]:
        facts = {
            "stage": stage.name,
            "use": stage.use,
            "params": stage.params,
            "backend": self._graph.backend_facts(stage),
            "parts": state.parts,
            "rounds": store.rounds(),
            "versions": {"cxr-pipeline": pipeline.__version__, "python": platform.python_version()},
            "governance": self._gate.record(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "resumed_at": started.isoformat(timespec="seconds"),
            "usage": state.usage,
            **store.unused(),
        }
        manifest = store.seal(state, facts)
        self._reporter.finish(stage.name, manifest["counts"], state.seconds)
        return manifest


def _started(lines: Iterator[bytes]) -> Iterator[bytes]:
    """The same lines, the first already read: input that cannot be read fails before any output."""
    first = next(lines, None)
    return iter(()) if first is None else chain([first], lines)


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn Ctrl-C and SIGTERM into a resumable stop.

    Raises:
        Stopped: a signal came.
    """

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Stopped(f"stopped by {signal.Signals(number).name}; run the same command to go on")

    main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if main else None
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped("interrupted; run the same command to go on") from None
    finally:
        if main:
            signal.signal(signal.SIGTERM, before)
