"""``evaluate answers``: scores by a judge, comparison of two systems, agreement with experts."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError, ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipeline.core.records import Record
    from pipeline.evaluation.answers import Answer
    from pipeline.evaluation.judged import Judgements
    from pipeline.run.folder import RunFolder
    from pipeline.run.recipe import Recipe
    from pipeline.sources.config import SourceConfig

_CLASSES = ("credentialed", "public", "synthetic")
_MOST_SYSTEMS = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_RUN = "run"
_ROWS = "answers.jsonl"
_SCORES = "scores.json"
_TEXT_SCORES = "text_scores.json"


def answers(
    systems: Annotated[
        list[str],
        typer.Argument(
            help="Answers of a system: a run folder, CSV or JSONL file.", metavar="NAME=PATH..."
        ),
    ],
    by: Annotated[
        str,
        typer.Option("--by", help="judge, or text: likeness to expected answers, no model."),
    ] = "judge",
    out: Annotated[Path, typer.Option("--out", help="Folder of the evaluation, resumable.")] = Path(
        "runs/judge"
    ),
    recipe: Annotated[
        str, typer.Option("--recipe", help="Recipe with the judge's stages and backends.")
    ] = "judge",
    backend: shared.Backend = None,
    count: Annotated[
        int | None, typer.Option("--n", min=1, help="Judge a seeded sample of N questions.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of sample and intervals.")] = 0,
    other: Annotated[
        Path | None,
        typer.Option(
            "--agree-with",
            help="Scores to agree with: CSV of experts, or another evaluation's folder.",
        ),
    ] = None,
    replicates: Annotated[
        int, typer.Option("--replicates", min=0, help="Bootstrap samples of the intervals.")
    ] = 1000,
    sets: shared.Sets = None,
    rebuild: shared.Rebuild = None,
) -> int:
    """Judge the answers of one system, or of several and which of two is better.

    Each answer gets 1 to 4 for accuracy, conciseness, understandability and consistency. Two
    systems are compared in both orders. Run it again to resume: replies are kept.

    With --by text nothing is asked: ROUGE, BLEU, exact match and the findings both texts speak of,
    against the column reference or response.
    """
    if by == "text":
        return _score_texts(systems, replicates, seed, out)
    if by != "judge":
        raise ConfigError("--by takes judge or text")
    from pipeline.core.atomic import write_json
    from pipeline.evaluation.judge_report import judge_report, show_report
    from pipeline.evaluation.judged import Resampling
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import run_job
    from pipeline.run.progress import reporter_for
    from pipeline.run.recipe import load_recipe
    from pipeline.run.runner import Selection

    others = _others(other)
    named = _named(systems)
    source, dropped = _prepare(_read(named), out, count, seed)
    judge = load_recipe(recipe, sets=sets or (), source=source.model_dump(), backend=backend)
    console = shared.make_console()
    reporter = reporter_for(console)
    folder = RunFolder(out / _RUN)
    chosen = Selection(rebuild=tuple(rebuild or ()))
    try:
        job = run_job(folder, judge, selection=chosen, reporter=reporter)
    finally:
        reporter.close()
    report = judge_report(
        _records(folder, judge, "judge"),
        _records(folder, judge, "compare"),
        others,
        Resampling(replicates, seed),
        {
            "judge": _judge(judge),
            "data_class": folder.read()["data_class"],
            "notice": folder.read()["notice"],
            "dropped": dropped,
            "rejected": job.result.rejected,
        },
    )
    write_json(out / _SCORES, report)
    show_report(console, report)
    console.print(f"\nscores  {out / _SCORES}", highlight=False, markup=False)
    for kept in _keep(report, named, out):
        console.print(f"        {kept}", highlight=False, markup=False)
    return ExitCode.REJECTS if job.result.rejected else ExitCode.DONE


def _keep(report: dict[str, Any], systems: dict[str, Path], out: Path) -> Iterator[Path]:
    """Put the scores into the runs that were judged and into the judge's own, for their reports."""
    from pipeline.run.evaluations import keep_evaluation
    from pipeline.run.exporting import stage_for
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe

    asked = {"out": str(out.resolve())}
    judge = out / _RUN if report["kind"] == "answers" else None
    runs: dict[Path, dict[str, str]] = {} if judge is None else {judge: {}}
    for name, path in systems.items():
        if path.is_dir():
            stage = stage_for(stored_recipe(RunFolder(path)), "alpaca")
            runs.setdefault(path, {})[name] = stage
    for path, stages in runs.items():
        yield keep_evaluation(RunFolder(path), report, about="", asked=asked, stages=stages)


