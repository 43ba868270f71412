"""How fast answers are compared with their reports, on one core.

    python -m benchmarks.bench_grounding --reports ../shared/data/open-i/reports.csv

For each report, three answers as the rules make them (quotations, so several findings each). The
memory of sentences and reports is empty at first; the reading of the reports is in the time.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path

from pipeline.clinical.claims import forget_claims
from pipeline.clinical.grounding import check_grounding
from pipeline.clinical.instructing.by_rules import make_answer, make_instruction
from pipeline.clinical.instructing.contents import compose_report

FAMILIES = ("question_answering", "summarisation", "lay_paraphrase")


def cases_of(path: Path) -> list[tuple[str, str, str]]:
    """(answer, report, instruction) for three families of each report of a CSV."""
    cases = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file)):
            sections = {name: row[name] for name in ("indication", "findings", "impression")}
            report = compose_report(sections, "") or ""
            for family in FAMILIES:
                asked = make_instruction(report, family, "English", str(number))
                cases.append((make_answer(report, asked, family, "English"), report, asked))
    return cases


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--reports", type=Path, required=True)
    cases = cases_of(parser.parse_args().reports)
    words = sum(len(answer.split()) for answer, _, _ in cases) / len(cases)
    for name, forget in (("sentences new", True), ("sentences known", False)):
        best = 0.0
        for _ in range(3):
            if forget:
                forget_claims()
            start = time.process_time()
            for case in cases:
                check_grounding(*case)
            best = max(best, len(cases) / (time.process_time() - start))
        print(f"{name}: {best:,.0f} answers a second ({len(cases):,} of {words:.0f} words)")


if __name__ == "__main__":
    main()
