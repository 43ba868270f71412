"""``evaluate keyinfo``: KeyInfo against gold KeyInfo."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import evaluating, shared

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.evaluation.keyinfo import KeyInfoScore

STAGES = ("postprocess", "keyinfo")
"""Stages of a run whose records hold KeyInfo."""


class Uncertain(StrEnum):
    """What an uncertain finding of a prediction counts as."""

    absent = "absent"
    present = "present"


def keyinfo(
    predictions: evaluating.Predictions,
    gold: Annotated[Path, typer.Option("--gold", help="Gold KeyInfo: JSONL or a JSON list.")],
    id_: evaluating.Id = "",
    synonyms: Annotated[
        Path | None, typer.Option("--synonyms", help="JSON with names and their wordings.")
    ] = None,
    likeness: Annotated[
        float,
        typer.Option(
            "--likeness", min=0, max=100, help="From which an unknown name is a listed wording."
        ),
    ] = 88,
    uncertain: Annotated[
        Uncertain, typer.Option("--uncertain", help="What uncertain predictions count as.")
    ] = Uncertain.absent,
    replicates: evaluating.Replicates = 1000,
    seed: evaluating.Seed = 0,
    examples: Annotated[
        int, typer.Option("--examples", min=0, help="Wrong studies listed per name.")
    ] = 0,
    json_: evaluating.Json = None,
) -> None:
    """Score findings and their attributes, under canonical names.

    Takes KeyInfo in any of its layouts, and index terms (a list 'entities'). Attributes are
    compared where the finding itself was found: side, region, degree, kind. RUN_DIR scores what
    postprocess made, RUN_DIR#keyinfo what was read before.
    """
    from pipeline.evaluation.findings import read_findings
    from pipeline.evaluation.keyinfo import KeyInfoOptions, score_keyinfo
    from pipeline.evaluation.synonyms import Names, read_synonyms

    names = Names(read_synonyms(synonyms) if synonyms else None, likeness)
    options = KeyInfoOptions(
        uncertain=uncertain.value, replicates=replicates, seed=seed, examples=examples
    )
    truth = read_findings(gold, names, id_)
    scores: dict[str, KeyInfoScore] = {}
    chosen = evaluating.find_predictions(predictions, STAGES, part_is_stage=True)
    for one in chosen:
        said = read_findings(one.path, names, id_)
        scores[one.name] = score_keyinfo(truth, said, names, options)
    report = {
        "kind": "keyinfo",
        "gold": str(gold),
        "synonyms": str(synonyms) if synonyms else None,
        "likeness": likeness,
        "uncertain": uncertain.value,
        "replicates": replicates,
        "seed": seed,
        "predictions": {name: score.as_json() for name, score in scores.items()},
    }
    asked = {name: report[name] for name in ("synonyms", "likeness", "uncertain", "replicates")}
    written = evaluating.write_report(json_, report, chosen, [gold], {**asked, "seed": seed})
    console = shared.make_console()
    for name, score in scores.items():
        _show(name, score, console, with_ids=examples > 0)
    evaluating.say_written(written, console)


def _show(name: str, score: KeyInfoScore, console: Console, *, with_ids: bool) -> None:
    title = f"{name}: {score.studies:,} studies"
    table = evaluating.make_table(console, title, ("findings", "precision", "recall", "F1"))
    for category, measures in score.categories.items():
        table.add_row(category, *(evaluating.with_interval(one) for one in measures.values()))
    console.print(table)
    columns = ("attribute", "in gold", "equal", "overlapping", "contradicted", "silent", "added")
    table = evaluating.make_table(console, f"{name}: attributes of found findings", columns)
    for aspect, counts in score.aspects.items():
        shares = [
            evaluating.figure(count / counts.in_gold if counts.in_gold else None)
            for count in (counts.equal, counts.overlapping, counts.contradicted, counts.silent)
        ]
        table.add_row(aspect, f"{counts.in_gold:,}", *shares, f"{counts.added:,}")
    console.print(table)
    if score.missing:
        missing = f"{len(score.missing):,} of {score.studies:,} gold studies have no prediction"
        evaluating.show_notes([f"{missing}: scored as having no finding"], console)
    if score.empty_gold:
        share = score.empty_wrong / score.empty_gold
        console.print(f"studies without a finding that were given one {share:.3f}", highlight=False)
    table = evaluating.make_table(
        console, f"{name}: names", ("most errors", "found", "wrong", "missed")
    )
    for finding, one in score.names.items():
        table.add_row(finding, f"{one.found:,}", f"{one.wrong:,}", f"{one.missed:,}")
    console.print(table)
    for finding, one in score.names.items() if with_ids else ():
        for kind, ids in (("wrong", one.wrong_ids), ("missed", one.missed_ids)):
            if ids:
                line = f"{finding}, {kind}: {', '.join(ids)}"
                console.print(line, highlight=False, markup=False)
