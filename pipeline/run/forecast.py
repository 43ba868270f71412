"""What a stage would ask a model, before anything is sent.

Where the stage's input is there, its requests are built for every row. Where it is not, the first
reports of the source are put through the stages before it in memory, the rules answering in place
of models, and the counts are scaled up.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from pipeline.core.errors import ConfigError
from pipeline.core.jsonl import dump_line, load_line
from pipeline.core.records import Record
from pipeline.llm.backends import rules
from pipeline.llm.estimate import Estimate, estimate
from pipeline.llm.types import Ask, Outcome, Reply, Request
from pipeline.run.answer import Answerer, run_to_end
from pipeline.run.folder import RunFolder
from pipeline.run.graph import Graph
from pipeline.run.pool import build_stage
from pipeline.run.recipe import Recipe, StageEntry
from pipeline.stages.base import Reject, SetStage

SAMPLE = 200
"""Reports looked at where a stage's input is not there yet."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What one stage would ask.

    Attributes:
        estimate: requests, tokens, money and time of the rows looked at.
        looked_at: number of reports, or of input rows, the estimate rests on.
        scale: what to multiply its counts with; 1 where all rows were looked at.
    """

    estimate: Estimate
    looked_at: int
    scale: float


def forecast(
    graph: Graph, recipe: Recipe, folder: RunFolder, stage: StageEntry, reports: int
) -> Forecast | None:
    """What ``stage`` would ask; None if it asks no model.

    Args:
        graph: the stages on disk.
        recipe: the recipe.
        folder: where the journal is looked up.
        stage: the stage in question.
        reports: reports of the source.
    """
    backend = graph.backend(stage)
    if backend is None or backend.kind == "rules":
        return None
    assert stage.after is not None
    manifest = graph.store(stage.after).manifest()
    looked_at = manifest["counts"]["records"] if manifest else min(SAMPLE, reports)
    lines = graph.input_lines(stage) if manifest else _sampled(graph, recipe, stage.after)
    made = estimate(_requests(graph, stage, lines), backend, folder.replies)
    scale = 1.0 if manifest or not looked_at else reports / looked_at
    return Forecast(made, looked_at, scale)


def _requests(graph: Graph, stage: StageEntry, lines: Iterator[bytes]) -> Iterator[Request]:
    """The requests of a stage, each followed by the answer the rules would give."""
    asked: list[Request] = []

    async def ask(request: Request) -> Reply:
        asked.append(request)
        return _stand_in(request)

    answerer = _answerer(graph, stage, ask)
    for line in lines:
        run_to_end(answerer, line)
        yield from asked
        asked.clear()


def _sampled(graph: Graph, recipe: Recipe, last: str) -> Iterator[bytes]:
    """Rows of the stage ``last``, made in memory of the first reports of the source."""
    chain: list[StageEntry] = []
    name: str | None = last
    while name is not None:
        chain.insert(0, recipe.stage(name))
        name = chain[0].after

    async def ask(request: Request) -> Reply:
        return _stand_in(request)

    lines = list(islice(graph.input_lines(chain[0]), SAMPLE))
    for stage in chain:
        lines = list(_made(graph, stage, lines, ask))
    return iter(lines)


def _made(graph: Graph, stage: StageEntry, lines: list[bytes], ask: Ask) -> Iterator[bytes]:
    cls = stage.type
    if issubclass(cls, SetStage):
        worker = cls(cls.params_type.model_validate(graph.params(stage)))
        for result in worker.process(_Rows([load_line(line) for line in lines])):
            if not isinstance(result, Reject):
                yield from (dump_line(record) for record in result)
        return
    answerer = _answerer(graph, stage, ask)
    for line in lines:
        yield from run_to_end(answerer, line).records.splitlines(keepends=True)


def _answerer(graph: Graph, stage: StageEntry, ask: Ask) -> Answerer:
    return Answerer(stage.name, build_stage(stage.use, graph.params(stage)), ask)


def _stand_in(request: Request) -> Reply:
    try:
        return rules.answer(request)
    except ConfigError:
        return Reply(Outcome.FAILED, detail="no_rules_for_task")


class _Rows:
    """A short list as the rows of a set stage."""

    def __init__(self, rows: list[Record]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Record]:
        return iter(self._rows)

    def at(self, position: int) -> Record:
        """The row with this number."""
        return self._rows[position]


def scaled(value: float | None, scale: float) -> float | None:
    """A count or amount for all reports; None stays unknown."""
    return None if value is None else value * scale
