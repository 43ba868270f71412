"""Reads one object of almost-JSON, and knows whether anything of it was lost.

Generic repair libraries close whatever is open and so turn a cut reply into a short one. This
reader keeps the difference: ``Reading.lost`` says that a part of a member was begun and not
finished. It uses a stack of its own, so nesting cannot exhaust Python's, and reads every character
a bounded number of times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.clinical.keyinfo import CATEGORIES, ENTITY
from pipeline.clinical.reply_text import (
    Role,
    merge_values,
    normal_key,
    read_bare_value,
    read_string,
)

MAX_DEPTH: Final = 100
"""Deeper nesting is no KeyInfo; the deepest sound record has six levels."""

_OPENERS: Final = {"{": "}", "[": "]", "(": ")"}
_QUOTES: Final = "\"'`“”‘’«"
_SPACE = re.compile(
    r"(?:(?:\\[nrt]|[\s\u200b\u200c\u200d\ufeff\\])+|//[^\n]*|/\*.*?(?:\*/|\Z)|#[^\n]*|<!--.*?(?:-->|\Z))*",
    re.S,
)
_BARE_KEY = re.compile(r"[^:=,;{}\[\]\n]*")
_BARE_VALUE = re.compile(r"[^,;}\])\n\"]*")
_CLOSING_QUOTE = re.compile(r"\"\s*[,}\]]")
_SEPARATOR = re.compile(r"\s*(?:=>|:=|[:=\uff1a])\s*")
_OBJECT_FOLLOWS = re.compile(r"\s*[:=]\s*\{")
_CONTINUES = re.compile(r"[\s,;}\]]*[\"'“”]?(?:" + "|".join(CATEGORIES) + r")[\"'“”]?\s*[:=]", re.I)


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        value: the object.
        end: position after it.
        closed: its last bracket was there.
        lost: a key, value or item was begun and not finished, or left out with dots.
        open_levels: brackets that were missing at the end.
        too_deep: nested beyond ``MAX_DEPTH``; the value is not usable.
    """

    value: dict[str, Any]
    end: int
    closed: bool
    lost: bool = False
    open_levels: int = 0
    too_deep: bool = False


@dataclass(slots=True)
class _Frame:
    """A container being read; it is put into its parent when it closes."""

    closer: str
    is_object: bool
    members: dict[str, Any] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)
    key: str | None = None
    extra: int = 0  # doubled opening brackets, as in "{{"

    def put(self, value: Any) -> None:
        if not self.is_object:
            self.items.append(value)
            return
        key = self.key if self.key is not None else ""
        self.key = None
        if key in self.members:
            value = merge_values(self.members[key], value)
        self.members[key] = value

    def finish(self) -> Any:
        if not self.is_object:
            return self.items
        if self.items and not self.members:  # a Python set: {"a", "b"}
            return self.items
        for name in self.items:
            self.members.setdefault(str(name), None)
        return self.members


