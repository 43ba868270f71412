"""Questions for a whole KeyInfo set: speed, type mix beside the published one, contradictions.

    python benchmarks/bench_questions.py --keyinfo all_diseases.json --meta mimic_all.csv \
        --out questions.csv [--audit audit_questions.py]

Reads and writes the published files as the question stage does: KeyInfo as a stream, one compact
index for references, CSV written as it goes. The table names what is measured.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import orjson

from pipeline.clinical.pairs import PatientStudy, choose_references, read_order
from pipeline.clinical.questions import PUBLISHED_MIX, QuestionGenerator, QuestionOptions
from pipeline.exports import all_diseases, vqa_csv


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keyinfo", type=Path, required=True)
    parser.add_argument("--meta", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--audit", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    start, start_cpu = time.perf_counter(), time.process_time()
    run = Run(args.seed)
    rows = vqa_csv.write(run.rows(args.keyinfo, args.meta), args.out)
    wall, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    print(f"{'studies':28}{run.studies:>12,}")
    print(f"{'eligible pairs':28}{run.pairs:>12,}")
    print(f"{'questions':28}{rows:>12,}")
    print(f"{'wall s, files included':28}{wall:>12.1f}")
    print(f"{'CPU s, files included':28}{cpu:>12.1f}")
    print(f"{'CPU s, questions alone':28}{run.pure:>12.1f}")
    print(f"{'studies / CPU s':28}{run.studies / cpu:>12,.0f}")
    print(f"{'questions / CPU s':28}{rows / cpu:>12,.0f}")
    print(f"{'us per study, pure':28}{run.pure / run.studies * 1e6:>12.1f}")
    print(f"{'peak memory MiB':28}{peak:>12,.0f}")
    print(f"\n{'type':14}{'rows':>10}{'share %':>10}{'published %':>13}")
    single = sum(count for kind, count in run.kinds.items() if kind != "difference")
    for kind, share in PUBLISHED_MIX.items():
        count = run.kinds[kind]
        print(f"{kind:14}{count:>10,}{100 * count / single:>10.1f}{100 * share:>13.1f}")
    print(f"{'difference':14}{run.kinds['difference']:>10,}{'-':>10}{'-':>13}")
    if args.audit:
        print("\naudit:", flush=True)
        subprocess.run([sys.executable, args.audit, args.keyinfo, args.out], check=True)


class Run:
    """One pass over a KeyInfo set, with its counts."""

    def __init__(self, seed: int) -> None:
        self.studies = self.pairs = 0
        self.pure = 0.0
        self.kinds: Counter[str] = Counter()
        self._generator = QuestionGenerator(QuestionOptions(), seed)
        self._seed = seed

    def rows(self, keyinfo: Path, meta: Path) -> Iterator[dict[str, str]]:
        """Question rows of all records, each with its reference."""
        with meta.open(newline="") as file:
            table = {row["study_id"]: _columns(row) for row in csv.DictReader(file)}
        patients: dict[str, list[PatientStudy]] = defaultdict(list)
        for name, row in table.items():
            order = read_order(row["study_order"])
            usable = self._generator.accepts(row)
            patients[row["subject_id"]].append(PatientStudy(name, order, usable))
        references: dict[str, str] = {}
        for studies in patients.values():
            references.update(choose_references(studies, seed=self._seed))
        wanted = set(references.values())
        # Records that serve as references are kept as JSON, a tenth of their size as objects.
        stored: dict[str, bytes] = {}
        for record in all_diseases.read(keyinfo):
            if isinstance(record, dict) and record["study_id"] in wanted:
                stored[record["study_id"]] = orjson.dumps(record)
        for record in all_diseases.read(keyinfo):
            if isinstance(record, dict):
                name = record["study_id"]
                row = table[name]
                source = stored.get(references.get(name, ""))
                reference = None
                if source is not None:
                    earlier = orjson.loads(source)
                    reference = earlier | table[earlier["study_id"]]
                before = time.process_time()
                found = self._generator.generate(record | row, reference)
                self.pure += time.process_time() - before
                self.studies += 1
                self.pairs += reference is not None and self._generator.accepts(row)
                self.kinds.update(item["question_type"] for item in found)
                yield from found


def _columns(row: dict[str, str]) -> dict[str, str]:
    names = ("study_id", "subject_id", "dicom_id", "view", "split", "study_order")
    return {
        name: sys.intern(row[name]) if name in ("view", "split") else row[name] for name in names
    }


if __name__ == "__main__":
    main()
