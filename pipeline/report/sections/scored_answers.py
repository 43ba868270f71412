"""``evaluate answers``: scores by a judge, differences, win rates, agreement with experts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Note, Table, figure, interval, number, words
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.report.sections.scores import intervals_said

_SCALE = 4
_TABLES = (
    ("scores", "Mean scores, 1 to 4", ("system", "criterion"), "mean"),
    ("differences", "Difference of scores, first minus second", ("first", "second", "criterion"),
     "difference"),
    ("pairwise", "Share of wins of the first, over both orders", ("first", "second", "criterion"),
     "win rate"),
    ("agreement", "Agreement with the other scores", ("criterion",), "weighted kappa"),
)  # fmt: skip


def scored_answers(data: Mapping[str, Any]) -> Iterator[Block]:
    """Everything of one evaluation."""
    judges = [
        f"{stage}: {judge['model'] or judge['kind']}" for stage, judge in data["judge"].items()
    ]
    left_out = {**data["dropped"], "rejected": data["rejected"]}
    facts = [
        ("judge", "; ".join(judges)),
        ("questions scored", number(data["judged"])),
        ("questions compared", number(data["compared"])),
    ]
    said = ", ".join(f"{count:,} {words(reason)}" for reason, count in left_out.items() if count)
    if said:
        facts.append(("not judged", said))
    yield Facts(facts)
    yield Note(intervals_said(data["intervals"]["replicates"], "patients"))
    if data["scores"]:
        yield _plot(data["scores"])
    for key, title, about, head in _TABLES:
        if data[key]:
            yield _table(title, about, head, data[key])


def _plot(scores: list[Mapping[str, Any]]) -> Plot:
    criteria = list(dict.fromkeys(one["criterion"] for one in scores))
    systems = list(dict.fromkeys(one["system"] for one in scores))[:4]
    by = {(one["system"], one["criterion"]): one["figure"] for one in scores}
    panels = [
        Panel([_bar(by.get((system, criterion))) for criterion in criteria], system, top=_SCALE)
        for system in systems
    ]
    return Plot("Mean scores, 1 to 4", list(map(words, criteria)), panels)


def _bar(value: Mapping[str, float | None] | None) -> Bar | None:
    if value is None or value["value"] is None:
        return None
    text = figure(value["value"], 2)
    return Bar([(value["value"], 0)], text, value.get("low"), value.get("high"))


def _table(title: str, about: tuple[str, ...], head: str, rows: list[Mapping[str, Any]]) -> Table:
    further = [name for name in rows[0] if name not in {*about, "n", "figure"}]
    cells = [
        [
            *(words(str(row[name])) for name in about),
            number(row["n"]),
            interval(row["figure"], 2),
            *(_number(row[name]) for name in further),
        ]
        for row in rows
    ]
    return Table(title, [*about, "questions", head, *further], cells, left=about[1:])


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value == int(value) else f"{value:.2f}"
