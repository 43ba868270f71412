"""``chat``: talks to a backend, in the terminal or in a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError, ExitCode, GovernanceError

if TYPE_CHECKING:
    from pipeline.run.chatting import ChatSetup


def chat(
    recipe: shared.PresetRecipe = None,
    backend: shared.RecipeBackend = None,
    url: shared.Url = None,
    model: shared.Model = None,
    key_env: shared.KeyEnv = None,
    model_path: shared.ModelPath = None,
    system: shared.System = None,
    no_history: Annotated[
        bool, typer.Option("--no-history", help="Ask each question on its own.")
    ] = False,
    temperature: shared.Temperature = None,
    max_tokens: Annotated[
        int | None, typer.Option("--max-tokens", min=1, help="Longest answer.")
    ] = None,
    context: Annotated[
        int | None, typer.Option("--context", min=64, help="Tokens the model takes.")
    ] = None,
    image: Annotated[
        list[Path] | None, typer.Option("--image", help="Image to ask about; may be repeated.")
    ] = None,
    web: Annotated[bool, typer.Option("--web", help="Show a page instead (extra web).")] = False,
    run_dir: Annotated[
        Path | None, typer.Option("--run-dir", help="With --web: a run whose images can be picked.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Of the page; 0 for any.")
    ] = 0,
    data_class: shared.DataClass = "credentialed",
) -> int:
    """Talk to a model, or to the rules, with the answer shown as it is made.

    What is typed counts as credentialed unless --data-class says otherwise. Input that is piped in
    is one question. /help lists the commands; nothing is kept unless /save is asked for.

    Example: cxr-pipeline chat --url http://localhost:8000/v1 --model llama
    """
    from pipeline.cli.chat_terminal import chat_here, chat_piped
    from pipeline.run.chatting import ChatOptions, prepare_chat

    preset: dict[str, Any] = {
        "system": shared.read_prompt(system),
        "history": False if no_history else None,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "context": context,
    }
    setup = prepare_chat(
        ChatOptions(recipe, backend, url, model, key_env, model_path, data_class, preset)
    )
    if (run_dir is not None or port) and not web:
        raise ConfigError("--run-dir and --port belong to --web")
    if web and image:
        raise ConfigError("--image belongs to the terminal; the page takes uploads")
    if web:
        return _show(setup, run_dir, port)
    images = [setup.image(path) for path in image or ()]
    if sys.stdin.isatty():
        return chat_here(setup, images)
    return chat_piped(setup, images, sys.stdin.buffer.read())


def _show(setup: ChatSetup, run_dir: Path | None, port: int) -> int:
    """Serve the page until Ctrl-C."""
    from pipeline.run.folder import RunFolder
    from pipeline.web.chat import serve_chat
    from pipeline.web.run_images import run_images

    images = {}
    if run_dir is not None:
        run = RunFolder(run_dir)
        if run.read()["data_class"] == "credentialed" and not setup.gate.strict:
            raise GovernanceError(
                f"the images of {run_dir} are credentialed; leave out --data-class "
                f"{setup.gate.data_class}"
            )
        images = run_images(run)
    serve_chat(setup, images=images, port=port, say=_say)
    return ExitCode.DONE


def _say(text: str) -> None:
    typer.echo(text)
    sys.stdout.flush()
