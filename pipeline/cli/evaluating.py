"""What the ``evaluate`` commands share: files of predictions, tables, the JSON report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from pipeline.evaluation.resample import Interval

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


def records_of(path: Path, stages: Sequence[str]) -> Path:
    """The records of the first of ``stages`` that a run folder has; a file is itself.

    Raises:
        ConfigError: a folder without any of them.
    """
    if not path.is_dir():
        return path
    for stage in stages:
        records = path / "stages" / stage / "records.jsonl"
        if records.is_file():
            return records
    raise ConfigError(f"{path} holds no run with a stage {' or '.join(stages)}")


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


def write_report(path: Path | None, report: dict[str, Any], console: Console) -> None:
    """Write the JSON report, if it is wanted.

    Raises:
        ConfigError: it cannot be written.
    """
    if path is None:
        return
    from pipeline.core.atomic import make_private_dir, write_json

    try:
        make_private_dir(path.parent)
        write_json(path, report)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None
    console.print(f"\nwritten  {path}", highlight=False, markup=False)


def show_notes(notes: Iterable[str], console: Console) -> None:
    """Print what a reader of the figures has to know."""
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)
