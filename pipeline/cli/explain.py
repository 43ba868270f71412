"""``explain``: what the rule reader sees in a text, and why."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from pipeline.core.errors import ConfigError


def explain(
    text: Annotated[str, typer.Argument(help="A text, a file, or - for standard input.")],
) -> None:
    """Show how the rules read a text.

    Each sentence with its mentions, statuses, scopes and the rules that fired.

    Example: cxr-pipeline explain "No effusion. Possible pneumonia at the right base."
    """
    from pipeline.clinical.explain import explain_text

    typer.echo(explain_text(_read(text)))


def _read(text: str) -> str:
    if text == "-":
        return sys.stdin.read()
    path = Path(text)
    try:
        is_file = len(text) < 4096 and path.is_file()
    except OSError:
        is_file = False
    if not is_file:
        return text
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
