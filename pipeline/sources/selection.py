"""Which studies of a source are read: ids, exclude, split, sample, limit, in this order."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.sources.config import SourceConfig

_SHOWN: Final = 3
"""Ids named in a message; the rest is a count."""


def unique_ids(locators: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Mark the second and later locators of an id as ``duplicate_id`` and rename them ``id#2``.

    Memory is one string per study, about 100 bytes.
    """
    seen: set[str] = set()
    again: Counter[str] = Counter()
    for locator in locators:
        name = locator["id"]
        if name in seen:
            again[name] += 1
            fresh = f"{name}#{again[name] + 1}"
            while fresh in seen:
                again[name] += 1
                fresh = f"{name}#{again[name] + 1}"
            locator = {**locator, "id": fresh, "problem": "duplicate_id"}
            name = fresh
        seen.add(name)
        yield locator


def read_ids(path: str, option: str) -> frozenset[str]:
    """Study ids of a file: one per line, blank lines and ``#`` comments skipped.

    ``s50000001`` is taken as ``50000001``, since MIMIC-CXR names its files so.

    Raises:
        ConfigError: the file cannot be read or holds no id.
    """
    file = Path(path).expanduser()
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{option}: {file} cannot be read as a text file of ids") from None
    lines = (line.strip() for line in text.splitlines())
    ids = frozenset(
        line[1:] if line[:1] == "s" and line[1:].isdigit() else line
        for line in lines
        if line and not line.startswith("#")
    )
    if not ids:
        raise ConfigError(f"{option}: {file} holds no id; write one study id per line")
    return ids


def select(
    config: SourceConfig, listing: Callable[[], Iterator[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    """Locators that the configuration selects, in the order of the listing.

    ``listing`` is called a second time where a selection has to be checked against the whole
    (ids, split, sample), so that a mistake is told before the first record.

    Raises:
        ConfigError: nothing to read, ids not found, an unknown split, or a sample larger than the
            set.
    """
    wanted = None if config.ids is None else read_ids(config.ids, "ids")
    unwanted = frozenset() if config.exclude is None else read_ids(config.exclude, "exclude")

    def candidates() -> Iterator[dict[str, Any]]:
        for locator in listing():
            name = base_id(locator)
            if wanted is not None and name not in wanted:
                continue
            if name in unwanted:
                continue
            if config.split is not None and locator.get("split") != config.split:
                continue
            yield locator

    keep: frozenset[str] | None = None
    if wanted is not None:
        _check_ids(wanted, listing)
    if config.split is not None:
        _check_split(config.split, listing)
    if config.sample is not None:
        keep = _draw(config.sample, config.seed, candidates())
    chosen = (x for x in candidates() if keep is None or base_id(x) in keep)
    empty = True
    for locator in islice(chosen, config.limit):
        empty = False
        yield locator
    if empty:
        raise ConfigError(_nothing(config))


def base_id(locator: dict[str, Any]) -> str:
    """The id as it stands in the source, without the mark of a duplicate."""
    name: str = locator["id"]
    return name.rsplit("#", 1)[0] if locator.get("problem") == "duplicate_id" else name


def _check_ids(wanted: frozenset[str], listing: Callable[[], Iterator[dict[str, Any]]]) -> None:
    missing = set(wanted)
    for locator in listing():
        missing.discard(locator["id"])
        if not missing:
            return
    shown = ", ".join(sorted(missing)[:_SHOWN]) + (", ..." if len(missing) > _SHOWN else "")
    raise ConfigError(
        f"ids: {len(missing)} of {len(wanted)} ids are not in the source ({shown}); "
        "remove them from the file or point path at the folder that holds them"
    )


def _check_split(split: str, listing: Callable[[], Iterator[dict[str, Any]]]) -> None:
    splits: set[str] = set()
    for locator in listing():
        found = locator.get("split")
        if found == split:
            return
        if found is not None:
            splits.add(found)
    if splits:
        raise ConfigError(
            f"split: no study is in split {split!r}; there are {', '.join(sorted(splits)[:10])}"
        )
    raise ConfigError(
        "split: the source has no splits; put mimic-cxr-2.0.0-split.csv.gz beside the reports, "
        "set metadata, or map columns.split"
    )


def _draw(size: int, seed: int, candidates: Iterator[dict[str, Any]]) -> frozenset[str]:
    """The ``size`` ids with the smallest seeded numbers: the same in every order of the source."""
    names = (base_id(x) for x in candidates if x.get("problem") != "duplicate_id")
    drawn = heapq.nsmallest(size, ((stable_seed("sample", seed, name), name) for name in names))
    if len(drawn) < size:
        raise ConfigError(
            f"sample: {size} studies asked for, {len(drawn)} are there; lower sample or drop it"
        )
    return frozenset(name for _, name in drawn)


def _nothing(config: SourceConfig) -> str:
    if config.exclude is not None or config.ids is not None:
        return f"nothing is left of {config.path} after ids and exclude; check the two files"
    return f"{config.path} holds no reports"
