"""The small parts of almost-JSON: quoted strings, bare words, repeated keys."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

from pipeline.clinical.keyinfo import ATTRIBUTES

Role = Literal["key", "value", "item"]

_CLOSERS: Final = {
    '"': '"',
    "'": "'",
    "`": "`",
    "“": '”“"',
    "”": '”“"',
    "‘": "’‘'",
    "’": "’‘'",
    "«": "»",
}
_CANDIDATES: Final = {
    quote: re.compile(r"\\.|[" + re.escape(closers) + "]", re.S)
    for quote, closers in _CLOSERS.items()
}
_KEY_FOLLOWS = re.compile(r"\s*([\"'“‘])[^\"'“”‘’{}\[\]\n]{1,200}[\"'”’]\s*[:=]")
_AFTER_COMMA = re.compile(r",\s*(?:[\"'“‘\[{}\])`,]|\Z|//|/\*|#|\w[\w \\]{0,60}[:=]|-?\d|\.\.\.)")
_AFTER_ITEM_COMMA = re.compile(r",\s*(?:[\"'“‘\[{}\])`,]|\Z|//|/\*|#|-?\d|\w|\.\.\.)")
_SPACE = re.compile(r"\s*")
_ONLY_CLOSERS = re.compile(r"([^\n\"{}\[\]]{0,2000}?)\s*[\]}][\s\]},`]*\Z")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.S)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\n": ""}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,15})(\.\d{1,15})?")
_NULLS: Final = frozenset({"null", "none", "nan", "undefined", "nil", "infinity", "-infinity"})
_LONG_LIST: Final = 200
_LONG_KEY: Final = 20_000


def normal_key(key: str) -> str:
    """A key as the schema writes it: ``No-Entity`` and ``no entity`` are ``no_entity``."""
    return "_".join(key.replace("-", " ").replace("_", " ").lower().split())


def mend_surrogates(text: str) -> str:
    """``text`` with lone surrogates, which no file can hold, replaced by U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _unescape_one(match: re.Match[str]) -> str:
    code = match.group(1)
    if len(code) > 1:
        return chr(int(code[1:], 16))
    return _ESCAPES.get(code, code)


def unescape(body: str) -> str:
    """The text of a quoted string; a backslash before any other character is dropped."""
    if "\\" not in body:
        return body
    return mend_surrogates(_ESCAPE.sub(_unescape_one, body))


def read_string(text: str, position: int, *, role: Role) -> tuple[str | None, int]:
    """Read the quoted string at ``position``: its text and the position after it.

    A quotation mark ends the string only if what follows fits the role; others belong to the
    text. None means that the string has no end.
    """
    quote = text[position]
    start = position + 1
    brace = text.find("{", start, start + _LONG_KEY) if role == "key" else -1
    for match in _CANDIDATES[quote].finditer(text, start):
        if match.group()[0] == "\\":
            continue
        at = match.start()
        if role == "key" and (at > start + _LONG_KEY or 0 <= brace < at):
            return _key_without_end(text, start, brace)
        follows = _SPACE.match(text, at + 1)
        after = follows.end() if follows is not None else at + 1
        if role == "value" and text[after : after + 1] in (":", "=") and at > start:
            mended = _value_without_end(text, start, at, quote)
            if mended is not None:
                return mended
        if _ends(text, at, after, role):
            body = text[start:at]
            if role == "key" and "\n" in body and ":" in body:
                return _key_without_end(text, start, at)
            return unescape(body), at + 1
    rest = _ONLY_CLOSERS.match(text, start)
    if role != "key" and rest is not None:
        return unescape(rest.group(1).strip()), rest.end(1)
    return None, len(text)


def _key_without_end(text: str, start: int, limit: int) -> tuple[str | None, int]:
    """``"entity: {``: the closing mark of a key is missing, its colon is not."""
    colon = text.find(":", start, limit) if limit >= 0 else -1
    if colon < 0:
        return None, len(text)
    return unescape(text[start:colon].strip()), colon


def _value_without_end(text: str, start: int, at: int, quote: str) -> tuple[str, int] | None:
    """``"mild, "type": ...``: the mark at ``at`` ends the next key, so the value ends before it."""
    key_start = max(text.rfind(mark, start, at) for mark in _CLOSERS[quote] + quote)
    if key_start < start:
        return None
    value = text[start:key_start].rstrip(", \n\r\t")
    if "{" not in value and "[" not in value:
        value = value.rstrip("}] \n\t,")  # brackets that close what the value is in
    return unescape(value), start + len(value)


def _ends(text: str, at: int, after: int, role: Role) -> bool:
    following = text[after : after + 1]
    if following == "":
        return True
    if role == "key":
        return following in ":=,}{[\uff1a" or (following == "]")
    if following in "}]);":
        return True
    if following == ",":
        pattern = _AFTER_COMMA if role == "value" else _AFTER_ITEM_COMMA
        return pattern.match(text, after) is not None
    if following == ":" or text.startswith(("//", "/*", "#", "```"), after):
        return True
    if following in "\"'“‘":
        return (role == "item" and after > at + 1) or bool(_KEY_FOLLOWS.match(text, at + 1))
    return "\n" in text[at + 1 : after] and following == "{"


def read_bare_value(word: str) -> tuple[bool, Any]:
    """A value without quotes: whether it is a complete literal, and the value."""
    lowered = word.lower()
    if lowered in _NULLS:
        return True, None
    if lowered in ("true", "false"):
        return True, lowered == "true"
    number = _NUMBER.fullmatch(word)
    if number is not None:
        return False, float(word) if number.group(1) else int(word)
    return False, unescape(word.strip("'`“”"))


def merge_values(first: Any, second: Any) -> Any:
    """The value of a key that is there twice; nothing said is lost.

    Categories are united, a finding that is there twice gets two attribute sets. Containers are
    changed in place, so that a key repeated a hundred thousand times stays cheap.
    """
    if second in (None, {}, []) or first == second:
        return first
    if first in (None, {}, []):
        return second
    if isinstance(first, dict) and isinstance(second, dict):
        if _is_attributes(first) and _is_attributes(second):
            return [first, second]
        for key, value in second.items():
            first[key] = merge_values(first[key], value) if key in first else value
        return first
    if not isinstance(first, list):
        first = [first]
    new = second if isinstance(second, list) else [second]
    if isinstance(second, list) and len(first) <= _LONG_LIST and len(new) <= _LONG_LIST:
        new = [item for item in new if item not in first]
    first.extend(new)
    return first


def _is_attributes(value: dict[str, Any]) -> bool:
    return all(normal_key(key) in ATTRIBUTES for key in value)
