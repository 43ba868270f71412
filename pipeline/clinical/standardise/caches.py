"""Remembers results for short texts: few names and values make up most of a data set."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, TypeVar, TypeVarTuple

MAX_LENGTH: Final = 200
"""Longer texts are not kept, so that a hostile file cannot fill the memory."""

_SIZE: Final = 1 << 15

T = TypeVarTuple("T")
R = TypeVar("R")


def remember(function: Callable[[*T], R]) -> Callable[[*T], R]:
    """``function`` of texts, with the results for the latest short texts remembered."""
    cached = lru_cache(_SIZE)(function)

    def call(*args: *T) -> R:
        text = args[len(args) - 1]
        if isinstance(text, str) and len(text) > MAX_LENGTH:
            return function(*args)
        return cached(*args)

    return call
