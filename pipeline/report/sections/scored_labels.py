"""``evaluate labels``: scores per class, comparisons, two annotators. Ids stay in the JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Heading, Note, Table, figure, interval, number
from pipeline.report.plots import Panel, Plot
from pipeline.report.sections.scores import (
    MEASURES,
    file_names,
    intervals_said,
    score_plot,
    share_bar,
)  # fmt: skip

_AVERAGES = ("micro", "macro", "macro, classes in gold")
_MOST_PANELS = 4


def scored_labels(data: Mapping[str, Any]) -> Iterator[Block]:
    """Everything of one evaluation."""
    options, predictions = data["options"], data["predictions"]
    unit = "patients" if data["resampled"] < data["studies"] else "studies"
    facts = [
        ("studies of gold", number(data["studies"])),
        ("uncertain counts as", f"{options['uncertain']} (gold: {options['uncertain_gold']})"),
        ("silence of gold counts as", options["blank"]),
        ("studies without prediction", options["missing"]),
    ]
    if data["annotators"]:
        facts.append(("gold of two annotators", data["gold_rule"]))
    yield Facts(facts)
    for note in data["notes"]:
        yield Note(file_names([*data["gold"], *data["files"]], note) + ".")
    yield Note(intervals_said(options["replicates"], f"{data['resampled']:,} {unit}"))
    if len(predictions) > 1:
        yield _side_by_side(predictions)
    for one in predictions:
        if len(predictions) > 1:
            yield Heading(one["name"])
        yield from _prediction(one)
    if data["annotators"]:
        yield from _annotators(data["annotators"])
    for comparison in data["comparisons"]:
        yield from _comparison(comparison)


def _prediction(one: Mapping[str, Any]) -> Iterator[Block]:
    classes = one["classes"]
    yield score_plot(f"{one['name']}: scores per class", classes)
    columns = ["class", "gold", "predicted", *(head for _, head in MEASURES), "kappa"]
    rows = [
        [
            name,
            number(score["true_positives"] + score["false_negatives"]),
            number(score["true_positives"] + score["false_positives"]),
            *(interval(score[key]) for key, _ in MEASURES),
            figure(score["kappa"]),
        ]
        for name, score in classes.items()
    ]
    for kind in _AVERAGES:
        shown = [interval(one["overall"][f"{kind} {key}"]) for key, _ in MEASURES]
        rows.append([kind, "", "", *shown, ""])
    normal = one["normal"]
    whole = normal["studies"] > 0
    shown = [figure(normal[key] if whole else None) for key, _ in MEASURES]
    rows.append(["no class present", number(normal["in_gold"]), "", *shown, ""])
    yield Table(f"{one['name']}: scores", columns, rows)
    yield Note(
        f"Studies with every label right: {figure(one['exact'])}. Normal studies with a false "
        f"label: {figure(normal['normal_with_label'] if whole else None)}."
    )
    kinds = ("true_positives", "false_positives", "false_negatives", "true_negatives", "excluded")
    columns = ["class", "both", "prediction alone", "gold alone", "neither", "not counted"]
    rows = [[name, *(number(score[k]) for k in kinds)] for name, score in classes.items()]
    yield Table(f"{one['name']}: who says that a class is present", columns, rows)


def _side_by_side(predictions: list[Mapping[str, Any]]) -> Plot:
    shown = predictions[:_MOST_PANELS]
    return Plot(
        "F1 per class, file by file",
        list(shown[0]["classes"]),
        [
            Panel(
                [share_bar(score["f1"]) for score in one["classes"].values()],
                one["name"],
                top=1,
            )
            for one in shown
        ],
    )


def _annotators(annotators: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    yield Heading("Two annotators")
    bars = [share_bar({"value": None if p["kappa"] is None else max(0, p["kappa"])})
            for p in annotators.values()]  # fmt: skip
    yield Plot("Cohen's kappa of the annotators", list(annotators), [Panel(bars, top=1)])
    columns = ["class", "both", "first alone", "second alone", "neither", "agreement", "kappa"]
    rows = [
        [
            name,
            *(number(pair[k]) for k in ("both", "only_first", "only_second", "neither")),
            figure(pair["agreement"]),
            figure(pair["kappa"]),
        ]
        for name, pair in annotators.items()
    ]
    yield Table("Agreement of the annotators", columns, rows)


def _comparison(one: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading(f"{one['second']} against {one['first']}")
    rows = [[name, interval(each), _p(each["p"])] for name, each in one["overall"].items()]
    columns = ["measure", "difference", "p"]
    yield Table("Difference, and a paired randomisation test", columns, rows)
    rows = [
        [
            name,
            number(each["only_first_right"]),
            number(each["only_second_right"]),
            _p(each["p"]),
            _p(each["p_holm"]),
        ]
        for name, each in one["classes"].items()
    ]
    columns = ["class", f"only {one['first']} right", f"only {one['second']} right",
               "McNemar's p", "p after Holm"]  # fmt: skip
    yield Table("Cells on which exactly one is right", columns, rows)


def _p(value: float | None) -> str:
    if value is None:
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
