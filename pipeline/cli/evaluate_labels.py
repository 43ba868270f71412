"""``evaluate labels``: label files against gold labels."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import evaluating, shared
from pipeline.core.errors import ConfigError

if TYPE_CHECKING:
    from rich.console import Console

    from pipeline.evaluation.columns import ColumnOptions
    from pipeline.evaluation.compare import Comparison
    from pipeline.evaluation.label_files import LabelEvaluation
    from pipeline.evaluation.labels import LabelScore

STAGES = ("combine", "labels", "rule-labels")
"""Stages of a run whose records hold labels, the last of a recipe first."""


class Uncertain(StrEnum):
    """What an uncertain label counts as."""

    absent = "absent"
    present = "present"
    exclude = "exclude"


class Blank(StrEnum):
    """What silence of gold counts as."""

    absent = "absent"
    exclude = "exclude"


class Missing(StrEnum):
    """What a gold study without prediction counts as."""

    absent = "absent"
    exclude = "exclude"
    error = "error"


class GoldRule(StrEnum):
    """Which of two annotators is scored against."""

    first = "first"
    agreed = "agreed"


def labels(
    predictions: evaluating.Predictions,
    gold: Annotated[
        list[Path], typer.Option("--gold", help="Gold labels; twice for two annotators.")
    ],
    id_: evaluating.Id = "",
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", help="Another name of a class.", metavar="NAME=CLASS"),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", help="Leave this column or class out.")
    ] = None,
    uncertain: Annotated[
        Uncertain, typer.Option("--uncertain", help="What uncertain predictions count as.")
    ] = Uncertain.absent,
    uncertain_gold: Annotated[
        Uncertain | None,
        typer.Option("--uncertain-gold", help="The same for gold.  [default: as --uncertain]"),
    ] = None,
    blank: Annotated[
        Blank, typer.Option("--blank", help="What gold's empty cells count as.")
    ] = Blank.absent,
    missing: Annotated[
        Missing, typer.Option("--missing", help="What gold studies without prediction count as.")
    ] = Missing.absent,
    gold_rule: Annotated[
        GoldRule,
        typer.Option("--gold-rule", help="Two annotators: score by the first, or where agreed."),
    ] = GoldRule.first,
    replicates: evaluating.Replicates = 1000,
    seed: evaluating.Seed = 0,
    examples: Annotated[
        int, typer.Option("--examples", min=0, help="Wrong studies listed per class and kind.")
    ] = 0,
    show_text: Annotated[
        Path | None,
        typer.Option(
            "--show-text",
            help="Show texts of the examples, from this run or table.",
            metavar="PATH",
        ),
    ] = None,
    json_: evaluating.Json = None,
) -> None:
    """Score labels of the 13 classes: per class, micro and macro, with intervals by patient.

    Files are CSV or JSONL, one column per class or a list column; CheXpert and NegBio tables of
    MIMIC-CXR-JPG as they are. RUN_DIR scores a run's combined labels, RUN_DIR#rules those of one
    reader. Several predictions are compared by a paired test.
    """
    from pipeline.evaluation.label_files import LabelFile, evaluate_labels
    from pipeline.evaluation.labels import LabelOptions

    options = LabelOptions(
        uncertain=uncertain.value,
        uncertain_gold=(uncertain_gold or uncertain).value,
        blank=blank.value,
        missing=missing.value,
        replicates=replicates,
        seed=seed,
        examples=examples or (3 if show_text else 0),
    )
    chosen = evaluating.find_predictions(predictions, STAGES)
    files = [LabelFile(one.path, one.name, one.part) for one in chosen]
    found = evaluate_labels(gold, files, options, _columns(id_, classes, ignore), gold_rule.value)
    report = found.as_json()
    asked = {
        "options": {name: v for name, v in report["options"].items() if name != "examples"},
        "gold_rule": gold_rule.value,
        "columns": [id_, classes or [], ignore or []],
    }
    written = evaluating.write_report(json_, report, chosen, gold, asked)
    console = shared.make_console()
    _show(found, console)
    if options.examples:
        _show_examples(found, console, show_text)
    evaluating.say_written(written, console)


def _columns(id_: str, classes: list[str] | None, ignore: list[str] | None) -> ColumnOptions:
    from pipeline.clinical.class_names import class_name
    from pipeline.evaluation.columns import ColumnOptions

    renamed = {}
    for text in classes or ():
        name, separator, meant = text.rpartition("=")
        if not separator or class_name(meant) is None:
            raise ConfigError(f"--class takes NAME=CLASS with one of the 13 classes, not {text!r}")
        renamed[name] = meant
    return ColumnOptions(id_, renamed, frozenset(ignore or ()))


def _show(found: LabelEvaluation, console: Console) -> None:
    options = found.options
    console.print(
        f"{found.studies:,} studies; uncertain: {options.uncertain} (gold {options.uncertain_gold})"
        f"; {options.replicates:,} bootstrap samples of {found.patients:,} "
        f"{'patients' if found.patients < found.studies else 'studies'}",
        highlight=False,
    )
    evaluating.show_notes(found.notes, console)
    for score in found.scores:
        if score.missing:
            some = ", ".join(str(study)[:20] for study in score.missing[:5])
            more = ", ..." if len(score.missing) > 5 else ""
            console.print(f"missing in {score.name}: {some}{more}", highlight=False, markup=False)
    for score in found.scores:
        _show_score(score, console)
    if found.annotators:
        table = evaluating.make_table(
            console, "two annotators", ("class", "both", "first", "second", "agreement", "kappa")
        )
        for name, pair in found.annotators.items():
            cells = [str(n) for n in (pair.both, pair.only_a, pair.only_b)]
            shares = [evaluating.figure(pair.observed), evaluating.figure(pair.kappa)]
            table.add_row(name, *cells, *shares)
        console.print(table)
    for comparison in found.comparisons:
        _show_comparison(comparison, console)


def _show_score(score: LabelScore, console: Console) -> None:
    columns = ("class", "gold", "predicted", "precision", "recall", "F1", "kappa", "excluded")
    table = evaluating.make_table(console, score.name, columns)
    for name, one in score.classes.items():
        counts = one.counts
        table.add_row(
            name,
            f"{counts.both + counts.only_a:,}",
            f"{counts.both + counts.only_b:,}",
            *(evaluating.with_interval(one.measures[m]) for m in ("precision", "recall", "f1")),
            evaluating.figure(counts.kappa),
            f"{one.excluded:,}",
        )
    for kind in ("micro", "macro", "macro, classes in gold"):
        measures = (score.overall[f"{kind} {m}"] for m in ("precision", "recall", "f1"))
        table.add_row(kind, "", "", *(evaluating.with_interval(one) for one in measures), "", "")
    normal = score.normal
    whole = normal["studies"] > 0
    shares = [
        evaluating.figure(normal[m] if whole else None) for m in ("precision", "recall", "f1")
    ]
    table.add_row("no class present", f"{normal['in_gold']:,.0f}", "", *shares, "", "")
    console.print(table)
    false_alarms = normal["normal_with_label"]
    console.print(
        f"studies with every label right {score.exact:.3f}; "
        f"normal studies with a false label {evaluating.figure(false_alarms if whole else None)}",
        highlight=False,
    )


def _show_comparison(comparison: Comparison, console: Console) -> None:
    title = f"{comparison.second} against {comparison.first}"
    table = evaluating.make_table(console, title, ("measure", "difference", "p"))
    for name, one in comparison.overall.items():
        table.add_row(name, evaluating.with_interval(one.difference), evaluating.figure(one.p))
    console.print(table)
    columns = ("class", "only first right", "only second right", "McNemar p", "p (Holm)")
    table = evaluating.make_table(console, f"{title}, by class", columns)
    for name, difference in comparison.classes.items():
        shares = [evaluating.figure(difference.p), evaluating.figure(difference.p_holm)]
        counts = [f"{difference.only_first:,}", f"{difference.only_second:,}"]
        table.add_row(name, *counts, *shares)
    console.print(table)


def _show_examples(found: LabelEvaluation, console: Console, source: Path | None) -> None:
    wanted = {
        study
        for score in found.scores
        for one in score.classes.values()
        for study in (*one.false_positives, *one.false_negatives)
    }
    texts: dict[str, str] = {}
    if source is not None:
        from pipeline.evaluation.texts import read_texts

        place = evaluating.find_prediction(str(source), ("sections", "ingest")).path
        texts = read_texts(place, wanted)
    for score in found.scores:
        console.print(f"\n{score.name}: examples", highlight=False, markup=False)
        for name, one in score.classes.items():
            for kind, ids in (
                ("false positive", one.false_positives),
                ("false negative", one.false_negatives),
            ):
                if ids and not texts:
                    console.print(
                        f"{name}, {kind}: {', '.join(ids)}", highlight=False, markup=False
                    )
                for study in ids if texts else ():
                    text = texts.get(study, "(no text)")
                    console.print(f"{name}, {kind}, {study}: {text}", highlight=False, markup=False)
