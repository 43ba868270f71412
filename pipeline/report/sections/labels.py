"""Weak labels: prevalence, agreement of readers, disputes, ICD-10-CM codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.clinical.icd10 import load_code_book
from pipeline.clinical.lexicon import CLASSES
from pipeline.report.blocks import (
    Block,
    Facts,
    Heading,
    Note,
    Section,
    Table,
    figure,
    first,
    number,
    share,
)  # fmt: skip
from pipeline.report.gather import Run
from pipeline.report.plots import Bar, Panel, Plot

_KINDS = ("combine", "icd10", "labels", "rule-labels")
_MOST_CODES = 20
_MOST_PANELS = 3
_FEW = 10


def labels(run: Run) -> Section | None:
    """The section, of the last stage that has labels; None for a run without."""
    stages = [name for kind in _KINDS for name in run.complete(kind)]
    if not stages:
        return None
    counts = run.counts[stages[0]]
    if not counts["reports"]:
        return Section("labels", "Labels", [Note(f"Stage {stages[0]} made no record.")])
    blocks: list[Block] = [Note(f"From stage {stages[0]}: {counts['reports']:,} reports.")]
    if counts["readers"]:
        blocks += _prevalence(counts)
    if counts["pairs"]:
        blocks += _agreement(counts, by_rules=_by_rules(run))
    if counts["has_phrases"]:
        blocks += _phrases(counts)
    return Section("labels", "Labels", blocks)


def _prevalence(counts: Mapping[str, Any]) -> Iterator[Block]:
    readers, reports = counts["readers"], counts["reports"]
    shown = dict(list(readers.items())[-_MOST_PANELS:])
    ends = [
        one["present"] + one["uncertain"]
        for found in shown.values()
        for one in found["classes"].values()
    ]
    top = max(ends, default=0) / reports or 1
    yield Plot(
        "Prevalence of the classes, by reader" if len(shown) > 1 else "Prevalence of the classes",
        list(CLASSES),
        [
            Panel(
                [
                    Bar(
                        [(one["present"] / reports, 0), (one["uncertain"] / reports, 1)],
                        share(one["present"], reports),
                    )
                    for one in found["classes"].values()
                ],
                reader,
                top,
                percent=True,
            )
            for reader, found in shown.items()
        ],
        [(0, "present (the figure)"), (1, "uncertain")],
    )
    for reader, found in readers.items():
        rows = [
            [
                name,
                *(number(one[status]) for status in ("present", "uncertain", "absent")),
                number(reports - sum(one.values())),
                share(one["present"], reports),
            ]
            for name, one in found["classes"].items()
        ]
        columns = ["class", "present", "uncertain", "denied", "not mentioned", "share present"]
        last = ["no class present", number(found["normal"]), "", "", "",
                share(found["normal"], reports)]  # fmt: skip
        yield Table(f"Labels: {reader}", columns, rows, total=last)


def _by_rules(run: Run) -> bool:
    """Whether the rules stood in for every model."""
    backends = [run.manifests[name].get("backend") or {} for name in run.complete("labels")]
    return bool(backends) and all(one.get("kind") == "rules" for one in backends)


def _agreement(counts: Mapping[str, Any], *, by_rules: bool) -> Iterator[Block]:
    yield Heading("Agreement")
    if by_rules:
        yield Note("The rules stood in for the model, so both readers are the same and agree.")
    reports = counts["reports"]
    yield Note(
        f"Reports on which readers differ in some class: {counts['disputed']:,} "
        f"({share(counts['disputed'], reports)}). Kappa is Cohen's, of present against anything "
        "else; a dash where it is not defined, because both always say the same. Kappa of a class "
        f"with fewer than {_FEW} positive reports says little."
    )
    couples = list(dict.fromkeys((one["a"], one["b"]) for one in counts["pairs"]))
    for a, b in couples:
        found = [one for one in counts["pairs"] if (one["a"], one["b"]) == (a, b)]
        kappas = [one["kappa"] for one in found]
        yield Plot(
            f"Cohen's kappa of {a} and {b}",
            [one["class"] for one in found],
            [
                Panel(
                    [None if k is None else Bar([(max(0, k), 0)], figure(k)) for k in kappas],
                    top=1,
                )
            ],
        )
        rows = [
            [
                one["class"],
                number(one["both"]),
                number(one["only_a"]),
                number(one["only_b"]),
                number(one["neither"]),
                figure(one["agreement"]),
                figure(one["kappa"]),
                number(counts["disputes"][one["class"]]),
            ]
            for one in found
        ]
        columns = ["class", "both", f"only {a}", f"only {b}", "neither", "agreement", "kappa",
                   "disputed"]  # fmt: skip
        yield Table(f"Agreement of {a} and {b}", columns, rows)


def _phrases(counts: Mapping[str, Any]) -> Iterator[Block]:
    yield Heading("ICD-10-CM phrases")
    total, reports = counts["phrases"], counts["reports"]
    yield Facts(
        [
            ("phrases", f"{total:,} ({total / reports:.2f} per report)"),
            ("reports with a phrase", _of(counts["with_phrases"], reports)),
            ("in the report's own words", _of(counts["in_text"], total)),
            ("not certain", _of(counts["uncertain_phrases"], total)),
            ("different codes", number(counts["distinct_codes"])),
        ]
    )
    book = load_code_book()
    rows = [
        [code, book.check(code).title, number(count), share(count, total)]
        for code, count in counts["codes"].items()
    ]
    if rows:
        shown, more = first(rows, _MOST_CODES, "codes")
        columns = ["code", "title", "phrases", "share"]
        yield Table("Most frequent codes", columns, shown, left=["title"], more=more)


def _of(count: int, whole: int) -> str:
    return f"{count:,} ({share(count, whole)})" if whole else number(count)
