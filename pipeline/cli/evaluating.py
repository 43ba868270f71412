"""What the ``evaluate`` commands share: files of predictions, tables, the JSON report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from pipeline.evaluation.resample import Interval

_ENDINGS = re.compile(r"(\.(csv|tsv|jsonl?|gz))+$", re.IGNORECASE)

Predictions = Annotated[
    list[str],
    typer.Argument(
        help="Predictions: a file or a run folder; a name in front is shown in tables.",
        metavar="[NAME=]PATH...",
    ),
]
Id = Annotated[
    str, typer.Option("--id", help="Column of study ids.  [default: study_id, uid or id]")
]
Replicates = Annotated[
    int, typer.Option("--replicates", min=0, help="Bootstrap samples; 0 for no intervals.")
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seed of all draws.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write everything to this file as well.")]


def named(text: str) -> tuple[str, str]:
    """Name and path of ``[NAME=]PATH``; a path is named after itself."""
    name, separator, path = text.partition("=")
    if separator and name and not Path(text).exists():
        return name, path
    path = text
    return Path(path.partition("#")[0]).name or path, path


@dataclass(frozen=True, slots=True)
class Prediction:
    """Where the predictions of one name are.

    Attributes:
        name: how tables call them.
        path: file to read.
        part: what stood behind ``#``, or "".
        run: the run folder they were made in; None for a file.
        stage: stage of that run, or "".
    """

    name: str
    path: Path
    part: str = ""
    run: Path | None = None
    stage: str = ""


def find_prediction(text: str, stages: Sequence[str], *, part_is_stage: bool = False) -> Prediction:
    """The predictions that ``[NAME=]PATH[#PART]`` means.

    Args:
        text: as the user wrote it.
        stages: of a run folder, the first of these that it has is read.
        part_is_stage: whether ``#PART`` names the stage to read.

    Raises:
        ConfigError: a folder without any of the stages.
    """
    name, path = named(text)
    place, part = Path(path), ""
    if not place.exists():
        before, _, part = path.partition("#")
        place = Path(before)
    if part and "=" not in text:
        name = f"{name}#{part}"
    if not place.is_dir():
        return Prediction(name, place, part)
    wanted = (part,) if part and part_is_stage else stages
    for stage in wanted:
        records = place / "stages" / stage / "records.jsonl"
        if records.is_file():
            return Prediction(name, records, part, place, stage)
    raise ConfigError(f"{place} holds no run with a stage {' or '.join(wanted)}")


def find_predictions(
    texts: Sequence[str], stages: Sequence[str], *, part_is_stage: bool = False
) -> list[Prediction]:
    """All predictions of a command, each with a name of its own.

    Raises:
        ConfigError: a folder without any of the stages, or two with the same name.
    """
    found = [find_prediction(text, stages, part_is_stage=part_is_stage) for text in texts]
    names = [one.name for one in found]
    if len(set(names)) < len(names):
        raise ConfigError("two predictions have the same name; give them names: NAME=PATH")
    return found


def make_table(console: Console, title: str, columns: Iterable[str]) -> Table:
    """An empty table: the first column names, the others hold figures."""
    from rich.table import Table

    console.print(f"\n{title}", highlight=False, markup=False)
    table = Table(box=None)
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left", no_wrap=True)
    return table


def figure(value: float | None) -> str:
    """A share with three digits; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def with_interval(value: Interval) -> str:
    """A share with its interval."""
    if value.low is None or value.high is None:
        return figure(value.value)
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def write_report(
    path: Path | None,
    report: dict[str, Any],
    predictions: Sequence[Prediction],
    gold: Sequence[Path],
    options: dict[str, Any],
) -> list[str]:
    """Write the JSON report: to ``path``, if it is wanted, and into each run that was scored.

    It comes before the tables, so that nothing is lost where these are cut off (``| head``). A run
    folder that cannot be written to is no failure: it may be somebody else's.

    Returns:
        What to say of it after the tables.

    Raises:
        ConfigError: ``path`` cannot be written.
    """
    from pipeline.core.atomic import make_private_dir, write_json

    said = []
    if path is not None:
        try:
            make_private_dir(path.parent)
            write_json(path, report)
        except OSError as error:
            raise ConfigError(f"cannot write {path}: {error.strerror}") from None
        said.append(f"written  {path}")
    return [*said, *_keep(report, predictions, gold, options)]


def say_written(said: Sequence[str], console: Console) -> None:
    """Say where the JSON report is."""
    if said:
        console.print()
    for line in said:
        console.print(line, highlight=False, markup=False)


def _keep(
    report: dict[str, Any],
    predictions: Sequence[Prediction],
    gold: Sequence[Path],
    options: dict[str, Any],
) -> Iterator[str]:
    """Put the report into the run folders among ``predictions``; says where it is."""
    from pipeline.run.evaluations import keep_evaluation
    from pipeline.run.folder import RunFolder

    asked = {
        "gold": [str(one.resolve()) for one in gold],
        "predictions": [[one.name, str(one.path.resolve()), one.part] for one in predictions],
        "options": options,
    }
    runs = dict.fromkeys(one.run for one in predictions if one.run is not None)
    for run in runs:
        folder = RunFolder(run)
        if not folder.exists():
            continue
        stages = {one.name: one.stage for one in predictions if one.run == run}
        about = _ENDINGS.sub("", gold[0].name) if gold else ""
        try:
            kept = keep_evaluation(folder, report, about=about, asked=asked, stages=stages)
        except OSError as error:
            yield f"not kept in {run}: {error.strerror}"
        else:
            yield f"written  {kept}"


def show_notes(notes: Iterable[str], console: Console) -> None:
    """Print what a reader of the figures has to know."""
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)
