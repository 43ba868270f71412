"""The tables of the standardisation, read from ``libs/`` once per process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from pipeline.clinical.keyinfo import ATTRIBUTES
from pipeline.clinical.lexicon import Lexicon, load_lexicon, read_rows
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path


def phrase_key(text: str) -> str:
    """A phrase as the tables have it: hyphens are blanks."""
    return " ".join(text.replace("-", " ").split()) if "-" in text else text


@dataclass(frozen=True, slots=True)
class Rename:
    """A wording that means another name, with the site it says."""

    name: str
    location: str


@dataclass(frozen=True, slots=True)
class Words:
    """Words by role, renames and special findings, with the lexicon they stand beside."""

    roles: Mapping[str, frozenset[str]]
    singulars: Mapping[str, str]
    renames: Mapping[str, Rename]
    special: Mapping[tuple[str, str, str], str]
    special_names: frozenset[str]
    lexicon: Lexicon

    def has(self, role: str, phrase: str) -> bool:
        """Whether ``phrase`` has this role."""
        return phrase in self.roles[role]

    def slots(self, phrase: str) -> tuple[str, ...]:
        """The attributes that the lexicon allows ``phrase`` to be a value of."""
        tables = (self.lexicon.locations, self.lexicon.levels, self.lexicon.types)
        return tuple(
            slot for slot, table in zip(ATTRIBUTES, tables, strict=True) if phrase in table
        )


@cache
def load_words() -> Words:
    """The packaged tables.

    Raises:
        ConfigError: a file is missing or not in its layout.
    """
    roles: defaultdict[str, set[str]] = defaultdict(set)
    singulars: dict[str, str] = {}
    for row in read_rows(resource_path("libs", "standardise_words.csv"), ("role", "word", "other")):
        if row["role"] == "irregular_plural":
            singulars[row["word"]] = row["other"]
        else:
            roles[row["role"]].add(row["word"])
    names = resource_path("libs", "standardise_names.csv")
    renames = {
        row["wording"]: Rename(row["name"], row["location"])
        for row in read_rows(names, ("wording", "name", "location"))
    }
    looping = [wording for wording, rename in renames.items() if rename.name in renames]
    if looping:
        raise ConfigError(f"{names}: {looping[0]} is renamed twice")
    special = {
        (row["name"], row["slot"], row["word"]): row["new_name"]
        for row in read_rows(
            resource_path("libs", "standardise_special.csv"), ("name", "slot", "word", "new_name")
        )
    }
    return Words(
        roles=MappingProxyType({role: frozenset(words) for role, words in roles.items()}),
        singulars=MappingProxyType(singulars),
        renames=MappingProxyType(renames),
        special=MappingProxyType(special),
        special_names=frozenset(name for name, _, _ in special),
        lexicon=load_lexicon(),
    )
