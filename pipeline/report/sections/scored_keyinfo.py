"""``evaluate keyinfo``: findings, attributes, the names with the most errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Heading, Note, Table, number, share
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.report.sections.scores import intervals_said, score_plot, score_table

_ATTRIBUTES = ("equal", "overlapping", "contradicted", "silent")


def scored_keyinfo(data: Mapping[str, Any]) -> Iterator[Block]:
    """Everything of one evaluation."""
    yield Facts([("uncertain predictions count as", data["uncertain"])])
    yield Note(intervals_said(data.get("replicates", 1000)))
    for name, one in data["predictions"].items():
        if len(data["predictions"]) > 1:
            yield Heading(name)
        yield Note(_coverage(one))
        yield score_plot(f"{name}: findings", one["categories"])
        yield score_table(f"{name}: scores of findings", "findings", one["categories"])
        yield from _attributes(name, one["attributes"])
        yield from _names(name, one["names"])


def _coverage(one: Mapping[str, Any]) -> str:
    said = f"{one['studies']:,} studies of gold."
    if one["missing"]:
        said += f" {one['missing']:,} have no prediction and count as having no finding."
    empty = one["studies_without_finding"]
    if empty:
        wrong = one["of_these_with_a_false_one"]
        said += (
            f" Of {empty:,} without a finding, {wrong:,} ({share(wrong, empty)}) were given one."
        )
    return said


def _attributes(name: str, attributes: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    found = {key: one for key, one in attributes.items() if one["in_gold"]}
    if found:
        yield Plot(
            f"{name}: attributes of findings that were found",
            list(found),
            [Panel([_bar(one) for one in found.values()], top=1, percent=True)],
            [(0, "equal"), (1, "overlapping"), (3, "contradicted"), (2, "silent")],
        )
    rows = [
        [
            key,
            number(one["in_gold"]),
            *(share(one[k], one["in_gold"]) for k in _ATTRIBUTES),
            number(one["added"]),
        ]
        for key, one in attributes.items()
    ]
    columns = ["attribute", "in gold", "equal", "equal or overlapping", "contradicted", "silent",
               "added"]  # fmt: skip
    yield Table(f"{name}: attributes", columns, rows)


def _bar(one: Mapping[str, Any]) -> Bar:
    whole = one["in_gold"]
    overlapping = one["overlapping"] - one["equal"]
    parts = [(one["equal"], 0), (overlapping, 1), (one["contradicted"], 3), (one["silent"], 2)]
    return Bar([(count / whole, series) for count, series in parts], share(one["equal"], whole))


def _names(name: str, names: Mapping[str, Mapping[str, Any]]) -> Iterator[Block]:
    kinds = ("found", "wrong", "missed")
    rows = [[key, *(number(one[k]) for k in kinds)] for key, one in names.items()]
    if rows:
        yield Table(f"{name}: names with the most errors", ["finding", *kinds], rows)
