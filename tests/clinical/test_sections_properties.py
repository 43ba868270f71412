"""What holds for every text, and for the shared cases where they are at hand."""

from __future__ import annotations

import json
import time
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.sections import extract_sections

SHARED_CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "section.jsonl"

PIECES = st.sampled_from(
    [
        *("FINDINGS:", "FINDINGS", "IMPRESSION:", "IMPRESSION - ", "Findings:", "findings:"),
        *("INDICATION:", "HISTORY:", "COMPARISON:", "TECHNIQUE:", "EXAMINATION: CHEST", "ABDOMEN:"),
        *("WET READ: ___ 9:02 PM", "ADDENDUM:", "NOTIFICATION:", "FINAL REPORT", "FINAL ADDENDUM"),
        *("PRELIMINARY REPORT", "CHEST, TWO VIEWS:", "LUNGS:", "Lungs are clear.", "DR. ___", "at"),
        *(
            "10:45",
            "___",
            "_" * 30,
            "-----",
            ":",
            ".",
            "\n",
            "\n \n",
            "\r\n",
            "\t",
            "  ",
            " ",
            "：",
            "é",
        ),
    ]
)
REPORTS = st.lists(PIECES, max_size=40).map("".join)


@settings(max_examples=300)
@given(st.one_of(st.text(), REPORTS))
def test_spans_hold_the_sections_and_never_overlap(text: str) -> None:
    report = extract_sections(text)
    assert report.sections.keys() == report.spans.keys()
    for name, spans in report.spans.items():
        joined = " ".join(" ".join(text[start:end].split()) for start, end in spans)
        assert report.sections[name] == joined != ""
    ordered = sorted(span for spans in report.spans.values() for span in spans)
    assert all(0 <= start < end <= len(text) for start, end in ordered)
    assert all(left[1] <= right[0] for left, right in pairwise(ordered))


@settings(max_examples=200)
@given(REPORTS)
def test_line_ends_change_nothing(text: str) -> None:
    unix = text.replace("\r\n", "\n")
    assert extract_sections(unix.replace("\n", "\r\n")).sections == extract_sections(unix).sections


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "A:\n",
            "a: ",
            "A: b\n",
            " ",
            ":",
            "_",
            "\n",
            "\n\n",
            "\r",
            "- ",
            "x ",
            "AND ",
            "DR. x\n",
        ),
        *("FINDINGS:", "FINDINGS: x\n", "FINDINGS\n", "FINDINGS ", "FINAL REPORT ", "CHEST:\n"),
        *("WET READ: x\n", "ADDENDUM: FINDINGS: x\n", "PRELIMINARY REPORT\nx\n", "LUNGS: x\n"),
        *("COMPARISON: None.\nLungs clear.\n", "IMPRESSION: x\n\nABDOMEN: y\n\n"),
        *("HISTORY: x\n\nLungs are clear?\n\n", "12:30 PM ", "___ " * 20 + "\n", "Lungs clear. "),
    ],
)
def test_time_is_linear(piece: str) -> None:
    text = (piece * (1_000_000 // len(piece)))[:300_000]
    start = time.process_time()
    extract_sections(text)
    assert time.process_time() - start < 2.0


def test_shared_cases() -> None:
    if not SHARED_CASES.exists():
        pytest.skip("shared/cases is not beside the checkout")
    wrong: dict[str, list[str]] = {}
    for line in SHARED_CASES.read_text(encoding="utf-8").splitlines():
        case = json.loads(line)
        report = extract_sections(case["text"])
        failed = [k for k, v in case["sections"].items() if report.sections.get(k, "") != v]
        failed += [f"absent {k}" for k in case["absent"] if report.sections.get(k)]
        failed += [f"must {s}" for s in case["reading_must"] if s not in report.reading]
        failed += [f"must not {s}" for s in case["reading_must_not"] if s in report.reading]
        if failed:
            wrong[case["id"]] = failed
    assert wrong == {}
