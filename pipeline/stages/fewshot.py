"""Few-shot examples: each task of a wave gets examples from the seeds and from earlier waves."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappush, heappushpop

from pydantic import Field

from pipeline.clinical.instructing.language import language_code
from pipeline.clinical.questions.draw import Draw
from pipeline.core.hashing import stable_seed
from pipeline.core.records import Record
from pipeline.prompting.families import load_family
from pipeline.stages.base import Result, Rows, SetStage, StageParams


class FewShotParams(StageParams):
    """Parameters of the few-shot stage.

    Attributes:
        wave: the wave whose tasks get examples.
        seeds: examples from the family's seeds.
        accepted: examples from accepted instructions of earlier waves; seeds fill what is missing.
        pool: accepted instructions kept per family to draw from.
        seed: of the draws.
    """

    wave: int = Field(default=1, ge=1)
    seeds: int = Field(default=3, ge=0)
    accepted: int = Field(default=2, ge=0)
    pool: int = Field(default=2000, ge=1)
    seed: int = 0


class FewShot(SetStage[FewShotParams]):
    """Adds ``examples`` to the tasks of one wave and passes everything else on.

    What is drawn depends on the seed and on which instructions were accepted, never on the order or
    time of replies. Memory: at most ``pool`` instructions per family.
    """

    name = "fewshot"
    params_type = FewShotParams
    prompts = ("families",)

    def process(self, rows: Rows) -> Iterator[Result]:
        """Draw examples for every task of the wave."""
        pools = self._pools(rows)
        for row in rows:
            if row["wave"] == self.params.wave and "instruction" not in row:
                row = {**row, "examples": self._examples(row, pools.get(row["family"], []))}
            yield [row]

    def _pools(self, rows: Rows) -> dict[str, list[str]]:
        """Accepted instructions by family: a sample that does not depend on the order of rows."""
        heaps: dict[str, list[tuple[int, str, str]]] = {}
        for row in rows:
            if "instruction" not in row or row["wave"] >= self.params.wave:
                continue
            heap = heaps.setdefault(row["family"], [])
            item = (-stable_seed(self.params.seed, row["id"]), row["id"], row["instruction"])
            (heappush if len(heap) < self.params.pool else heappushpop)(heap, item)
        return {
            family: [text for _, _, text in sorted(heap, reverse=True)]
            for family, heap in heaps.items()
        }

    def _examples(self, row: Record, pool: list[str]) -> list[str]:
        draw = Draw(self.params.seed, row["id"], "examples")
        seeds = load_family(row["family"]).seeds
        known = seeds.get(language_code(row["language"])) or seeds["en"]
        accepted = list(dict.fromkeys(draw.pick(pool) for _ in range(self.params.accepted) if pool))
        wanted = self.params.seeds + self.params.accepted - len(accepted)
        return draw.shuffled([*draw.shuffled(known)[:wanted], *accepted])
