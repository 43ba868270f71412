"""Tables and plots that evaluations share: precision, recall, F1 with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.report.blocks import Table, interval
from pipeline.report.plots import Bar, Panel, Plot

MEASURES = (("precision", "precision"), ("recall", "recall"), ("f1", "F1"))
"""Key in the JSON -> head of a column."""


def score_plot(title: str, rows: Mapping[str, Mapping[str, Any]]) -> Plot:
    """Precision, recall and F1 side by side; whiskers are intervals."""
    panels = [
        Panel([share_bar(one[key]) for one in rows.values()], head, top=1) for key, head in MEASURES
    ]
    return Plot(title, list(rows), panels)


def score_table(title: str, first: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """The same numbers as text."""
    cells = [[name, *(interval(one[key]) for key, _ in MEASURES)] for name, one in rows.items()]
    return Table(title, [first, *(head for _, head in MEASURES)], cells)


def share_bar(value: Mapping[str, float | None] | None, series: int = 0) -> Bar | None:
    """A bar for a share with its interval; None where it is not defined."""
    if value is None or value["value"] is None:
        return None
    length = value["value"]
    return Bar([(length, series)], f"{length:.3f}", value.get("low"), value.get("high"))


def intervals_said(replicates: int, unit: str = "") -> str:
    """What the brackets are."""
    if not replicates:
        return "Without intervals."
    drawn = f" of {unit}" if unit else ""
    return f"In brackets: 95 % intervals of {replicates:,} bootstrap samples{drawn}."


def file_names(paths: Sequence[str], text: str) -> str:
    """``text`` with paths shortened to the names of their files."""
    for path in paths:
        text = text.replace(path, path.rpartition("/")[2])
    return text
