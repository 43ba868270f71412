"""``evaluate phrases``: open-ended phrases against gold phrases."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from pipeline.cli import evaluating, shared

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
    console = shared.make_console()
    scores: dict[str, Any] = {}
    chosen = evaluating.find_predictions(predictions, STAGES, part_is_stage=True)
    for one in chosen:
        name = one.name
        said = read_phrases(one.path, options, id_)
        score = score_phrases(truth, said, options)
        title = (
            f"{name}: {score.studies:,} studies, {score.gold_phrases:,} phrases in gold, "
            f"{score.predicted_phrases:,} predicted"
        )
        table = evaluating.make_table(console, title, ("match", "precision", "recall", "F1"))
        for way, measures in score.matches.items():
            shown = f"fuzzy, {threshold:g} or more" if way == "fuzzy" else way
            table.add_row(shown, *(evaluating.with_interval(one) for one in measures.values()))
        console.print(table)
        if score.missing:
            missing = f"{len(score.missing):,} of {score.studies:,} gold studies"
            evaluating.show_notes(
                [f"{missing} have no prediction: scored as having no phrase"], console
            )
        scores[name] = score.as_json()
    report = {
        "kind": "phrases",
        "gold": str(gold),
        "fuzzy_threshold": threshold,
        "hedged": hedged,
        "replicates": replicates,
        "seed": seed,
        "predictions": scores,
    }
    evaluating.write_report(json_, report, console, chosen, [gold], asdict(options))
