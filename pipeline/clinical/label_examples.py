"""Worked examples for the label prompts, written for this project, drawn with a seed."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from pipeline.clinical.labels import NORMAL
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.core.jsonl import iter_objects
from pipeline.core.resources import resource_path

Task = Literal["labels", "phrases"]


@dataclass(frozen=True, slots=True)
class LabelExample:
    """A report with the answers to both tasks, as lists in the shape of a model's answer."""

    report: str
    labels: tuple[dict[str, Any], ...]
    phrases: tuple[dict[str, Any], ...]

    @property
    def normal(self) -> bool:
        """Whether its answer is ``Normal``."""
        return any(entry["label"] == NORMAL for entry in self.labels)


@cache
def load_examples() -> tuple[LabelExample, ...]:
    """The packaged examples; read once per process."""
    rows = iter_objects(resource_path("libs", "label_examples.jsonl"))
    return tuple(
        LabelExample(row["report"], tuple(row["labels"]), tuple(row["phrases"])) for row in rows
    )


def draw_examples(count: int, seed: int) -> tuple[LabelExample, ...]:
    """``count`` examples, the same for every report of a run; the first of them is a normal one.

    A prompt that shows only abnormal reports teaches a model to find something everywhere.

    Raises:
        ConfigError: there are not so many.
    """
    pool = list(load_examples())
    if count > len(pool):
        raise ConfigError(f"there are {len(pool)} label examples, not {count}")
    random.Random(stable_seed(seed, "label examples")).shuffle(pool)
    first = next(example for example in pool if example.normal)
    return tuple([first, *(example for example in pool if example is not first)][:count])
