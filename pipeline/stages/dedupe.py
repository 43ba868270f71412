"""Dedupe: instructions too like an earlier one are dropped, by the published ROUGE-L rule."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Literal

from pydantic import Field

from pipeline.clinical.near_duplicates import NearDuplicates, token_counts
from pipeline.clinical.rouge import THRESHOLD
from pipeline.core.records import root_id
from pipeline.stages.base import Reject, Result, Rows, SetStage, StageParams


class DedupeParams(StageParams):
    """Parameters of the deduplication stage.

    Attributes:
        threshold: ROUGE-L (F measure) above which two instructions are alike.
        scope: ``set`` compares with all instructions, as published; ``note`` with those about the
            same note alone, for sets in which the same question about many notes is wanted.
    """

    threshold: float = Field(default=THRESHOLD, gt=0, lt=1)
    scope: Literal["set", "note"] = "set"


class Dedupe(SetStage[DedupeParams]):
    """Keeps the first of instructions that are alike: earlier waves first, then input order.

    A row that was kept by the stage of an earlier wave is therefore kept again. Memory: the kept
    instructions and the index of their words (about 1 KiB each).
    """

    name = "dedupe"
    params_type = DedupeParams

    def process(self, rows: Rows) -> Iterator[Result]:
        """Decide on every row with an instruction; rows without are passed on."""
        twins = self._twins(rows)
        for position, row in enumerate(rows):
            twin = twins.get(position)
            if twin is None:
                yield [row]
            else:
                yield Reject("near_duplicate", f"of {twin}", failed=False)

    def _twins(self, rows: Rows) -> dict[int, str]:
        """Position of a dropped row -> id of the kept row it is too like."""
        waves = sorted({row["wave"] for row in rows if "instruction" in row})
        counts = token_counts(row["instruction"] for row in rows if "instruction" in row)
        indexes: dict[str, tuple[NearDuplicates, list[str]]] = {}
        twins: dict[int, str] = {}
        ordered = chain.from_iterable(
            ((p, r) for p, r in enumerate(rows) if r["wave"] == wave and "instruction" in r)
            for wave in waves
        )
        for position, row in ordered:
            scope = "" if self.params.scope == "set" else root_id(row["id"])
            if scope not in indexes:
                indexes[scope] = NearDuplicates(counts, self.params.threshold), []
            index, kept = indexes[scope]
            twin = index.add(row["instruction"])
            if twin is None:
                kept.append(row["id"])
            else:
                twins[position] = kept[twin]
        return twins
