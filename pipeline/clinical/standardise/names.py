"""Takes a finding's name apart: what it is, where, how much, of what kind, and how surely."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from pipeline.clinical.standardise.caches import MAX_LENGTH, remember
from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.peel import EDGES, Part, Peeled, Peeler
from pipeline.clinical.standardise.words import Words

MAX_NAME: Final = MAX_LENGTH
"""Longer names are left as they are: no finding has one, and no rule was written for it."""

_LINKS: Final = {"hedge_link": "hedged", "denial_link": "denied", "firm_link": ""}
_JOINED = re.compile(r"(?<=[^\W_])_+(?=[^\W_])")
_CONJUNCTION = re.compile(
    r"\s*(?P<comma>[,;]|\n)\s*(?:and\s+|or\s+)?|\s+(?P<either>or|versus|vs\.?)\s+"
    r"|\s+(?:and\s*/\s*or|and|as well as|plus|&|\+)\s+|\s*(?P<slash>/)\s*"
)


@dataclass(frozen=True, slots=True)
class NameReading:
    """The parts of a name; where there are none, ``dropped`` is the rule that says why."""

    parts: tuple[Part, ...]
    dropped: str = ""


class NameReader:
    """Reads names; remembers those it has read, because few names make up most of a data set."""

    def __init__(self, words: Words, kinds: Kinds) -> None:
        self._words = words
        self._kinds = kinds
        self._peeler = Peeler(words, kinds)
        self.read = remember(self._read)
        self._longest = {
            role: max((len(word.split()) for word in words.roles[role]), default=0)
            for role in ("hedge_before", "hedge_after", "negation", "modifier")
        }

    def _read(self, raw: str) -> NameReading:
        text = clean_name(raw)
        if len(text) > MAX_NAME:
            return NameReading((Part(text),))
        has = self._words.has
        if not text or has("null", text) or has("absent", text) or has("present", text):
            return NameReading((), "null_name")
        if has("error", text) or text.startswith("error:"):
            return NameReading((), "error_marker")
        if has("no_finding", text) or text.startswith(("normal ", "unremarkable ")):
            return NameReading((), "no_finding")
        parts = tuple(part for part in self._statements(text) if part.name)
        if "?" in (raw.strip()[:1], raw.strip()[-1:]):
            parts = tuple(replace(part, status=part.status or "hedged") for part in parts)
        return NameReading(parts, "" if parts else "no_finding")

    def _statements(self, text: str) -> list[Part]:
        """Parts of a name that may hold a hedge, a denial or a conclusion."""
        link = self._link(text)
        if link is not None:
            before, after, sure = link
            reasons = self._statements(before)
            drawn = [
                replace(
                    part,
                    status=part.status or sure,
                    follows=sure == "hedged" and not part.location,
                    rules=(*part.rules, "conclusion_split" if sure == "hedged" else "link_split"),
                )
                for part in self._statements(after)
            ]
            return reasons + drawn
        text, status = self._status(text)
        parts = [piece.part for piece in self._peel_all(text)]
        if not status:
            return parts
        return [
            replace(part, status=status, rules=(*part.rules, f"{status}_in_name")) for part in parts
        ]

    def _link(self, text: str) -> tuple[str, str, str] | None:
        """``X concerning for Y`` as (X, Y, status of Y)."""
        tokens = text.split(" ")
        for at in range(1, len(tokens) - 1):
            for size in (4, 3, 2, 1):
                phrase = " ".join(tokens[at : at + size])
                role = next((role for role in _LINKS if self._words.has(role, phrase)), None)
                if role is None:
                    continue
                before = " ".join(tokens[:at]).strip(EDGES)
                after = " ".join(tokens[at + size :]).strip(EDGES)
                if not before or not after or self._kinds.identity(text) is not None:
                    continue
                hedged = _LINKS[role] == "hedged"
                if self._is_finding(before) and (hedged or self._is_finding(after)):
                    return before, after, _LINKS[role]
        return None

    def _is_finding(self, text: str) -> bool:
        return all(piece.known for piece in self._peel_all(self._status(text)[0]))

    def _status(self, text: str) -> tuple[str, str]:
        """``text`` without hedges and denials at its ends, and what they say."""
        if self._kinds.identity(text) is not None:
            return text, ""  # "absent breast" is a finding
        status = ""
        while True:
            shorter, hedge = self._without(text, "hedge_before", at_end=False)
            if not hedge:
                shorter, hedge = self._without(text, "hedge_after", at_end=True)
            if hedge:
                text, status = shorter, "hedged"
                continue
            shorter, denial = self._without(text, "negation", at_end=False)
            if not denial or shorter.startswith(("longer", "change")):
                return text, status
            text, status = shorter, "denied"

    def _without(self, text: str, role: str, *, at_end: bool) -> tuple[str, bool]:
        tokens = text.split(" ")
        for size in range(min(self._longest[role], len(tokens) - 1), 0, -1):
            phrase = tokens[-size:] if at_end else tokens[:size]
            if self._words.has(role, " ".join(phrase)):
                rest = tokens[:-size] if at_end else tokens[size:]
                return " ".join(rest).strip(EDGES), True
        return text, False

    def _peel_all(self, text: str) -> list[Peeled]:
        """The findings that ``and``, ``or``, commas and slashes join, if they are findings."""
        whole = self._peeler.peel(text)
        if whole.known or _CONJUNCTION.search(text) is None:
            return [whole]
        pieces: list[str] = []
        either = False
        position = 0
        for match in _CONJUNCTION.finditer(text):
            pieces.append(text[position : match.start()])
            position = match.end()
            either = either or match.group("either") is not None
        pieces.append(text[position:])
        pieces = [piece for piece in pieces if piece.strip(EDGES)]
        parts = self._joined(pieces) if len(pieces) > 1 else None
        if parts is None:
            return [whole]
        rule = "alternatives" if either else "conjunction_split"
        status = "hedged" if either and len(parts) > 1 else ""
        if status:  # alternatives for one thing: they are where it is
            parts = [replace(part, location=part.location or parts[0].location) for part in parts]
        return [
            Peeled(replace(part, status=status, rules=(*part.rules, rule)), known=True)
            for part in parts
        ]

    def _joined(self, pieces: list[str]) -> list[Part] | None:
        """Parts for all pieces, or None if one of them is neither a finding nor an attribute."""
        parts: list[Part] = []
        head = pieces[-1].strip(EDGES)
        for index, piece in enumerate(pieces):
            text, _ = self._status(piece.strip(EDGES))
            peeled = self._peeler.peel(text)
            if not peeled.known and index < len(pieces) - 1:  # "pleural and pericardial effusion"
                only_attributes = self._kinds.segments(text) is not None
                whose = self._peeler.peel(head).part.name if only_attributes else head.split()[-1]
                shared = self._peeler.peel(f"{text} {whose}")
                peeled = shared if shared.known else peeled
            if peeled.known:
                parts.append(peeled.part)
                continue
            slots = self._kinds.slots(text)
            if not slots or not parts:
                return None
            value = getattr(parts[-1], slots[0])
            value = f"{value}, {text}" if value else text
            parts[-1] = parts[-1].saying(slots[0], value)
        return parts


def clean_name(raw: str) -> str:
    """A name in lower case with single blanks, without punctuation around it."""
    text = raw.lower().replace("–", "-").replace("—", "-").replace("’", "'")
    text = " ".join(_JOINED.sub(" ", text).split())
    return text.strip(EDGES)
