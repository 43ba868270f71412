"""How fast the rules read reports, beside negspacy where an environment with it is named.

    python benchmarks/bench_rules.py --reports ../shared/data/open-i/reports.csv \
        [--negspacy PATH_TO_PYTHON]

negspacy needs packages this project does not: ``python -m venv /tmp/other && /tmp/other/bin/pip
install negspacy``. It gets the same reports and the same wordings, and does less: names and
negation, no attributes.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.clinical import extract
from pipeline.clinical.labels import label_report
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.mentions import read_sentence
from pipeline.clinical.rulebook import load_rulebook
from pipeline.clinical.sentences import split_sentences

NEGSPACY = """
import json, sys, time
import spacy
from negspacy.negation import Negex  # registers the pipe
data = json.load(sys.stdin)
nlp = spacy.blank("en")
nlp.add_pipe("sentencizer")
ruler = nlp.add_pipe("entity_ruler", config={"phrase_matcher_attr": "LOWER"})
ruler.add_patterns([{"label": "FINDING", "pattern": w} for w in data["wordings"]])
nlp.add_pipe("negex")
list(nlp.pipe(data["texts"][:20]))
start = time.process_time()
count = sum(len(doc.ents) for doc in nlp.pipe(data["texts"]))
print(len(data["texts"]) / (time.process_time() - start))
"""


def texts_of(path: Path) -> list[str]:
    """Findings and impression of each row of a reports CSV."""
    with path.open(encoding="utf-8", newline="") as handle:
        return [f"{row['findings']} {row['impression']}" for row in csv.DictReader(handle)]


def rate(texts: list[str], read: Callable[[str], object], *, warm: bool = False) -> float:
    """Texts a second of CPU time on one core; the memory of sentences is empty unless ``warm``."""
    best = 0.0
    for _ in range(3):
        if not warm:
            extract.forget_sentences()
        start = time.process_time()
        for text in texts:
            read(text)
        best = max(best, len(texts) / (time.process_time() - start))
    return best


def every_sentence_anew(text: str) -> None:
    """Reads a report without any memory of sentences."""
    rulebook = load_rulebook()
    for start, end in split_sentences(text):
        read_sentence(rulebook, text[start:end])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reports", type=Path, required=True)
    parser.add_argument("--negspacy", type=Path, help="python of an environment with negspacy")
    options = parser.parse_args()
    texts = texts_of(options.reports)
    start = time.process_time()
    extract.extract_keyinfo("No effusion.")
    print(f"{len(texts)} reports; rules compiled in {time.process_time() - start:.3f} s")
    rows = [
        ("KeyInfo, memory empty at first", rate(texts, extract.extract_keyinfo)),
        ("KeyInfo, second reading", rate(texts, extract.extract_keyinfo, warm=True)),
        ("labels with evidence", rate(texts, label_report)),
        ("mentions, no memory of sentences", rate(texts, every_sentence_anew)),
    ]
    if options.negspacy:
        payload = json.dumps({"texts": texts, "wordings": list(load_lexicon().wordings)})
        done = subprocess.run(
            [str(options.negspacy), "-c", NEGSPACY],
            input=payload,
            capture_output=True,
            check=True,
            text=True,
        )
        rows.append(("negspacy, names and negation only", float(done.stdout)))
    for name, value in rows:
        print(f"{name:36} {value:10,.0f} reports/s")


if __name__ == "__main__":
    main()
