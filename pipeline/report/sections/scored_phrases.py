"""``evaluate phrases``: ways of matching, with the threshold of the fuzzy one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.report.blocks import Block, Facts, Heading, Note, number
from pipeline.report.sections.scores import intervals_said, score_plot, score_table


def scored_phrases(data: Mapping[str, Any]) -> Iterator[Block]:
    """Everything of one evaluation."""
    threshold = data["fuzzy_threshold"]
    yield Facts(
        [
            ("fuzzy match from a likeness of", f"{threshold:g} (rapidfuzz token_sort_ratio)"),
            ("phrases that are not certain", "counted" if data["hedged"] else "left out"),
        ]
    )
    yield Note(intervals_said(data.get("replicates", 1000)))
    for name, one in data["predictions"].items():
        if len(data["predictions"]) > 1:
            yield Heading(name)
        said = (
            f"{number(one['studies'])} studies, {number(one['gold_phrases'])} phrases in gold, "
            f"{number(one['predicted_phrases'])} predicted."
        )
        if one["missing"]:
            said += f" {one['missing']:,} studies have no prediction and count as having no phrase."
        yield Note(said)
        rows = {
            f"fuzzy, {threshold:g} or more" if way == "fuzzy" else way: measures
            for way, measures in one["matches"].items()
        }
        yield score_plot(f"{name}: phrases", rows)
        yield score_table(f"{name}: scores of phrases", "match", rows)
