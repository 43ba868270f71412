"""Instruction CSV: ``INSTRUCTION,RESPONSE`` and the id, one file per part, UTF-8.

The layout of LLMLF's training files and what ``infer`` and ``evaluate answers`` read.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipeline.core.atomic import atomic_writer, write_bytes
from pipeline.exports.sample_files import FolderFacts, RowWriter, SampleFormat
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey

HEADER = ("ID", "INSTRUCTION", "RESPONSE")
DATA_CLASS_FILE = "DATA_CLASS"


@contextmanager
def open_part(path: Path, survey: Survey) -> Iterator[RowWriter]:
    """Open the file of one part; every cell is quoted."""
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(HEADER)

        def write(sample: Sample) -> None:
            writer.writerow((sample.id, sample.question, sample.output))

        yield write
        text.flush()
        text.detach()


def finish(folder: Path, facts: FolderFacts, survey: Survey, files: Mapping[str, str]) -> list[str]:
    """Write the class of the data beside the tables, where ``infer`` looks for it."""
    write_bytes(folder / DATA_CLASS_FILE, f"{facts.data_class}\n".encode())
    return [DATA_CLASS_FILE]


FORMAT = SampleFormat("instruction-csv", "{part}.csv", open_part, finish)
