"""Options that several commands take, and how their values become a recipe and a run folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.run.folder import RunFolder
    from pipeline.run.recipe import Recipe

RecipeName = Annotated[str, typer.Argument(help="Name of a recipe, or path of a YAML file.")]
RunDir = Annotated[Path, typer.Argument(help="Run folder.", metavar="RUN_DIR")]
Input = Annotated[str | None, typer.Option("--input", help="Reports: folder, zip, CSV, ...")]
RunDirOption = Annotated[
    Path | None, typer.Option("--run-dir", help="Run folder.  [default: runs/RECIPE]")
]
Backend = Annotated[
    str | None, typer.Option("--backend", help="Backend of every stage that asks a model.")
]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="First N reports only.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Override in the recipe: key.path=value, e.g. stages.questions.seed=1."
    ),
]
Only = Annotated[str | None, typer.Option("--only", help="This stage alone.", metavar="STAGE")]
From = Annotated[str | None, typer.Option("--from", help="From this stage on.", metavar="STAGE")]
Until = Annotated[str | None, typer.Option("--until", help="Up to this stage.", metavar="STAGE")]
Rebuild = Annotated[
    list[str] | None,
    typer.Option("--rebuild", help="Make this stage and its followers again.", metavar="STAGE"),
]
DataClass = Annotated[
    str,
    typer.Option("--data-class", help="Of what is asked: credentialed, public or synthetic."),
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Worker processes.  [default: all cores]")
]

PresetRecipe = Annotated[
    str | None, typer.Option("--recipe", help="Recipe with the preset and the backends.")
]
RecipeBackend = Annotated[
    str | None, typer.Option("--backend", help="Backend of the recipe.  [default: its own]")
]
Url = Annotated[str | None, typer.Option("--url", help="An OpenAI-compatible server instead.")]
Model = Annotated[str | None, typer.Option("--model", help="Its model.")]
KeyEnv = Annotated[str | None, typer.Option("--key-env", help="Environment variable with its key.")]
ModelPath = Annotated[
    Path | None, typer.Option("--model-path", help="A model folder, in this process, instead.")
]
System = Annotated[str | None, typer.Option("--system", help="System prompt, or @FILE.")]
Temperature = Annotated[float | None, typer.Option("--temperature", min=0)]


def read_prompt(text: str | None) -> str | None:
    """``text``, or what the file ``@FILE`` holds.

    Raises:
        ConfigError: the file cannot be read.
    """
    if text is None or not text.startswith("@"):
        return text
    path = Path(text[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not UTF-8 text") from None


def read_recipe(
    name: str, input_: str | None, backend: str | None, limit: int | None, sets: list[str] | None
) -> Recipe:
    """The recipe as the options change it."""
    from pipeline.run.recipe import load_recipe

    source = {"path": input_, "limit": limit}
    return load_recipe(name, sets=sets or (), source=source, backend=backend)


def make_console() -> Console:
    """Standard output; where it is no terminal, wide enough that no table is cut."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=160)


def folder_for(recipe: Recipe, run_dir: Path | None) -> RunFolder:
    """The run folder: the one named, or the recipe's own below ``runs/``."""
    from pipeline.run.folder import RunFolder

    return RunFolder(run_dir if run_dir is not None else Path("runs") / recipe.name)
