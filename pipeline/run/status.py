"""How far each stage of a run is, read from its folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from pipeline.run.folder import RunFolder
from pipeline.run.store import StageStore


@dataclass(frozen=True, slots=True)
class StageStatus:
    """One stage; ``state`` is ``complete``, ``under way`` or ``waiting``, unknown counts None.

    ``kept`` counts input rows that gave a record, ``reasons`` and ``filtered_reasons`` those that
    gave none.
    """

    stage: str
    state: str
    done: int = 0
    records: int = 0
    filtered: int = 0
    rejected: int = 0
    left: int | None = None
    seconds: float = 0.0
    usage: dict[str, float] = field(default_factory=dict)
    kept: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    filtered_reasons: dict[str, int] = field(default_factory=dict)

    def cells(self) -> list[str]:
        """The numbers as text, empty where there is nothing to say."""
        tokens = self.usage.get("prompt_tokens", 0) + self.usage.get("completion_tokens", 0)
        rate = self.done / self.seconds if self.seconds > 0 else 0
        numbers = (self.done, self.records, self.filtered, self.rejected, self.left)
        return [
            *("" if number is None else f"{number:,}" for number in numbers),
            f"{int(self.usage['requests']):,}" if self.usage.get("requests") else "",
            f"{int(tokens):,}" if tokens else "",
            f"{self.usage['money']:.2f}" if self.usage.get("money") else "",
            f"{rate:,.0f}" if rate else "",
        ]


def stage_rows(folder: RunFolder) -> Iterator[StageStatus]:
    """The status of every stage of a run, in order.

    Raises:
        ConfigError: no run folder.
    """
    records: dict[str, int] = {}
    for stage in folder.read()["recipe"]["stages"]:
        name = stage["name"]
        store = StageStore(folder.stage(name))
        manifest = store.manifest()
        total = records.get(stage["after"] or "")
        if manifest is not None:
            counts = manifest["counts"]
            records[name] = counts["records"]
            yield StageStatus(
                name,
                "complete",
                counts["in"],
                counts["records"],
                counts["filtered"],
                counts["rejected"],
                0,
                manifest["seconds"],
                manifest["usage"],
                counts["kept"],
                counts["reasons"],
                counts["filtered_reasons"],
            )
        elif (progress := store.progress()) is not None:
            yield StageStatus(
                name,
                "under way",
                progress.rows,
                progress.records,
                progress.left_out,
                progress.rejected,
                None if total is None else total - progress.rows,
                progress.seconds,
                progress.usage,
                progress.kept,
                progress.reasons,
                progress.filtered,
            )
        else:
            yield StageStatus(name, "waiting", left=total)
