"""How fast captions and translations are checked and made, on one core.

    python -m benchmarks.bench_captions --reports ../shared/data/open-i/reports.csv

Captions and Chinese translations are made by the rules from the reports of a CSV, then each is
checked. *New* empties the memory of sentences first, *known* does not. Beside them stand the check
of answers on the same captions (`bench_grounding`), and the obvious alternative: looking every
glossary term up in the translation with ``in``, which sees no side, no negation and no number.
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.clinical.caption_check import check_caption
from pipeline.clinical.caption_rules import make_caption
from pipeline.clinical.claims import forget_claims
from pipeline.clinical.glossary import NAMING, load_glossary
from pipeline.clinical.grounding import check_grounding
from pipeline.clinical.translation_check import check_translation
from pipeline.clinical.translation_rules import make_translation


def rate(work: Callable[[], object], rows: int, *, forget: bool) -> float:
    """Rows a second of CPU time, the best of three."""
    best = 0.0
    for _ in range(3):
        if forget:
            forget_claims()
        start = time.process_time()
        work()
        best = max(best, rows / (time.process_time() - start))
    return best


def plain_lookup(caption: str, translation: str) -> bool:
    """Whether every glossary term that stands in the caption has a translation that stands."""
    lowered = caption.lower()
    return all(
        any(word in translation for word in term.chinese)
        for term in load_glossary().terms
        if term.kind in NAMING and term.english in lowered
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--reports", type=Path, required=True)
    with parser.parse_args().reports.open(encoding="utf-8", newline="") as file:
        bodies = [(row["findings"], row["impression"]) for row in csv.DictReader(file)]
    rows = []
    for findings, impression in bodies:
        if caption := make_caption(findings, impression):
            report = f"{findings} {impression}"
            rows.append((findings, impression, report, caption, make_translation(caption)))
    words = sum(len(row[3].split()) for row in rows) / len(rows)
    print(f"{len(rows):,} captions of {words:.0f} words; rows a second of one core")
    print(f"{'':<36}{'new':>8}{'known':>8}")
    tasks: tuple[tuple[str, Callable[[], object]], ...] = (
        ("caption checked against report", lambda: [check_caption(r[2], r[3]) for r in rows]),
        ("translation checked (Chinese)", lambda: [check_translation(r[3], r[4]) for r in rows]),
        ("the same captions as answers", lambda: [check_grounding(r[3], r[2]) for r in rows]),
        ("plain look-up of glossary terms", lambda: [plain_lookup(r[3], r[4]) for r in rows]),
        ("caption made by rules, checked", lambda: [make_caption(r[0], r[1]) for r in rows]),
    )
    for name, work in tasks:
        new = rate(work, len(rows), forget=True)
        known = rate(work, len(rows), forget=False)
        print(f"{name:<36}{new:>8,.0f}{known:>8,.0f}")


if __name__ == "__main__":
    main()
