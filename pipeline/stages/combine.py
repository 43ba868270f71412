"""Combine: the labels of several readers become one set, with what they differ on."""

from __future__ import annotations

from pydantic import Field

from pipeline.clinical.combine_labels import Policy, combine_labels
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class CombineParams(StageParams):
    """Parameters of the combination.

    Attributes:
        policy: ``majority``, ``veto`` or ``any``.
        veto_by: readers that may veto; all when empty.
        readers: the readers that count; all when empty.
        drop_disputed: leave out reports on which the readers differ in any class.
    """

    policy: Policy = "majority"
    veto_by: tuple[str, ...] = Field(default=())
    readers: tuple[str, ...] = Field(default=())
    drop_disputed: bool = False


class Combine(RecordStage[CombineParams]):
    """Adds ``labels``, ``uncertain``, ``negated``, ``evidence`` and ``disputed`` classes."""

    name = "combine"
    params_type = CombineParams

    async def process(self, record: Record, ask: Ask) -> Result:
        """Combine the readings of one report."""
        readers = record.get("readers") or {}
        wanted = self.params.readers or tuple(readers)
        missing = sorted({*wanted, *self.params.veto_by} - set(readers))
        if missing or not wanted:
            return Reject("no_reader", f"the record has no labels by {', '.join(missing) or 'any'}")
        labels, disputed = combine_labels(
            {name: readers[name] for name in wanted}, self.params.policy, self.params.veto_by
        )
        if disputed and self.params.drop_disputed:
            return Reject("disputed", f"{len(disputed)} classes", failed=False)
        combined = labels.as_json()
        del combined["unsupported"]
        made: Record = {**identity(record), "reading": record["reading"], **combined}
        made["disputed"] = disputed
        for name in ("readers", "phrases", "phrases_by"):
            if name in record:
                made[name] = record[name]
        return [made]
