"""The command line: one file per command, imported when called."""

from __future__ import annotations

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

import pipeline
from pipeline.cli import (
    chat,
    check,
    evaluate,
    explain,
    export,
    finetune,
    infer,
    libs,
    merge,
    plan,
    report,
    retry,
    run_command,
    sample,
    status,
)
from pipeline.core.errors import ExitCode, PipelineError

app = typer.Typer(
    name="cxr-pipeline",
    help=(
        "Build data sets from radiology reports with language models.\n\n"
        "Start with: cxr-pipeline run medical-cxr-vqa --input PATH --backend rules"
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cxr-pipeline {pipeline.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version.")
    ] = False,
) -> None:
    """Options of all commands."""


app.command("run")(run_command.run)
app.command("plan")(plan.plan)
app.command("status")(status.status)
app.command("retry")(retry.retry)
app.command("report")(report.report)
app.command("export")(export.export)
app.add_typer(evaluate.app, name="evaluate")
app.command("sample")(sample.sample)
app.add_typer(libs.app, name="libs")
app.command("finetune")(finetune.finetune)
app.command("merge")(merge.merge)
app.command("explain")(explain.explain)
app.command("infer")(infer.infer)
app.command("chat")(chat.chat)
app.command("check")(check.check)


_INTERRUPTED = 130
"""What typer makes of Ctrl-C."""


def run() -> None:
    """Entry point: errors become one line and an exit code, and files belong to their owner."""
    os.umask(0o077)
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
    except PipelineError as error:
        _say(str(error))
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _say("interrupted; run the same command to go on")
        sys.exit(ExitCode.STOPPED)
    except typer.Abort:
        sys.exit(ExitCode.STOPPED)
    except BrokenPipeError:
        # The reader of our output left, as ``| head`` does; nothing else can be written there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(ExitCode.DONE)
    except Exception as error:
        if hasattr(error, "format_message") and hasattr(error, "exit_code"):  # wrong use
            _say(f"{error.format_message()} (see --help)")
            sys.exit(ExitCode.USAGE)
        _say(_defect(error))
        sys.exit(ExitCode.STOPPED)
    sys.exit(code if isinstance(code, int) else ExitCode.DONE)


def _say(message: str) -> None:
    sys.stderr.write(f"cxr-pipeline: {message}\n")


def _defect(error: Exception) -> str:
    """Where an unexpected error happened; its message may hold report text and is not shown."""
    here = Path(pipeline.__file__).parent.parent
    places = [
        f"{Path(frame.filename).relative_to(here)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(here)
    ]
    return (
        f"unexpected {type(error).__name__} at {' > '.join(places[-3:])}. This is a defect: please "
        "report it with these places. What was done is kept; run the same command to go on"
    )
