"""Every finding a sentence mentions: what, whether, where, how much, of which kind, since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from pipeline.clinical.assertion import assert_clause
from pipeline.clinical.attributes import Found, from_left, from_right, gather
from pipeline.clinical.composition import heads_of, listed_head, result_of
from pipeline.clinical.drafts import Draft
from pipeline.clinical.lexicon import Site, plural
from pipeline.clinical.normality import denied_by_normality
from pipeline.clinical.phrases import Part, Phrase, clauses, scan
from pipeline.clinical.places import places_text
from pipeline.clinical.rulebook import Composition, Entry, Rulebook
from pipeline.clinical.sentences import word_starts, words
from pipeline.clinical.sharing import share

_STEM = 5  # letters that words of one root share: calcified, calcification
_OUTSIDE = frozenset({"abdomen", "limb"})


class Mention(NamedTuple):
    """One mention of a finding in a text.

    Attributes:
        name: canonical name, or `CLEAR`.
        status: ``present``, ``uncertain``, ``absent``, ``hypothetical`` or ``history``.
        location: sites, in the order of the text; likewise ``level`` and ``type``.
        change: ``new``, ``increased``, ``decreased``, ``unchanged`` or "".
        span: start and end of the words that name the finding.
        rule: how the name was found (``wording``, ``site + state``, ``normal`` ...).
        trigger: the words that decided the status, or "".
        qualifier: what a denial is limited to (*large* in *no large effusion*), or "": a small one
            is not excluded.
        outside: whether it lies outside the chest (*mass in the liver*).
    """

    name: str
    status: str
    location: tuple[str, ...]
    level: tuple[str, ...]
    type: tuple[str, ...]
    change: str
    span: tuple[int, int]
    rule: str
    trigger: str
    qualifier: str = ""
    outside: bool = False


def read_sentence(rulebook: Rulebook, sentence: str) -> tuple[Mention, ...]:
    """All mentions of a sentence, in the order of the text; spans count from its start."""
    lowered = rulebook.readable(sentence)
    tokens, kept = sentence_words(rulebook, lowered)
    starts: list[int] = []
    by_name = rulebook.lexicon.by_name
    mentions: list[Mention] = []
    for clause in clauses(scan(rulebook, tokens)):
        if not any(phrase.core or phrase.normal is not None for phrase in clause):
            continue
        assert_clause(clause)
        drafts = _read_clause(rulebook, clause)
        share(rulebook, clause, drafts)
        if drafts and not starts:
            starts = word_starts(lowered, tokens if kept is None else words(lowered))
            starts = starts if kept is None else [starts[i] for i in kept]
        for draft in drafts:
            found = draft.found
            mentions.append(
                Mention(
                    draft.name,
                    draft.status,
                    places_text(found.places, by_name.get(draft.name), many=draft.many)
                    if found.places
                    else (),
                    _telling(found.levels, draft.name),
                    _telling(found.kinds, draft.name),
                    found.change,
                    (starts[draft.first], starts[draft.last - 1] + len(tokens[draft.last - 1])),
                    draft.rule,
                    draft.trigger,
                    _qualifier(rulebook, clause, draft) if draft.status == "absent" else "",
                    _lies_outside(found),
                )
            )
    return tuple(mentions)


def _telling(values: list[str], name: str) -> tuple[str, ...]:
    """Degrees or kinds, each once, without those the name says: *calcified* granuloma."""
    if not values:
        return ()
    return tuple(value for value in dict.fromkeys(values) if not _said_by(value, name))


def _said_by(value: str, name: str) -> bool:
    if value in name:
        return True
    stem = value[:_STEM]
    return len(stem) == _STEM and any(word.startswith(stem) for word in name.split(" "))


def _qualifier(rulebook: Rulebook, clause: list[Phrase], draft: Draft) -> str:
    """What limits a denial: words of the trigger, the phrase and the finding's own wording."""
    limits = [rulebook.qualifiers.get(draft.trigger, "")]
    limits += [p.entry.limit for p in clause[draft.phrase].parts if p.end <= draft.last]
    return " ".join(filter(None, limits))


