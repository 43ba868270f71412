"""What files for several trainers have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pipeline.training.other import Target


def as_yaml(values: dict[str, Any], *notes: str) -> str:
    """A YAML file with comments on top; keys in the order given."""
    head = "".join(f"# {note}\n" for note in notes)
    return head + yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def notice_of(target: Target) -> str:
    """The line about passing on what is made with a file."""
    if target.data.data_class == "credentialed":
        return "The set is credentialed: what is trained on it is credentialed too."
    return f"The set is {target.data.data_class}."


def half(target: Target) -> dict[str, bool]:
    """``bf16`` and ``fp16`` as other trainers take them; ``auto`` is bf16, for they run on GPUs."""
    precision = target.config.precision
    return {"bf16": precision in ("auto", "bf16"), "fp16": precision == "fp16"}


def warmup(target: Target) -> dict[str, float | int]:
    """The warm-up as a number of steps, or as a share of all steps."""
    value = target.config.warmup
    return {"warmup_steps": int(value)} if value >= 1 else {"warmup_ratio": value}
