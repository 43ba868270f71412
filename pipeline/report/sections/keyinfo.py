"""KeyInfo: the most frequent findings, their attributes, what standardisation and follow-up did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import (
    Block,
    Facts,
    Heading,
    Note,
    Section,
    Table,
    first,
    number,
    share,
    words,
)  # fmt: skip
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot
from pipeline.run.counts.followup import ROUND_COLUMNS

_MOST = 20
_MOST_VALUES = 15
_MOST_RULES = 25
_STATUSES = ("present", "uncertain", "absent")


def keyinfo(run: Run) -> Section | None:
    """The section; None for a run without KeyInfo in standard form."""
    blocks: list[Block] = []
    for name in run.complete("postprocess"):
        counts = run.counts[name]
        if counts["records"]:
            blocks += [*_overview(counts), *_findings(counts), *_values(counts), *_changes(counts)]
        else:
            blocks.append(Note(f"Stage {name} made no record."))
    for name in run.complete("followup"):
        blocks += _followup(run.counts[name])
    return Section("keyinfo", "KeyInfo", blocks) if blocks else None


def _overview(counts: Mapping[str, Any]) -> Iterator[Block]:
    records = counts["records"]
    said = counts["findings"]["statements"]
    yield Facts(
        [
            ("records", number(records)),
            *((f"findings {status}", _per(said[status], records)) for status in _STATUSES),
            ("records without a present finding", _of(counts["without_present"], records)),
            ("records that say nothing", _of(counts["empty"], records)),
            ("lungs said to be clear", _of(counts["lungs"].get("clear", 0), records)),
        ]
    )


def _findings(counts: Mapping[str, Any]) -> Iterator[Block]:
    found = counts["findings"]
    names = found["names"]
    if names:
        shown = dict(list(names.items())[:_MOST])
        yield Plot(
            "Most frequent findings, by what is said of them",
            list(shown),
            [
                Panel(
                    [
                        Bar(
                            [
                                (one[s], series)
                                for series, s in zip((0, 1, 2), _STATUSES, strict=True)
                            ],
                            number(sum(one.values())),
                        )
                        for one in shown.values()
                    ]
                )
            ],
            list(zip((0, 1, 2), _STATUSES, strict=True)),
        )
    every = [[name, *(number(one[s]) for s in _STATUSES)] for name, one in names.items()]
    rows, more = first(every, _MOST, "names")
    unknown = found["unknown"]
    if unknown["names"]:
        rows = [
            *rows,
            [f"{unknown['names']:,} further names", *(number(unknown[s]) for s in _STATUSES)],
        ]
        more += (
            " Further names are not in the packaged vocabulary. They are words of replies and are "
            "counted together, so that no text of a report gets here."
        )
    yield Table("Findings", ["finding", *_STATUSES], rows, more=more.strip())


def _values(counts: Mapping[str, Any]) -> Iterator[Block]:
    for slot, found in counts["values"].items():
        if not found["total"]:
            continue
        values = list(found["most"].items())
        if slot == "location":
            shown = values[:_MOST_VALUES]
            bars = [Bar([(count, 0)], number(count)) for _, count in shown]
            yield Plot("Most frequent locations", [name for name, _ in shown], [Panel(bars)])
        every = [[value, number(count), share(count, found["total"])] for value, count in values]
        rows, more = first(every, _MOST_VALUES, f"{slot}s")
        unknown = found["unknown"]
        if unknown["values"]:
            further = [f"{unknown['values']:,} further ones", number(unknown["times"])]
            rows = [*rows, [*further, share(unknown["times"], found["total"])]]
        yield Table(f"Values of {slot}", [slot, "times", "share"], rows, more=more)


def _changes(counts: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("What standardisation changed")
    yield Note(
        f"Records with a change: {_of(counts['changed'], counts['records'])}. The rule shape is "
        "about the layout of a reply, not about what it says."
    )
    if counts["rules"]:
        rows = [[words(rule), number(count)] for rule, count in counts["rules"].items()]
        shown, more = first(rows, _MOST_RULES, "rules")
        yield Table("Changes by rule", ["rule", "changes"], shown, more=more)
    if counts["flags"]:
        rows = [
            [" and ".join(words(one) for one in flag.split("/")), number(count)]
            for flag, count in counts["flags"].items()
        ]
        yield Table("A finding stated in two categories", ["categories", "records"], rows)


def _followup(counts: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("Follow-up")
    if not counts["records"]:
        yield Note("No record was followed up: the rules read the reports themselves.")
        return
    yield Note(
        f"{counts['records']:,} records were compared with the rules. Gained and lost are "
        "statements: findings, denials, attribute values. Model and rules still differ in "
        f"{counts['left']:,} things."
    )
    rounds = counts["rounds"]
    if not rounds:
        return
    labels = [f"round {n}" for n in range(1, len(rounds) + 1)]
    panels = [
        Panel([Bar([(one.get(key, 0), series)], number(one.get(key, 0))) for one in rounds], key)
        for key, series in (("gained", 4), ("lost", 3))
    ]
    top = max(max(one.get("gained", 0), one.get("lost", 0)) for one in rounds) or 1
    panels = [Panel(panel.bars, panel.title, top) for panel in panels]
    yield Plot("Statements gained and lost by round", labels, panels)
    columns = ["round", *map(words, ROUND_COLUMNS)]
    rows = [
        [str(n), *(number(one.get(name, 0)) for name in ROUND_COLUMNS)]
        for n, one in enumerate(rounds, start=1)
    ]
    yield Table("Rounds", columns, rows)
    if counts["answers"]:
        rows = [
            [kind, words(status), number(count)]
            for (kind, _, status), count in (
                (key.partition(":"), count) for key, count in counts["answers"].items()
            )
        ]
        columns = ["asked because", "answered", "answers"]
        yield Table("Answers that changed a record", columns, rows, left=["answered"])


def _of(count: int, whole: int) -> str:
    return f"{count:,} ({share(count, whole)})" if whole else number(count)


def _per(count: int, records: int) -> str:
    return f"{count:,} ({count / records:.2f} per record)" if records else number(count)
