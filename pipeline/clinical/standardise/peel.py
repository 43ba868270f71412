"""Cuts sites, degrees, kinds and idle words off a name, as far as a finding remains."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from pipeline.clinical.standardise.kinds import Kinds
from pipeline.clinical.standardise.plurals import singular
from pipeline.clinical.standardise.words import Words, phrase_key

EDGES: Final = " .;:,\"'`“”‘’*?!-=\t"
"""Marks that may stand around a name or a value and do not belong to it."""

_MAX_PHRASE: Final = 5
_IN_PLACE = re.compile(
    r"(?P<what>.+?) (?P<how>in|at|within|along|over|overlying|involving|affecting|near|on|of)"
    r" (?:the |both (?=lungs|sides))?(?P<where>.+)"
)
_BRACKETS = re.compile(r"(?P<what>[^()\[\]]+?)\s*[(\[](?P<where>[^()\[\]]+)[)\]]")
_SIDED = re.compile(r"\b(left|right)[- ]sided\b")
_OF_SIDE = re.compile(r"(?P<what>.+? of (?:the )?)(?P<side>left|right) (?P<where>.+)")


@dataclass(frozen=True, slots=True)
class Part:
    """One finding that a name speaks of.

    Attributes:
        name: its standard name.
        location, level, type: what the name says beside the finding.
        status: ``""`` as its category says, ``hedged`` or ``denied``.
        follows: a conclusion drawn from another part; it takes that part's place, nothing else.
        rules: the rules that were used.
    """

    name: str
    location: str = ""
    level: str = ""
    type: str = ""
    status: str = ""
    follows: bool = False
    rules: tuple[str, ...] = ()

    def saying(self, slot: str, value: str, *rules: str) -> Part:
        """The same part with the value of an attribute, and the rules that found it."""
        used = (*self.rules, *rules)
        if slot == "location":
            return replace(self, location=value, rules=used)
        if slot == "level":
            return replace(self, level=value, rules=used)
        return replace(self, type=value, rules=used)


@dataclass(frozen=True, slots=True)
class Peeled:
    """A name without the words around it, and whether what is left is a known finding."""

    part: Part
    known: bool

    def saying(self, slot: str, value: str) -> Peeled:
        """The same with an attribute that the name says."""
        return Peeled(self.part.saying(slot, value, f"{slot}_from_name"), self.known)


class Peeler:
    """Peels one finding's name."""

    def __init__(self, words: Words, kinds: Kinds) -> None:
        self._words = words
        self._kinds = kinds

    def peel(self, text: str) -> Peeled:
        """Cut sites, degrees, kinds and idle words off a name, as far as a finding remains."""
        if self._words.has("fixed_name", text):
            return Peeled(Part(text), known=True)
        sided = _SIDED.sub(r"\1", text)
        if sided != text:
            inner = self.peel(sided)
            return (
                inner if inner.part.location else Peeled(Part(singular(self._words, text)), False)
            )
        bracket = _BRACKETS.fullmatch(text)
        if bracket is not None:
            return self._with_bracket(text, bracket)
        if self._kinds.identity(text) is None:
            placed = self._side_inside(text) or self._in_place(text) or self._of_side(text)
            if placed is not None:
                return placed
        return self._around(text)

    def _side_inside(self, text: str) -> Peeled | None:
        """``elevation of the right hemidiaphragm``: the finding is known without the side."""
        tokens = text.split(" ")
        for at in range(1, len(tokens) - 1):
            if not self._words.has("side", tokens[at]):
                continue
            if self._words.has("fixed_after_side", tokens[at + 1]):
                continue
            inner = self._around(" ".join(tokens[:at] + tokens[at + 1 :]))
            if inner.known and " " in inner.part.name and not inner.part.location:
                return inner.saying("location", tokens[at])
        return None

    def _of_side(self, text: str) -> Peeled | None:
        """``blunting of the left angle``: a side after *of* is a place, whatever the finding."""
        match = _OF_SIDE.fullmatch(text)
        if match is None or self._words.has("fixed_after_side", match["where"].partition(" ")[0]):
            return None
        name = singular(self._words, match["what"] + match["where"])
        return Peeled(Part(name), known=False).saying("location", match["side"])

    def _with_bracket(self, text: str, bracket: re.Match[str]) -> Peeled:
        inner = self.peel(bracket["what"].strip(EDGES))
        where = bracket["where"].strip(EDGES)
        slots = self._kinds.slots(where) or (("location",) if self._is_place(where) else ())
        if not slots or getattr(inner.part, slots[0]):
            return Peeled(Part(singular(self._words, text)), known=False)
        return inner.saying(slots[0], where)

    def _in_place(self, text: str) -> Peeled | None:
        match = _IN_PLACE.fullmatch(text)
        if match is None:
            return None
        inner = self._around(match["what"])
        where = match["where"].strip(EDGES)
        named = "location" in self._kinds.slots(where) or self._words.has(
            "place", where.partition(" ")[0]
        )
        known = inner.known or self._kinds.is_device(inner.part.name)
        if not known or not (named or (match["how"] != "of" and len(where.split()) <= 6)):
            return None
        if self._kinds.identity(where) is not None and not named:
            return None
        return inner.saying("location", f"{inner.part.location} {where}".strip())

    def _around(self, text: str) -> Peeled:
        tokens = text.split(" ")
        start, cuts = self._prefix(tokens)
        end = len(tokens)
        if self._kinds.identity(" ".join(tokens[start:])) is None:
            for size in range(min(_MAX_PHRASE, end - start - 1), 0, -1):
                tail = " ".join(tokens[end - size :])
                if self._is_place(tail):
                    again, more = self._prefix(tokens[: end - size])
                    if self._kinds.identity(" ".join(tokens[again : end - size])) is not None:
                        start, cuts, end = again, [*more, ("location", tail)], end - size
                        break
        rest = " ".join(tokens[start:end])
        values: dict[str, str] = {}
        rules: list[str] = []
        for slot, words in cuts:
            if slot == "modifier":
                rules.append("modifier_removed")
                continue
            values[slot] = f"{values[slot]} {words}" if slot in values else words
            rules.append(f"{slot}_from_name")
        return self._finish(rest, values, rules)

    def _finish(self, rest: str, values: dict[str, str], rules: list[str]) -> Peeled:
        known = self._kinds.identity(rest) is not None
        name = singular(self._words, rest)
        if name != rest:
            rules.append("singular")
        rename = self._words.renames.get(phrase_key(name))
        if rename is not None:
            if rename.name != name:
                rules.append("synonym")
            name = rename.name
            if rename.location and "location" not in values:
                values["location"] = rename.location
        if self._words.has("no_finding", name):
            name = ""
        part = Part(name, rules=tuple(dict.fromkeys(rules)))
        for slot, value in values.items():
            part = part.saying(slot, value)
        return Peeled(part, known)

    def _prefix(self, tokens: list[str]) -> tuple[int, list[tuple[str, str]]]:
        """How many tokens to cut off the front, and what they are."""
        identity = self._kinds.identity
        found = identity(" ".join(tokens))
        best = 0
        cuts: list[tuple[str, str]] = []
        kept: list[tuple[str, str]] = []
        plain = True  # only sides, sites and degrees so far: safe to cut off an unknown finding
        at = 0
        while at < len(tokens) - 1:
            slot, size = self._phrase(tokens, at)
            if not slot:
                break
            phrase = " ".join(tokens[at : at + size])
            plain = plain and slot in ("location", "level")
            if slot == "weak_place":
                slot = "location"
            elif slot == "level" and phrase.endswith("ly"):
                phrase = self._words.lexicon.levels.get(phrase, phrase)
            cuts.append((slot, phrase))
            at += size
            rest = identity(" ".join(tokens[at:]))
            same = found is None or rest == found
            if rest is not None and (same or slot in ("modifier", "level")):
                found, best, kept = rest, at, list(cuts)
            elif rest is None and found is None and plain and not self._is_bare(tokens[at:]):
                best, kept = at, list(cuts)
        return best, kept

    def _is_bare(self, rest: list[str]) -> bool:
        """Whether what is left names nothing by itself: ``syndrome``, ``predominance``."""
        return len(rest) == 1 and self._words.has("bare_head", rest[0])

    def _phrase(self, tokens: list[str], at: int) -> tuple[str, int]:
        """The attribute that starts at ``at`` and its length in tokens."""
        size = self._place_length(tokens, at)
        if size:
            following = phrase_key(tokens[at + size])
            return ("", 0) if self._words.has("fixed_after_side", following) else ("location", size)
        if self._words.has("weak_place", tokens[at]):
            return "weak_place", 1
        longest = min(_MAX_PHRASE, len(tokens) - 1 - at)
        for size in range(longest, 0, -1):
            phrase = " ".join(tokens[at : at + size])
            if self._words.has("modifier", phrase):
                return "modifier", size
            if self._words.has("no_cut", phrase):
                return "", 0
            for slot in self._kinds.slots(phrase):
                following = phrase_key(tokens[at + size])
                if slot == "level" and self._words.has("fixed_after_side", following):
                    return "", 0
                if slot != "location" or self._kinds.listed(phrase) is not None:
                    return slot, size
        return "", 0

    def _place_length(self, tokens: list[str], at: int) -> int:
        """Length of the site at ``at``: ``left``, ``right lower lobe``, ``left and right base``."""
        has = self._words.has
        last = len(tokens) - 1
        end = at
        while end < last:
            token = phrase_key(tokens[end])
            joins = token in ("and", "or") and end > at and has("place", tokens[end + 1])
            if not (has("place", token) or joins or (end > at and has("place_tail", token))):
                break
            end += 1
        while end > at and tokens[end - 1] in ("and", "or"):
            end -= 1
        return end - at

    def _is_place(self, phrase: str) -> bool:
        tokens = phrase_key(phrase).split()
        has = self._words.has
        return (
            bool(tokens)
            and has("place", tokens[0])
            and all(
                has("place", token) or has("place_tail", token) or token in ("and", "or")
                for token in tokens
            )
        )