def _lies_outside(found: Found) -> bool:
    if not found.places:
        return False
    groups = [p.entry.site.group for places in found.places for p in places if p.entry.site]
    return not _OUTSIDE.isdisjoint(groups) and all(g in _OUTSIDE or g == "any" for g in groups)


def sentence_words(rulebook: Rulebook, lowered: str) -> tuple[list[str], list[int] | None]:
    """The words that carry weight, and their numbers among all words if some carry none."""
    tokens = words(lowered)
    if rulebook.fillers.isdisjoint(tokens):
        return tokens, None
    kept = [i for i, token in enumerate(tokens) if token not in rulebook.fillers]
    return [tokens[i] for i in kept], kept


def _read_clause(rulebook: Rulebook, clause: list[Phrase]) -> list[Draft]:
    drafts: list[Draft] = []
    renamed: set[int] = set()
    for index, phrase in enumerate(clause):
        if phrase.core:
            for at, part in enumerate(phrase.parts):
                entry = part.entry
                made: list[Draft] = []
                if entry.states:
                    made = list(_composed(rulebook, clause, index, part, renamed))
                    drafts.extend(made)
                if entry.finding and part.start not in renamed and not made:
                    modifies = entry.kind and any(p.entry.finding for p in phrase.parts[at + 1 :])
                    if not modifies:
                        draft = _named(rulebook, clause, index, part)
                        drafts.extend(_twins(draft))
                        drafts.append(draft)
        elif phrase.site and (shared := _calcified_too(rulebook, clause, index)) is not None:
            drafts.append(shared)
        if phrase.normal is not None and phrase.status != "absent":
            drafts.extend(denied_by_normality(rulebook, clause, index, drafts))
    return drafts


def _heads(found: Found) -> list[str]:
    """The regions of a finding; a *soft tissue* mass in a lobe is not one of the chest wall."""
    groups = {p.entry.site.group for g in found.places for p in g if p.entry.site is not None}
    return [r for r in found.regions if r != "chest wall" or "lung" not in groups]


def _calcified_too(rulebook: Rulebook, clause: list[Phrase], index: int) -> Draft | None:
    """*Calcified granulomas and lymph nodes*: a bare site shares the state in a wording."""
    phrase = clause[index]
    if not index or phrase.roles.keys() != {"and"} or not all(p.entry.site for p in phrase.parts):
        return None
    part, named = phrase.parts[-1], clause[index - 1].parts[-1:]
    site = part.entry.site
    if site is None or not site.noun or not named or not named[0].entry.finding:
        return None
    state = rulebook.tree.get(named[0].entry.phrase.split(" ")[0])
    states = state[0].states if state is not None and state[0] is not None else ()
    table = rulebook.compositions
    made = next((m for s in states if (m := table.get((site.region, s))) is not None), None)
    if made is None or (index + 1 < len(clause) and clause[index + 1].normal is not None):
        return None
    found = Found()
    found.take(phrase.parts)
    from_right(clause, index, found)
    start = clause[index - 1].parts[-1].start
    rule = "site + state"
    return Draft(made.result, index, phrase.status, phrase.trigger, rule, found, start, part.end)


def _named(rulebook: Rulebook, clause: list[Phrase], index: int, part: Part) -> Draft:
    """A finding named by its own wording; its place or type may make it a more special one."""
    phrase = clause[index]
    name, rule = part.entry.finding, "wording"
    group = rulebook.lexicon.groups.get(rulebook.lexicon.by_name[name].location, "any")
    found = gather(clause, index, part, group)
    compositions = rulebook.compositions
    for key in (name, *found.kinds):
        if key not in rulebook.combining:
            continue
        heads = _heads(found) if key == name else [name]
        made = next((m for h in heads if (m := compositions.get((h, key))) is not None), None)
        if made is not None and made.mode == "replace":
            name, rule = made.result, "wording + place or type"
            break
    if (about := _said_before(rulebook, clause, index, part)) is not None and all(
        region == "side" for region in found.regions
    ):
        name, rule = compositions[about.region, name].result, "wording + place or type"
        if not found.placed:
            found.take([Part(part.start, part.end, Entry(part.entry.phrase, site=about))])
    return Draft(
        name,
        index,
        phrase.status,
        phrase.trigger,
        rule,
        found,
        part.start,
        part.end,
        part.entry.many,
    )