def _score_texts(systems: list[str], replicates: int, seed: int, out: Path) -> int:
    """Print how close answers are to the expected ones, and write it to ``text_scores.json``."""
    from pipeline.cli import evaluating
    from pipeline.core.atomic import make_private_dir, write_json
    from pipeline.evaluation.text_scores import FIGURES, score_texts

    console = shared.make_console()
    report: dict[str, Any] = {"kind": "texts", "replicates": replicates, "seed": seed}
    named = _named(systems)
    scored = {
        name: score_texts(answers, replicates=replicates, seed=seed)
        for name, (answers, _) in _read(named).items()
    }
    title = "likeness to the expected answers, with 95 % intervals"
    table = evaluating.make_table(console, title, ("figure", *scored))
    for figure in FIGURES:
        values = [score.figures[figure] for score in scored.values()]
        table.add_row(figure, *("-" if v is None else evaluating.with_interval(v) for v in values))
    console.print(table)
    for name, score in scored.items():
        left = f", {score.without_reference:,} without an expected one left out"
        evaluating.show_notes(
            [
                f"{name}: {score.rows:,} rows, {score.empty:,} without an answer (counted as wrong)"
                f"{left if score.without_reference else ''}; BLEU of sacreBLEU, tok:{score.tokens}"
            ],
            console,
        )
    report["systems"] = {name: score.as_json() for name, score in scored.items()}
    try:
        make_private_dir(out)
        write_json(out / _TEXT_SCORES, report)
    except OSError as error:
        raise ConfigError(f"cannot write {out / _TEXT_SCORES}: {error.strerror}") from None
    console.print(f"\nscores  {out / _TEXT_SCORES}", highlight=False, markup=False)
    for kept in _keep(report, named, out):
        console.print(f"        {kept}", highlight=False, markup=False)
    return ExitCode.DONE


def _named(systems: list[str]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for item in systems:
        name, separator, path = item.partition("=")
        if not separator or not path or not _NAME.fullmatch(name):
            raise ConfigError(f"{item!r}: a system is given as NAME=PATH, such as local=out.csv")
        if name in named or len(named) == _MOST_SYSTEMS:
            raise ConfigError(f"{name}: give up to {_MOST_SYSTEMS} systems, each name once")
        named[name] = Path(path)
    return named


def _read(systems: dict[str, Path]) -> dict[str, tuple[dict[str, Answer], str]]:
    """Answers and data class of each system."""
    from pipeline.evaluation.answers import read_answers
    from pipeline.run.exporting import stage_for
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe
    from pipeline.sources import SourceConfig, open_source

    found = {}
    for name, path in systems.items():
        if path.is_dir():
            run = RunFolder(path)
            stage = stage_for(stored_recipe(run), "alpaca")
            answers = read_answers(run.stage(stage) / "records.jsonl")
            found[name] = answers, str(run.read()["data_class"])
        else:
            answers = read_answers(path)
            config = SourceConfig(path=str(path), kind="table")
            found[name] = answers, open_source(config).data_class
    return found


def _prepare(
    systems: dict[str, tuple[dict[str, Answer], str]], out: Path, count: int | None, seed: int
) -> tuple[SourceConfig, dict[str, int]]:
    """Write the judge's input; gives it as a source, and what was left out of it.

    Raises:
        GovernanceError: it is credentialed, and others could read it or git would pick it up.
    """
    from pipeline.core.atomic import make_private_dir
    from pipeline.evaluation.answers import draw, join_answers, write_rows
    from pipeline.run.folder import RunFolder
    from pipeline.sources import SourceConfig

    joined = join_answers({name: answers for name, (answers, _) in systems.items()})
    if not joined.rows:
        reasons = ", ".join(f"{n:,} {reason}" for reason, n in joined.dropped.items())
        raise ConfigError(f"no question was answered by every system ({reasons})")
    if count is not None:
        joined = draw(joined, count, seed)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; --out takes a folder")
    try:
        make_private_dir(out)
    except OSError as error:
        raise ConfigError(f"cannot create {out}: {error.strerror}") from None
    strictest = min((kind for _, kind in systems.values()), key=_CLASSES.index)
    if strictest == "credentialed":
        RunFolder(out).guard()
    write_rows(joined, out / _ROWS)
    names = [name for name in joined.rows[0] if name != "instruction"]
    source = SourceConfig.model_validate(
        {
            "path": str(out / _ROWS),
            "kind": "table",
            "columns": {**{name: name for name in names}, "text": "instruction"},
            "data_class": strictest,
        }
    )
    return source, dict(joined.dropped)


def _records(folder: RunFolder, recipe: Recipe, kind: str) -> list[Record]:
    from pipeline.core.jsonl import iter_objects

    return [
        record
        for stage in recipe.stages
        if stage.use == kind
        for record in iter_objects(folder.stage(stage.name) / "records.jsonl")
    ]


def _judge(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Which model judged: stage -> kind of backend and model."""
    return {
        stage.name: {
            "kind": recipe.backends[stage.backend].kind,
            "model": recipe.backends[stage.backend].model,
        }
        for stage in recipe.stages
        if stage.backend is not None
    }


def _others(path: Path | None) -> Judgements | None:
    """Scores to agree with, by experts or by another judge."""
    from pipeline.evaluation.experts import read_expert_scores
    from pipeline.evaluation.judged import judgements
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import stored_recipe

    if path is None:
        return None
    if not path.is_dir():
        if not path.is_file():
            raise ConfigError(f"{path} does not exist")
        return read_expert_scores(path)
    folder = RunFolder(path / _RUN if (path / _RUN).is_dir() else path)
    return judgements(_records(folder, stored_recipe(folder), "judge"))
