"""Tasks: each note gets the instructions to be written about it, by task family and wave."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import Literal

from pydantic import Field, field_validator

from pipeline.clinical.instructing.contents import compose_report, contents_of
from pipeline.clinical.questions.draw import Draw
from pipeline.core.records import Record, identity
from pipeline.llm.types import Ask
from pipeline.prompting.families import Family, family_names, load_family
from pipeline.stages.base import RecordStage, Reject, Result, StageParams

_PRECISION = 1 << 32


class TaskParams(StageParams):
    """Parameters of the task stage.

    Attributes:
        seed: of the draw of families and waves, for each note on its own.
        per_note: instructions wanted for a note; fewer where fewer families fit it.
        families: family (a name, or the path of a YAML file) -> weight; null for all packaged ones
            with their own weights. Weight 0 leaves a family out.
        waves: number of waves; each learns from the instructions that earlier ones gave.
        language: language of instructions and answers.
        max_words: words of a report that fit the model beside prompt and answer.
        long_notes: ``reject`` a longer note, or hand on as many whole ``sections`` as fit, the
            impression first.
    """

    seed: int = 0
    per_note: int = Field(default=3, ge=1, le=20)
    families: dict[str, float] | None = None
    waves: int = Field(default=2, ge=1, le=20)
    language: str = "English"
    max_words: int = Field(default=2500, ge=1)
    long_notes: Literal["reject", "sections"] = "reject"

    @field_validator("families")
    @classmethod
    def _usable(cls, value: dict[str, float] | None) -> dict[str, float] | None:
        if value is None:
            return None
        for name, weight in value.items():
            load_family(name)
            if weight < 0 or not math.isfinite(weight):
                raise ValueError(f"the weight of {name} must be 0 or more")
        if sum(value.values()) <= 0:
            raise ValueError("the weights sum to zero: no family could be drawn")
        return value

    @field_validator("language")
    @classmethod
    def _named(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("name a language, such as English")
        return value

    def files(self) -> tuple[str, ...]:
        """The family files of the user's."""
        return tuple(name for name in self.families or () if name.endswith(".yaml"))


class Tasks(RecordStage[TaskParams]):
    """One note becomes its tasks: ``report``, ``family``, ``wave``, ``language``.

    Families are drawn by weight, without repetition, among those whose needs the report fulfils, so
    that nobody is asked for a comparison where nothing is compared.
    """

    name = "tasks"
    params_type = TaskParams
    fans_out = True
    libs = (".",)
    prompts = ("families",)

    def __init__(self, params: TaskParams) -> None:
        super().__init__(params)
        weights = params.families
        if weights is None:
            weights = {name: load_family(name).weight for name in family_names()}
        self._families = {
            name: (load_family(name), weight) for name, weight in weights.items() if weight > 0
        }

    async def process(self, record: Record, ask: Ask) -> Result:
        """Draw the tasks of one note."""
        whole = compose_report(record["sections"], record["reading"])
        report, flags = whole, []
        if whole is not None and len(whole.split()) > self.params.max_words:
            report = None
            if self.params.long_notes == "sections":
                limit = self.params.max_words
                report = compose_report(record["sections"], record["reading"], limit)
                flags = ["sectioned"]
        if report is None:
            return Reject("too_long", f"more than {self.params.max_words} words")
        draw = Draw(self.params.seed, record["id"], "tasks")
        families = self._drawn(draw, contents_of(report).needs)
        if not families:
            return Reject("no_family", "nothing any family could ask about", failed=False)
        return [
            {
                **identity(record),
                "report": report,
                "family": name,
                "language": self.params.language,
                "wave": 1 + draw.below(self.params.waves),
                "flags": flags,
                **self._version(name),
            }
            for name in families
        ]

    def _version(self, name: str) -> Record:
        """Marks tasks of a user's family, so that a changed file changes all that follows."""
        return {"family_hash": load_family(name).hash} if name.endswith(".yaml") else {}

    def _drawn(self, draw: Draw, offered: frozenset[str]) -> list[str]:
        fitting: dict[str, tuple[Family, float]] = {
            name: entry
            for name, entry in self._families.items()
            if offered.issuperset(entry[0].needs)
        }
        drawn: list[str] = []
        while fitting and len(drawn) < self.params.per_note:
            total = sum(weight for _, weight in fitting.values())
            point = draw.below(_PRECISION) / _PRECISION * total
            bounds = accumulate(weight for _, weight in fitting.values())
            passed = (name for name, bound in zip(fitting, bounds, strict=True) if point < bound)
            drawn.append(next(passed, next(reversed(fitting))))
            del fitting[drawn[-1]]
        return drawn
