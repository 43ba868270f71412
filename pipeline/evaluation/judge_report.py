"""The report of a judged evaluation: one JSON value, and its tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pipeline.core.records import Record
from pipeline.evaluation.judged import (
    Judgements,
    Resampling,
    agreement,
    score_differences,
    score_means,
    win_rates,
)

if TYPE_CHECKING:
    from rich.console import Console


def judge_report(
    scored: Sequence[Record],
    compared: Sequence[Record],
    others: Judgements | None,
    how: Resampling,
    facts: Mapping[str, Any],
) -> dict[str, Any]:
    """All figures of an evaluation, as ``scores.json`` holds them.

    Args:
        scored: records of the stage ``judge``.
        compared: records of the stage ``compare``.
        others: scores of experts or another judge, or None.
        how: how intervals are made.
        facts: what else is to be said: data class, questions left out.
    """
    figures = {
        "scores": score_means(scored, how),
        "differences": score_differences(scored, how),
        "pairwise": win_rates(compared, how),
        "agreement": agreement(scored, others, how) if others is not None else [],
    }
    return {
        "kind": "answers",
        **facts,
        "judged": len(scored),
        "compared": len(compared),
        "intervals": {"replicates": how.replicates, "seed": how.seed, "level": how.level},
        **{name: [figure.as_json() for figure in found] for name, found in figures.items()},
    }


_TABLES = {
    "scores": ("Mean score (1-4)", ("system", "criterion"), "mean"),
    "differences": ("Difference of scores, first - second", ("first", "second", "criterion"), ""),
    "pairwise": ("Share of wins of the first", ("first", "second", "criterion"), "win rate"),
    "agreement": ("Agreement with the other scores", ("criterion",), "weighted kappa"),
}


def show_report(console: Console, report: Mapping[str, Any]) -> None:
    """Print the tables of a report that are not empty."""
    from rich.table import Table

    for key, (title, about, figure) in _TABLES.items():
        rows = report[key]
        if not rows:
            continue
        further = [name for name in rows[0] if name not in {*about, "n", "figure"}]
        table = Table(title=title, title_justify="left", box=None, pad_edge=False)
        for name in about:
            table.add_column(name)
        for name in ("n", figure or "difference", "interval", *further):
            table.add_column(name, justify="right")
        for row in rows:
            table.add_row(
                *(row[name] for name in about),
                f"{row['n']:,}",
                *_cells(row["figure"]),
                *(_number(row[name]) for name in further),
            )
        console.print()
        console.print(table)
    left_out = {**report["dropped"], "rejected": report["rejected"]}
    said = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items() if count)
    if said:
        console.print(f"\nnot judged: {said}", highlight=False, markup=False)


def _cells(value: Mapping[str, float | None] | None) -> tuple[str, str]:
    if value is None:
        return "undefined", ""
    between = f"{value['low']:.2f} to {value['high']:.2f}" if value["low"] is not None else ""
    return f"{value['value']:.2f}", between


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:.2f}"
