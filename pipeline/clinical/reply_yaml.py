"""Reads a record that a model wrote as YAML although JSON was asked for."""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from pipeline.clinical.keyinfo import CATEGORIES
from pipeline.clinical.reply_text import read_bare_value

_MAX_LENGTH: Final = 20_000
"""Longer texts are not tried: no answer in YAML is as long, and the parser is slow."""

_START = re.compile(rf"^(?:{'|'.join(CATEGORIES)}):[ \t]*$", re.M)
_FENCE = re.compile(r"^```.*", re.M | re.S)


def yaml_record(text: str) -> dict[str, Any] | None:
    """The record whose first category stands alone on a line, or None.

    Texts stay texts: YAML would make ``no`` false and a number of ``1_0``. Aliases are refused,
    because a few of them can stand for gigabytes.
    """
    start = _START.search(text)
    if start is None or len(text) > _MAX_LENGTH or "*" in text:
        return None
    block = _FENCE.sub("", text[start.start() :])
    try:
        value = yaml.load(block, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    if not isinstance(value, dict) or not set(value) <= set(CATEGORIES):
        return None
    return {category: _literal(item) for category, item in value.items()}


def _literal(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _literal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if value in ("", "~"):
        return None
    known, literal = read_bare_value(value)
    return literal if known else value
