"""``infer``: CSV in, CSV out, with a column of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import shared
from pipeline.core.errors import ExitCode


def infer(
    in_csv: Annotated[Path, typer.Option("--in-csv", help="CSV with a column of instructions.")],
    out_csv: Annotated[
        Path,
        typer.Option("--out-csv", help="The same CSV with the answers; OUT.infer holds the run."),
    ],
    recipe: shared.PresetRecipe = None,
    backend: shared.RecipeBackend = None,
    url: shared.Url = None,
    model: shared.Model = None,
    key_env: shared.KeyEnv = None,
    model_path: shared.ModelPath = None,
    instruction: Annotated[
        str, typer.Option("--instruction", help="Column to ask.")
    ] = "INSTRUCTION",
    column: Annotated[str, typer.Option("--column", help="Column to add.")] = "GENERATED",
    images: Annotated[
        str, typer.Option("--images", help="Column with image files, relative to the CSV.")
    ] = "",
    prefix: Annotated[
        str | None, typer.Option("--prefix", help="Put before each instruction.")
    ] = None,
    suffix: Annotated[str | None, typer.Option("--suffix", help="Put behind it.")] = None,
    system: shared.System = None,
    temperature: shared.Temperature = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest answer.  [default: 512]")
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="First N rows only.")] = None,
    encoding: Annotated[
        str, typer.Option("--encoding", help="Of the CSV, such as gb18030.")
    ] = "auto",
    data_class: Annotated[
        str,
        typer.Option(
            "--data-class",
            help="credentialed, public or synthetic; auto: its DATA_CLASS file.",
        ),
    ] = "auto",
    workers: shared.Workers = None,
) -> int:
    """Answer the instructions of a CSV: adds a column, leaves the others as they are.

    Run it again to resume. Rows without an answer are listed in OUT.notes.csv.

    Example: cxr-pipeline infer --in-csv test.csv --out-csv answers.csv --model-path merged
    """
    from pipeline.run.chatting import ChatOptions, resolve_backend
    from pipeline.run.infer import InferOptions, run_folder
    from pipeline.run.infer import infer as carry_out
    from pipeline.run.progress import reporter_for

    given = {
        "prefix": prefix,
        "suffix": suffix,
        "system": shared.read_prompt(system),
        "temperature": temperature,
        "max_tokens": max_tokens,
    }
    chosen = resolve_backend(
        ChatOptions(recipe, backend, url, model, key_env, model_path, chat=given)
    )
    preset = chosen.config
    params: dict[str, Any] = {
        "prefix": preset.prefix,
        "suffix": preset.suffix,
        "system": preset.system,
        **preset.params(),
    }
    options = InferOptions(
        in_csv,
        out_csv,
        chosen.backend,
        instruction=instruction,
        generated=column,
        images=images,
        params=params,
        data_class=data_class,
        encoding=encoding,
        limit=limit,
        governance=chosen.governance,
        folder=str(chosen.folder),
    )
    console = shared.make_console()
    reporter = reporter_for(console)
    reporter.note(f"infer: {in_csv} -> {out_csv}, run in {run_folder(out_csv)}")
    try:
        made = carry_out(options, workers=workers, reporter=reporter)
    finally:
        reporter.close()
    console.print(f"{out_csv}: {made.rows:,} rows, {made.answered:,} answered", highlight=False)
    if made.cut:
        console.print(f"{made.cut:,} answers end at the length limit (--max-tokens)")
    if made.notes is not None:
        console.print(f"{made.rejected:,} without an answer: {made.notes}", highlight=False)
    return ExitCode.REJECTS if made.rejected else ExitCode.DONE
