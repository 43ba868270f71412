"""What kind of term a phrase is: by the user's vocabulary first, then by the lexicon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pipeline.clinical.keyinfo import ATTRIBUTES
from pipeline.clinical.standardise.caches import remember
from pipeline.clinical.standardise.words import Words, phrase_key

_MAX_PHRASE: Final = 5
_FINDING_KINDS: Final = frozenset({"entity", "finding", "disease", "name"})


class Kinds:
    """Looks phrases up; every question costs a few hash look-ups, however large the vocabulary."""

    def __init__(self, words: Words, vocabulary: Mapping[str, Sequence[str]] | None) -> None:
        self.words = words
        self._vocabulary = vocabulary or {}
        self.identity = remember(self._identity)
        self.is_device = remember(self._is_device)

    def listed(self, phrase: str) -> tuple[str, ...] | None:
        """The kinds the vocabulary gives a phrase, or None where it does not hold it."""
        kinds = self._vocabulary.get(phrase)
        if kinds is None:
            return None
        if isinstance(kinds, str):
            return (kinds,)
        return tuple(str(kind) for kind in kinds) if isinstance(kinds, list | tuple) else ()

    def slots(self, phrase: str) -> tuple[str, ...]:
        """The attributes that ``phrase`` may be a value of; empty when it is not known."""
        listed = self.listed(phrase)
        if listed is not None:
            return tuple(kind for kind in listed if kind in ATTRIBUTES)
        return self.words.slots(phrase_key(phrase))

    def _identity(self, name: str) -> str | None:
        """The canonical name of a known finding or device: equal for wordings of one thing."""
        key = phrase_key(name)
        rename = self.words.renames.get(key)
        if rename is not None:
            key = rename.name
        canonical = self.words.lexicon.canonical(key)
        if canonical is not None:
            return canonical
        if rename is not None:
            return key
        listed = self.listed(name)
        return name if listed and not _FINDING_KINDS.isdisjoint(listed) else None

    def _is_device(self, name: str) -> bool:
        """Whether a name, cleaned of everything else, is a device or a part of one."""
        has = self.words.has
        tokens = phrase_key(name).split()
        if any(has("device_noun", " ".join(tokens[-size:])) for size in (1, 2, 3)):
            return True
        finding = self.words.lexicon.find(phrase_key(name))
        return (
            finding is not None
            and finding.kind == "device"
            and not has("device_finding", finding.name)
        )

    def segments(self, value: str) -> list[tuple[str, str]] | None:
        """``value`` as (attribute, words) pairs if known phrases make up the whole of it."""
        tokens = phrase_key(value).split()
        found: list[tuple[str, str]] = []
        at = 0
        while at < len(tokens):
            for size in range(min(_MAX_PHRASE, len(tokens) - at), 0, -1):
                phrase = " ".join(tokens[at : at + size])
                slots = self.slots(phrase)
                if slots:
                    if found and found[-1][0] == slots[0]:
                        found[-1] = (slots[0], f"{found[-1][1]} {phrase}")
                    else:
                        found.append((slots[0], phrase))
                    at += size
                    break
            else:
                return None
        return found
