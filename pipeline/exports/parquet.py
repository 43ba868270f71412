"""Parquet with a data-set card: a folder that ``datasets.load_dataset`` reads; extra ``parquet``.

Every field of a sample is a column, with the identity of its study, so that this is the form to
keep and to submit. ``flags`` that are no text are written as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.core.atomic import atomic_writer, write_bytes
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import canonical_json
from pipeline.exports.card import data_set_card
from pipeline.exports.sample_files import FolderFacts, RowWriter, SampleFormat
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey

CARD = "README.md"
GROUP_ROWS = 10_000
"""Rows per row group, which is what a writer and a reader hold in memory."""

INSTALL = 'pip install "cxr-pipeline[parquet]"'
_TEXTS = ("id", "study_id", "subject_id", "family", "instruction", "input", "output", "system")


def row(sample: Sample, part: str) -> dict[str, Any]:
    """One sample as a Parquet row."""
    return {
        **{name: getattr(sample, name) for name in _TEXTS},
        "split": part,
        "history": [list(turn) for turn in sample.history],
        "image_paths": list(sample.image_paths),
        "flags": [
            flag if isinstance(flag, str) else canonical_json(flag).decode()
            for flag in sample.flags
        ],
    }


@contextmanager
def _open_part(path: Path, survey: Survey) -> Iterator[RowWriter]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ConfigError(f"the format parquet needs pyarrow; install it: {INSTALL}") from None
    texts = pyarrow.list_(pyarrow.string())
    schema = pyarrow.schema(
        [
            *((name, pyarrow.string()) for name in (*_TEXTS, "split")),
            ("history", pyarrow.list_(texts)),
            ("image_paths", texts),
            ("flags", texts),
        ]
    )
    part = path.name.partition("-")[0]
    rows: list[dict[str, Any]] = []
    with (
        atomic_writer(path) as file,
        pyarrow.parquet.ParquetWriter(file, schema, compression="zstd") as writer,
    ):

        def flush() -> None:
            writer.write_table(pyarrow.Table.from_pylist(rows, schema=schema))
            rows.clear()

        def write(sample: Sample) -> None:
            rows.append(row(sample, part))
            if len(rows) == GROUP_ROWS:
                flush()

        yield write
        if rows:
            flush()


def _write_card(
    folder: Path, facts: FolderFacts, survey: Survey, files: Mapping[str, str]
) -> list[str]:
    write_bytes(folder / CARD, data_set_card(facts, survey, files).encode())
    return [CARD]


FORMAT = SampleFormat(
    "parquet",
    "data/{part}-00000-of-00001.parquet",
    _open_part,
    finish=_write_card,
    takes_images=True,
)
