"""``evaluate phrases``: open-ended phrases against gold phrases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import evaluating, shared

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.evaluation.phrases import PhraseScore

STAGES = ("combine", "icd10")
"""Stages of a run whose records hold phrases."""


def phrases(
    predictions: evaluating.Predictions,
    gold: Annotated[Path, typer.Option("--gold", help="Gold phrases: JSONL or a JSON list.")],
    id_: evaluating.Id = "",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0, max=100, help="Likeness of a fuzzy match.")
    ] = 85,
    hedged: Annotated[
        bool, typer.Option("--hedged", help="Count phrases that are not certain, too.")
    ] = False,
    replicates: evaluating.Replicates = 1000,
    seed: evaluating.Seed = 0,
    json_: evaluating.Json = None,
) -> None:
    """Score phrases by exact, normalised and fuzzy match, and their ICD-10-CM codes.

    Each row has a study id and a list 'phrases' of texts, or of objects with phrase and code.
    """
    from pipeline.evaluation.phrases import PhraseOptions, read_phrases, score_phrases

    options = PhraseOptions(threshold=threshold, hedged=hedged, replicates=replicates, seed=seed)
    truth = read_phrases(gold, options, id_)
    scores: dict[str, PhraseScore] = {}
    chosen = evaluating.find_predictions(predictions, STAGES, part_is_stage=True)
    for one in chosen:
        scores[one.name] = score_phrases(truth, read_phrases(one.path, options, id_), options)
    report = {
        "kind": "phrases",
        "gold": str(gold),
        "fuzzy_threshold": threshold,
        "hedged": hedged,
        "replicates": replicates,
        "seed": seed,
        "predictions": {name: score.as_json() for name, score in scores.items()},
    }
    written = evaluating.write_report(json_, report, chosen, [gold], asdict(options))
    console = shared.make_console()
    for name, score in scores.items():
        _show(name, score, console)
    evaluating.say_written(written, console)


def _show(name: str, score: PhraseScore, console: Console) -> None:
    title = (
        f"{name}: {score.studies:,} studies, {score.gold_phrases:,} phrases in gold, "
        f"{score.predicted_phrases:,} predicted"
    )
    table = evaluating.make_table(console, title, ("match", "precision", "recall", "F1"))
    for way, measures in score.matches.items():
        shown = f"fuzzy, {score.threshold:g} or more" if way == "fuzzy" else way
        table.add_row(shown, *(evaluating.with_interval(one) for one in measures.values()))
    console.print(table)
    if score.missing:
        missing = f"{len(score.missing):,} of {score.studies:,} gold studies"
        evaluating.show_notes(
            [f"{missing} have no prediction: scored as having no phrase"], console
        )
