"""``evaluate``: scores against gold labels, gold KeyInfo, gold phrases, or by a judge."""

from __future__ import annotations

import typer

from pipeline.cli import evaluate_answers, evaluate_keyinfo, evaluate_labels, evaluate_phrases

app = typer.Typer(
    help="Score predictions against gold, or with a judge model.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

app.command("labels")(evaluate_labels.labels)
app.command("keyinfo")(evaluate_keyinfo.keyinfo)
app.command("phrases")(evaluate_phrases.phrases)
app.command("answers")(evaluate_answers.answers)
