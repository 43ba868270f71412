"""What a vision model is asked when it shall learn a caption: ``libs/caption_prompts.csv``."""

from __future__ import annotations

import csv
import re
from functools import cache

from pipeline.core.hashing import stable_seed
from pipeline.core.resources import resource_path

LANGUAGES = ("zh", "en")

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


@cache
def caption_prompts(language: str, several: bool = False) -> tuple[str, ...]:
    """The prompts in ``zh`` or ``en`` about one image, or about several of one examination."""
    wanted = (language, "several" if several else "one")
    with resource_path("libs", "caption_prompts.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            row["prompt"]
            for row in csv.DictReader(file)
            if (row["language"], row["images"]) == wanted
        )


def choose_prompt(record_id: str, language: str, *, several: bool = False, seed: int = 0) -> str:
    """The prompt of a record: the same in every order and subset of the records."""
    prompts = caption_prompts(language, several)
    return prompts[stable_seed("caption-prompt", seed, record_id) % len(prompts)]


def prompt_language(text: str) -> str:
    """The language to ask in for a text: ``zh`` where it has Chinese characters, else ``en``."""
    return "zh" if _CHINESE.search(text) else "en"