class _Reader:
    def __init__(self, text: str, position: int) -> None:
        self.text = text
        self.position = position
        self.lost = False
        self.stack: list[_Frame] = []
        self.root: dict[str, Any] | None = None

    def read(self, *, implicit: bool) -> Reading:
        self.stack.append(_Frame("}", is_object=True))
        if not implicit:
            self.position += 1
        while self.stack:
            self.skip_space()
            if self.position >= len(self.text):
                break
            if len(self.stack) > MAX_DEPTH:
                return Reading({}, len(self.text), closed=False, lost=True, too_deep=True)
            if not self.step():
                break
        open_levels = len(self.stack)
        if self.stack and self.stack[-1].key is not None:
            self.lost = True
            self.stack[-1].key = None
        while self.stack:
            self.pop()
        root = self.root if isinstance(self.root, dict) else {}
        return Reading(root, self.position, open_levels == 0, self.lost, open_levels)

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        if match is not None:
            self.position = match.end()

    def step(self) -> bool:
        """Read one token. False where text begins that is not part of the object."""
        char = self.text[self.position]
        frame = self.stack[-1]
        if self.text.startswith("```", self.position):
            return False
        if char in ",;":
            self.position += 1
            if frame.key is not None:
                frame.put(None)
            return True
        if char in "}])":
            self.position += 1
            self.close(char)
            return True
        if frame.is_object and frame.key is None:
            return self.read_key(frame, char)
        self.read_value(frame, char)
        return True

    def pop(self) -> None:
        frame = self.stack.pop()
        value = frame.finish()
        if self.stack:
            self.stack[-1].put(value)
        else:
            self.root = value

    def close(self, char: str) -> None:
        frame = self.stack[-1]
        if frame.key is not None:
            frame.put(None)
        if char == frame.closer and frame.extra:
            frame.extra -= 1
            return
        if char != frame.closer and any(char == outer.closer for outer in self.stack):
            while self.stack[-1].closer != char:
                self.pop()
        if len(self.stack) == 1 and _CONTINUES.match(self.text, self.position):
            return  # one bracket too many in the middle: the record goes on
        self.pop()

    def read_key(self, frame: _Frame, char: str) -> bool:
        text = self.text
        if char in _OPENERS:
            if char == "{":
                frame.extra += 1
            self.position += 1
            return True
        if char in _QUOTES:
            key, self.position = read_string(text, self.position, role="key")
            if key is None:
                self.lost = True
                return True
        else:
            bare = _BARE_KEY.match(text, self.position)
            key = bare.group().strip().strip("\"'“”`*") if bare else ""
            self.position = bare.end() if bare else self.position + 1
            if key.strip(".…") == "":
                self.lost = self.lost or bool(key)
                if bare and not bare.group():
                    self.position += 1
                return True
            if self.is_prose(key):
                self.position -= len(bare.group()) if bare else 0
                return False
        self.leave_for_category(key)
        frame = self.stack[-1]
        separator = _SEPARATOR.match(text, self.position)
        if separator is not None:
            self.position = separator.end()
            frame.key = key
            return True
        self.skip_space()
        following = text[self.position : self.position + 1]
        if following and following in "{[(" + _QUOTES:
            frame.key = key
        elif following == "":
            self.lost = True
        elif key.strip(".…"):
            frame.items.append(key)
        else:
            self.lost = True
        return True

    def is_prose(self, key: str) -> bool:
        """Whether a bare key is text behind an object that was not closed, or a word cut off."""
        following = self.text[self.position : self.position + 1]
        if following == "":
            self.lost = self.lost or len(self.stack) > 1 or " " not in key
            return " " in key
        words = not key.replace("_", "").isalnum()
        return following == "\n" or (following in ",;{[" and words)

    def leave_for_category(self, key: str) -> None:
        """Close what a missing bracket left open before the key of the next category."""
        name = normal_key(key)
        if len(self.stack) < 2 or name not in CATEGORIES:
            return
        if name == ENTITY and not _OBJECT_FOLLOWS.match(self.text, self.position):
            return  # {"entity": "nodule", ...} names one finding
        for index, frame in enumerate(self.stack):
            if frame.key is not None and normal_key(frame.key) in CATEGORIES:
                while len(self.stack) > index + 1:
                    self.pop()
                return

    def read_value(self, frame: _Frame, char: str) -> None:
        text = self.text
        if char in _OPENERS:
            self.position += 1
            self.stack.append(_Frame(_OPENERS[char], is_object=char == "{"))
            return
        if char in _QUOTES:
            role: Role = "value" if frame.is_object else "item"
            value, self.position = read_string(text, self.position, role=role)
            if value is None:
                self.lost = True
                frame.key = None
                return
            separator = None if frame.is_object else _SEPARATOR.match(text, self.position)
            if separator is not None:  # ["edema": {...}]: brackets where braces belong
                frame.is_object = True
                frame.key = value
                self.position = separator.end()
                return
            if value.strip() in ("...", "…"):
                self.lost = True
                frame.key = None
                return
            frame.put(value)
            return
        bare = _BARE_VALUE.match(text, self.position)
        word = bare.group() if bare else ""
        self.position = max(self.position + 1, bare.end() if bare else 0)
        at_end = self.position >= len(text)
        word, comment, _ = word.partition("//")
        known, value = read_bare_value(word.strip())
        if word.strip().strip(".…") == "" or (at_end and not comment and not known):
            self.lost = True
            frame.key = None
            return
        frame.put(value)
        if _CLOSING_QUOTE.match(text, self.position):  # the opening one is missing
            self.position += 1


def read_object(text: str, position: int, *, implicit: bool = False) -> Reading:
    """Read the object that opens at ``position``.

    With ``implicit`` its opening brace is missing and ``position`` is its first key.
    """
    return _Reader(text, position).read(implicit=implicit)
