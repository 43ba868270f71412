"""``evaluate answers --by text``: likeness of answers to the expected ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Note, Table, interval
from pipeline.report.plots import Panel, Plot
from pipeline.report.sections.scores import intervals_said, share_bar

_OF_A_HUNDRED = "BLEU"
_MOST_PANELS = 4


def scored_texts(data: Mapping[str, Any]) -> Iterator[Block]:
    """Everything of one evaluation."""
    systems = data["systems"]
    for name, one in systems.items():
        said = f"{name}: {one['rows']:,} answers with an expected one"
        if one["empty"]:
            said += f", {one['empty']:,} of them empty (counted as wrong)"
        if one["without_reference"]:
            said += f"; {one['without_reference']:,} without an expected one left out"
        yield Note(f"{said}. BLEU goes to 100; its words are those of {one['bleu_tokens']}.")
    yield Note(intervals_said(data["replicates"]))
    names = list(next(iter(systems.values()))["figures"]) if systems else []
    shares = [name for name in names if name != _OF_A_HUNDRED]
    yield Plot(
        "Likeness to the expected answers",
        shares,
        [
            Panel([share_bar(one["figures"][name]) for name in shares], system, top=1)
            for system, one in list(systems.items())[:_MOST_PANELS]
        ],
    )
    rows = [
        [
            name,
            *(
                interval(one["figures"][name], 2 if name == _OF_A_HUNDRED else 3)
                for one in systems.values()
            ),
        ]
        for name in names
    ]
    yield Table("Figures", ["figure", *systems], rows)
