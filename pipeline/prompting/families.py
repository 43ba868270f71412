"""Task families of instruction data: one YAML file each in ``prompts/families/``.

A file says what the family is about, what a report must contain for it, how instruction and answer
are to be written, and gives seed examples by language. A family of your own is a file more, named
by its path.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import sha256_hex
from pipeline.core.resources import resource_path

NEEDS = ("finding", "abnormal", "place", "change", "advice", "abbreviation", "long")
"""What a family can need of a report (``pipeline.clinical.instructing.contents``)."""


@dataclass(frozen=True, slots=True)
class Family:
    """One task family.

    Attributes:
        name: as recipes and records call it.
        weight: usual share among the families, relative to the others.
        needs: what a report must contain, of :data:`NEEDS`.
        instruction: how to write an instruction, for the prompt.
        answer: how to answer one, for the prompt.
        max_words: limit of the answer.
        quotes: whether an instruction may quote the report.
        hash: SHA-256 of the file.
        seeds: language code -> example instructions.
    """

    name: str
    weight: float
    needs: tuple[str, ...]
    instruction: str
    answer: str
    max_words: int
    quotes: bool
    hash: str
    seeds: Mapping[str, tuple[str, ...]]


def family_names() -> list[str]:
    """Names of the packaged families."""
    return sorted(path.stem for path in resource_path("prompts", "families").glob("*.yaml"))


@cache
def load_family(name: str) -> Family:
    """A packaged family by name, or one of the user's by the path of its YAML file.

    Raises:
        ConfigError: there is none, or its file lacks something.
    """
    if name.endswith(".yaml"):
        path = Path(name)
    elif name in family_names():
        path = resource_path("prompts", "families", f"{name}.yaml")
    else:
        raise ConfigError(f"no task family {name!r}; there are: {', '.join(family_names())}")
    try:
        source = path.read_bytes()
        return _family(path.stem, yaml.safe_load(source), sha256_hex(source))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"family {path} cannot be read ({type(error).__name__})") from None
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"family {path}: {type(error).__name__}: {error}") from None


def _family(name: str, facts: Mapping[str, Any], hash_: str) -> Family:
    unknown = set(facts["needs"]) - set(NEEDS)
    if unknown:
        raise ValueError(f"unknown needs {', '.join(sorted(map(str, unknown)))}")
    seeds = {
        str(code): tuple(str(text) for text in texts) for code, texts in facts["seeds"].items()
    }
    if not seeds.get("en"):
        raise ValueError("seeds must have examples in en")
    return Family(
        name=name,
        weight=float(facts["weight"]),
        needs=tuple(facts["needs"]),
        instruction=" ".join(facts["instruction"].split()),
        answer=" ".join(facts["answer"].split()),
        max_words=int(facts["max_words"]),
        quotes=bool(facts.get("quotes", False)),
        hash=hash_,
        seeds=MappingProxyType(seeds),
    )
