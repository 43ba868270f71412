"""KeyInfo of a report by rules: the embedded backend, and the reference all others are held to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.clinical.anaphora import goes_on
from pipeline.clinical.described import described
from pipeline.clinical.mentions import Mention, read_sentence
from pipeline.clinical.rulebook import Rulebook, load_rulebook

_LONGEST_KEPT = 500  # characters; longer sentences do not come again
_UNLISTED = frozenset({"general", "artifact"})


@dataclass(frozen=True, slots=True)
class Reading:
    """All mentions of a text, with spans that count from the start of the text."""

    text: str
    mentions: tuple[Mention, ...]


def read_report(text: str, root: Path | None = None) -> Reading:
    """Every mention in a text, in order, with spans that count from its start.

    Args:
        text: a report, or the part of it that describes the image. Sections that say why the
            image was taken or what it was compared with (``INDICATION:`` ...), and what is said of
            another part of the body on an image of its own (``LEFT KNEE:``), are passed over.
        root: the folder of rules; the packaged English ones by default.
    """
    return Reading(
        text,
        tuple(
            mention._replace(span=(mention.span[0] + start, mention.span[1] + start))
            for start, mentions in read_sentences(text, root)
            for mention in mentions
        ),
    )


def read_sentences(text: str, root: Path | None) -> Iterator[tuple[int, Sequence[Mention]]]:
    """The mentions of each sentence, whose spans count from its start, with that start."""
    rulebook = load_rulebook(root)
    before: Mention | None = None
    for start, end in described(text):
        sentence = text[start:end]
        read = _read if end - start < _LONGEST_KEPT else _read.__wrapped__
        mentions: Sequence[Mention] = read(sentence, root)
        if not mentions:
            if before is not None and (more := goes_on(rulebook, sentence, before)) is not None:
                yield start, (more,)
            continue
        if before is not None and sentence.lstrip().lower().startswith(rulebook.anaphors):
            mentions = [_placed(rulebook, before, mention) for mention in mentions]
        before = mentions[-1]
        yield start, mentions


def _placed(rulebook: Rulebook, before: Mention, mention: Mention) -> Mention:
    """*Opacity in the left base. This may be atelectasis*: the place carries over."""
    if mention.location or not _same_area(rulebook, before, mention):
        return mention
    return mention._replace(location=before.location)


def _same_area(rulebook: Rulebook, one: Mention, two: Mention) -> bool:
    """Whether both are findings of one area, so that a place may carry over."""
    lexicon = rulebook.lexicon
    first, second = lexicon.by_name.get(one.name), lexicon.by_name.get(two.name)
    if first is None or second is None or second.location == "lungs" or one.status == "absent":
        return False
    return lexicon.groups.get(first.location) == lexicon.groups.get(second.location)


@lru_cache(maxsize=20_000)  # reports repeat themselves: a third to two thirds of all sentences
def _read(sentence: str, root: Path | None) -> tuple[Mention, ...]:
    return read_sentence(load_rulebook(root), sentence)


def forget_sentences() -> None:
    """Empties the memory of sentences read before; only measurements need it."""
    _read.cache_clear()


def extract_keyinfo(text: str, root: Path | None = None) -> dict[str, Any]:
    """The findings of a report as KeyInfo in standard form.

    Keys: ``opacity_vs_clear``, ``entity``, ``uncertain_entity``, ``no_entity``. A finding that is
    stated anywhere is present, even if another sentence doubts or denies it ("no acute fracture",
    "old rib fracture"); a doubted one is uncertain even if another sentence denies it.
    """
    mentions = (mention for _, found in read_sentences(text, root) for mention in found)
    return keyinfo(mentions, load_rulebook(root))


def keyinfo(mentions: Iterable[Mention], rulebook: Rulebook) -> dict[str, Any]:
    """Mentions merged into one KeyInfo record."""
    groups: dict[str, dict[str, list[Mention]]] = {"present": {}, "uncertain": {}, "absent": {}}
    for mention in mentions:
        if mention.status in groups:
            groups[mention.status].setdefault(mention.name, []).append(mention)
    present, uncertain, absent = groups["present"], groups["uncertain"], groups["absent"]
    clear = present.pop("clear", None)
    lexicon = rulebook.lexicon

    def listed(name: str) -> bool:
        return lexicon.by_name[name].kind not in _UNLISTED

    return {
        "opacity_vs_clear": {"clear": _attributes(clear)} if clear else {},
        "entity": {n: _attributes(m) for n, m in present.items() if listed(n)},
        "uncertain_entity": {
            n: _attributes(m) for n, m in uncertain.items() if listed(n) and n not in present
        },
        "no_entity": [n for n in absent if listed(n) and n not in present and n not in uncertain],
    }


def _attributes(mentions: list[Mention]) -> dict[str, str | None] | list[dict[str, str | None]]:
    """One attribute set, or one per place where degree or type differ by place."""
    sets: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}
    for mention in mentions:
        levels, kinds = sets.setdefault(mention.location, ([], []))
        levels.extend(mention.level)
        kinds.extend(mention.type)
    places = [p for p in sets if p]
    described = {(tuple(sets[p][0]), tuple(sets[p][1])) for p in places}
    sides = {frozenset(_sides(p)) for p in places}
    if (
        len(places) > 1
        and len(described) > 1
        and len(sides) > 1
        and all(sets[p][0] for p in places)
    ):
        return [_one(p, *sets[p]) for p in places]
    return _one(
        [term for place in sets for term in place],
        [level for levels, _ in sets.values() for level in levels],
        [kind for _, kinds in sets.values() for kind in kinds],
    )


def _sides(place: tuple[str, ...]) -> Iterable[str]:
    text = " ".join(place)
    return [side for side in ("left", "right", "bilateral") if side in text]


def _one(
    places: Iterable[str], levels: Iterable[str], kinds: Iterable[str]
) -> dict[str, str | None]:
    def joined(values: Iterable[str]) -> str | None:
        return ", ".join(dict.fromkeys(values)) or None

    return {"location": joined(places), "level": joined(levels), "type": joined(kinds)}
