from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.jsonl import dump_line
from pipeline.run.pool import BATCH_ROWS, WorkerPool, batched, stage_spec


@given(sizes=st.lists(st.integers(1, 300_000), max_size=12))
def test_batches_hold_every_line_once_and_in_order(sizes: list[int]) -> None:
    lines = [bytes([65 + i % 26]) * size for i, size in enumerate(sizes)]
    assert [line for batch in batched(lines) for line in batch] == lines


@pytest.mark.parametrize("rows", [0, 1, BATCH_ROWS, 2 * BATCH_ROWS, 5 * BATCH_ROWS + 3])
@pytest.mark.parametrize("workers", [1, 2])
def test_no_row_is_lost_whatever_the_number_of_batches(rows: int, workers: int) -> None:
    texts = ["FINDINGS: No effusion."] * rows
    lines = [dump_line({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    with WorkerPool(workers) as pool:
        chunks = list(pool.answer(stage_spec("sections", "sections", {}, {}), lines))
    made = b"".join(chunk.records for chunk in chunks).splitlines()
    assert sum(chunk.rows for chunk in chunks) == rows
    assert [line.split(b'"')[3] for line in made] == [str(i).encode() for i in range(rows)]