def _said_before(rulebook: Rulebook, clause: list[Phrase], index: int, part: Part) -> Site | None:
    """*Aortic tortuosity and calcification*: the site said with the finding it is listed with."""
    phrase = clause[index]
    if not index or phrase.roles.keys() != {"and"} or phrase.parts[0] is not part:
        return None
    before = clause[index - 1].parts
    sites = [p.entry.about or p.entry.site for p in before if p.entry.site or p is before[-1]]
    table = rulebook.compositions
    return next(
        (s for s in sites if s and not s.noun and (s.region, part.entry.finding) in table), None
    )


def _twins(draft: Draft) -> Iterator[Draft]:
    """*Moderate right and small left effusions*: one mention for each."""
    for parts in draft.found.twins:
        found = Found()
        found.take(parts)
        yield replace(draft, found=found)


def _composed(
    rulebook: Rulebook, clause: list[Phrase], index: int, state: Part, renamed: set[int]
) -> Iterator[Draft]:
    """Findings that a state makes with the sites or findings it speaks about.

    Adds to ``renamed`` where a finding starts that has a more special name now.
    """
    phrase = clause[index]
    groups = heads_of(rulebook, clause, index, state)
    for at, heads in groups:
        for head in heads:
            made = result_of(rulebook, head, state)
            if made is None or (made.mode == "alone" and _has_device(rulebook, clause)):
                continue
            if head.entry.finding and made.mode == "replace":
                renamed.add(head.start)
            found = Found()
            parts = [p for p in phrase.parts if p is state or _describes(p)]
            if at > index == groups[0][0] and _placed_behind(clause, at):
                parts = [p for p in parts if p.entry.site is None]
            degrees = any(p.entry.level for p in parts if p is not state)
            found.take(p for p in parts if p is not state or not degrees)  # slightly large heart
            for other in range(index + 1, at + 1):
                if not clause[other].solid or other == at:
                    found.take(p for p in clause[other].parts if p.entry.site is not None)
            if head.entry.finding and head.entry.about is not None:
                about = Entry(head.entry.phrase, site=head.entry.about)
                found.take([Part(head.start, head.end, about)])
            if at < index:
                found.take([p for p in clause[at].parts if p.entry.site is not None], front=True)
            if at <= index:
                from_left(clause, at, found)
            from_right(clause, max(at, index), found)
            yield _draft_of(made, phrase, index, state, head, found)
    if not groups and (made := listed_head(rulebook, clause, index, state)) is not None:
        found = Found()
        found.take(phrase.parts)
        yield _draft_of(made, phrase, index, state, state, found)


def _placed_behind(clause: list[Phrase], index: int) -> bool:
    """*Calcified right hilar nodes and granuloma in the left lung*: the last has its own place."""
    found = Found()
    from_right(clause, index, found)
    return found.placed


def _describes(part: Part) -> bool:
    """Whether a part may describe a state next to it; another state is a finding of its own."""
    return not part.entry.finding and (not part.entry.states or part.entry.weak)


def _draft_of(
    made: Composition, phrase: Phrase, index: int, state: Part, head: Part, found: Found
) -> Draft:
    doubted = made.mode == "uncertain" and phrase.status == "present"
    return Draft(
        made.result,
        index,
        "uncertain" if doubted else phrase.status,
        state.entry.phrase if doubted else phrase.trigger,
        "site + state",
        found,
        min(state.start, head.start),
        max(state.end, head.end),
        plural(made.result) is None,
    )


def _has_device(rulebook: Rulebook, clause: list[Phrase]) -> bool:
    by_name = rulebook.lexicon.by_name
    return any(
        part.entry.finding and by_name[part.entry.finding].kind == "device"
        for phrase in clause
        for part in phrase.parts
    )
