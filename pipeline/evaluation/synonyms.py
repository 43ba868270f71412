"""One name for one thing: what the lexicon and the user's list call synonyms.

A list is JSON: ``{"names": {canonical: [wordings]}, "groups": [[related names]], "ignore":
[names]}``. Only ``names`` is needed. ``groups`` are names that relaxed scores take for each other,
``ignore`` names that a prediction is not punished for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from rapidfuzz import fuzz, process

from pipeline.clinical.lexicon import Lexicon, load_lexicon, normalise
from pipeline.core.errors import ConfigError

_REMEMBERED = 100_000
_SHORTEST = 4  # letters of a wording that is looked for inside longer names


@dataclass(frozen=True, slots=True)
class SynonymList:
    """A user's list, with every wording normalised."""

    wordings: Mapping[str, str] = field(default_factory=dict)
    groups: tuple[frozenset[str], ...] = ()
    ignored: frozenset[str] = frozenset()


def read_synonyms(path: Path) -> SynonymList:
    """Read a list.

    Raises:
        ConfigError: it cannot be read, has another shape, or gives one wording to two names.
    """
    try:
        data = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError:
        raise ConfigError(f"{path} is not JSON") from None
    names = data.get("names") if isinstance(data, dict) else None
    if not isinstance(names, dict) or not all(isinstance(w, list) for w in names.values()):
        raise ConfigError(f'{path} must hold {{"names": {{canonical: [wordings]}}}}')
    wordings: dict[str, str] = {}
    for name in names:
        wordings[normalise(name)] = name
    for name, given in names.items():
        for wording in given:
            if wordings.setdefault(normalise(str(wording)), name) != name:
                raise ConfigError(f"{path}: {wording!r} belongs to two names")
    return SynonymList(wordings, _groups(data), frozenset(map(str, data.get("ignore") or ())))


def _groups(data: Mapping[str, Any]) -> tuple[frozenset[str], ...]:
    return tuple(frozenset(map(str, group)) for group in data.get("groups") or ())


class Names:
    """Canonical names of findings, of gold and predictions alike.

    Args:
        synonyms: the user's list; where it knows a wording it decides before the lexicon.
        threshold: likeness (0-100, rapidfuzz ``token_sort_ratio``) from which an unknown name is
            taken for a wording of the user's list.
    """

    def __init__(self, synonyms: SynonymList | None = None, threshold: float = 88) -> None:
        self._list = synonyms or SynonymList()
        self._threshold = threshold
        self._lexicon: Lexicon = load_lexicon()
        self._keys = list(self._list.wordings)
        self.canonical = lru_cache(_REMEMBERED)(self._canonical)

    @property
    def ignored(self) -> frozenset[str]:
        """Names that a prediction is not punished for."""
        return self._list.ignored

    @property
    def listed(self) -> frozenset[str]:
        """The names of the user's list."""
        return frozenset(self._list.wordings.values())

    def related(self, name: str) -> frozenset[str]:
        """``name`` and the names that relaxed scores take for it."""
        return frozenset({name}).union(*(g for g in self._list.groups if name in g))

    def _canonical(self, name: str, location: str = "", kind: str = "") -> str:
        """The canonical name of a finding.

        A site or kind may be part of the name in one place and an attribute in another
        (*calcification* of the *aorta*, *aortic calcification*): both are tried. A name that the
        user's list does not know is taken for the most alike wording, then for the longest one
        inside it.
        """
        plain = normalise(name)
        official = self._lexicon.canonical(plain)
        if not self._keys:
            return official or plain
        attributed = [f"{word} {plain}" for word in map(normalise, location.split(", ")) if word]
        attributed += [f"{word} {plain}" for word in map(normalise, kind.split(", ")) if word]
        for candidate in (*attributed, plain, *([official] if official else [])):
            if candidate in self._list.wordings:
                return self._list.wordings[candidate]
        best = process.extractOne(
            plain, self._keys, scorer=fuzz.token_sort_ratio, score_cutoff=self._threshold
        )
        if best is not None:
            return self._list.wordings[best[0]]
        contained = [
            key for key in self._keys if len(key) >= _SHORTEST and f" {key} " in f" {plain} "
        ]
        return self._list.wordings[max(contained, key=len)] if contained else official or plain
