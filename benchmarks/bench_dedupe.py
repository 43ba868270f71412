"""Near-duplicates among instructions, beside the plain loop of rouge-score.

    python -m benchmarks.bench_dedupe [--sizes 5000 20000 50000] [--rouge PATH_TO_PYTHON]

The instructions are made of frames and fillings with a seed: a third to half of them are kept,
so that neither "all alike" nor "all different" flatters the index. The plain
loop needs the package rouge-score, which this project does not: ``python -m venv /tmp/other &&
/tmp/other/bin/pip install rouge-score``. Its time grows with the square of the size; beyond
``--plain`` instructions it is computed from the pairs it would score.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import time

from pipeline.clinical.near_duplicates import find_near_duplicates

PLAIN = """
import json, sys, time
from rouge_score.rouge_scorer import RougeScorer, _score_lcs
data = json.load(sys.stdin)
scorer = RougeScorer(["rougeL"], use_stemmer=False)
start = time.process_time()
kept, decisions, pairs = [], [], 0
for text in data["texts"]:
    tokens = scorer._tokenizer.tokenize(text)
    pairs += len(kept)
    if max((_score_lcs(tokens, other).fmeasure for other in kept), default=0.0) > 0.7:
        decisions.append(False)
        continue
    kept.append(tokens)
    decisions.append(True)
print(json.dumps([time.process_time() - start, pairs, decisions]))
"""
ASKS = (
    "What does the report say about {a}",
    "Which {b} is described for the {c}",
    "Explain to the patient what {a} in the {c} means",
    "Summarise the {b} of the {c} in {n} sentences",
    "Where exactly is the {a} that the {b} section mentions",
    "Has the {a} changed since the {b} study",
    "Name {n} reasons why a {c} could show {a}",
    "Is the {b} of the {c} described as {d}",
    "Rewrite the sentence about {a} so that a {d} reader understands it",
    "Spell out every abbreviation in the {b} part that concerns the {c}",
    "Does the {d} {a} need another examination according to the {b}",
    "Compare the {c} with the {d} {a} and say what the {b} concludes",
)
ENDS = ("?", " in one sentence.", " for a {d} colleague.", ", and why does it matter for the {c}?")


def instructions(size: int, seed: int = 6) -> list[str]:
    """``size`` instructions of 6 to 25 words over 900 invented fillings."""
    rng = random.Random(seed)
    syllables = ["ra", "lo", "mi", "ten", "vas", "cor", "pul", "ne", "ox", "ica", "dur", "sta"]
    words = ["".join(rng.choices(syllables, k=rng.randint(2, 4))) for _ in range(900)]
    weights = [1 / (rank + 5) for rank in range(900)]

    def filling() -> str:
        return " ".join(rng.choices(words, weights, k=rng.randint(1, 3)))

    def one() -> str:
        frame = rng.choice(ASKS) + rng.choice(ENDS)
        return frame.format(a=filling(), b=filling(), c=filling(), d=filling(), n=rng.randint(1, 9))

    return [one() for _ in range(size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=[5_000, 20_000, 50_000])
    parser.add_argument("--rouge", help="a python with rouge-score")
    parser.add_argument("--plain", type=int, default=1_000, help="size of the plain loop")
    arguments = parser.parse_args()
    per_pair = 0.0
    if arguments.rouge:
        texts = instructions(arguments.plain)
        done = subprocess.run(
            [arguments.rouge, "-c", PLAIN],
            input=json.dumps({"texts": texts}),
            capture_output=True,
            text=True,
            check=True,
        )
        seconds, pairs, decisions = json.loads(done.stdout)
        per_pair = seconds / pairs
        same = [twin is None for twin in find_near_duplicates(texts)] == decisions
        print(
            f"plain loop, {len(texts):,}: {seconds:.1f} CPU s, {pairs:,} pairs, "
            f"{per_pair * 1e6:.0f} us a pair; same decisions: {same}"
        )
    print("| instructions | kept | CPU s | peak MiB | pairs of the plain loop | times faster |")
    print("| --- | --- | --- | --- | --- | --- |")
    for size in arguments.sizes:
        texts = instructions(size)
        start = time.process_time()
        found = find_near_duplicates(texts)
        seconds = time.process_time() - start
        kept = pairs = 0
        for twin in found:
            pairs += kept
            kept += twin is None
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ratio = f"{per_pair * pairs / seconds:,.0f}" if per_pair else "-"
        print(f"| {size:,} | {kept:,} | {seconds:.1f} | {memory:.0f} | {pairs:,} | {ratio} |")


if __name__ == "__main__":
    main()
