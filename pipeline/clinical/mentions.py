"""Every finding a sentence mentions: what, whether, where, how much, of which kind, since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.clinical.assertion import assert_clause, subject_run
from pipeline.clinical.attributes import Found, from_left, from_right, gather
from pipeline.clinical.composition import heads_of, listed_head, result_of
from pipeline.clinical.lexicon import plural
from pipeline.clinical.phrases import Part, Phrase, clauses, scan
from pipeline.clinical.places import places_text
from pipeline.clinical.rulebook import Composition, Entry, Rulebook
from pipeline.clinical.sentences import lower, word_starts, words

_EXPLAINING = frozenset({"link", "probable", "probable_after", "verb"})
CLEAR = "clear"
"""The name of a mention that says lungs are clear: no finding, but worth keeping."""


@dataclass(frozen=True, slots=True)
class Mention:
    """One mention of a finding in a text.

    Attributes:
        name: canonical name, or `CLEAR`.
        status: ``present``, ``uncertain``, ``absent``, ``hypothetical`` or ``history``.
        location: sites, in the order of the text; likewise ``level`` and ``type``.
        change: ``new``, ``increased``, ``decreased``, ``unchanged`` or "".
        span: start and end of the words that name the finding.
        rule: how the name was found (``wording``, ``site + state``, ``normal`` ...).
        trigger: the words that decided the status, or "".
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


@dataclass(slots=True)
class _Draft:
    """A mention while the clause is being read; ``phrase`` is the index of its phrase."""

    name: str
    phrase: int
    status: str
    trigger: str
    rule: str
    found: Found
    first: int
    last: int
    many: bool = False


def read_sentence(rulebook: Rulebook, sentence: str) -> tuple[Mention, ...]:
    """All mentions of a sentence, in the order of the text; spans count from its start."""
    tokens, kept = sentence_words(rulebook, sentence)
    starts: list[int] = []
    by_name = rulebook.lexicon.by_name
    mentions: list[Mention] = []
    for clause in clauses(scan(rulebook, tokens)):
        if not any(phrase.core or phrase.normal is not None for phrase in clause):
            continue
        assert_clause(clause)
        drafts = _read_clause(rulebook, clause)
        _share(rulebook, clause, drafts)
        if drafts and not starts:
            starts = word_starts(lower(sentence))
            starts = starts if kept is None else [starts[i] for i in kept]
        for draft in drafts:
            found = draft.found
            mentions.append(
                Mention(
                    draft.name,
                    draft.status,
                    places_text(found.places, by_name.get(draft.name), many=draft.many),
                    tuple(dict.fromkeys(found.levels)),
                    tuple(dict.fromkeys(found.kinds)),
                    found.change,
                    (starts[draft.first], starts[draft.last - 1] + len(tokens[draft.last - 1])),
                    draft.rule,
                    draft.trigger,
                )
            )
    return tuple(mentions)


def sentence_words(rulebook: Rulebook, sentence: str) -> tuple[list[str], list[int] | None]:
    """The words that carry weight, and their numbers among all words if some carry none."""
    tokens = words(lower(sentence))
    if rulebook.fillers.isdisjoint(tokens):
        return tokens, None
    kept = [i for i, token in enumerate(tokens) if token not in rulebook.fillers]
    return [tokens[i] for i in kept], kept


def _read_clause(rulebook: Rulebook, clause: list[Phrase]) -> list[_Draft]:
    drafts: list[_Draft] = []
    renamed: set[int] = set()
    for index, phrase in enumerate(clause):
        if phrase.core:
            for at, part in enumerate(phrase.parts):
                entry = part.entry
                made: list[_Draft] = []
                if entry.states:
                    made = list(_composed(rulebook, clause, index, part, renamed))
                    drafts.extend(made)
                if entry.finding and part.start not in renamed and not made:
                    modifies = entry.kind and any(p.entry.finding for p in phrase.parts[at + 1 :])
                    if not modifies:
                        draft = _named(rulebook, clause, index, part)
                        drafts.extend(_twins(draft))
                        drafts.append(draft)
        if phrase.normal is not None and phrase.status != "absent":
            drafts.extend(_normal(rulebook, clause, index, drafts))
    return drafts


def _named(rulebook: Rulebook, clause: list[Phrase], index: int, part: Part) -> _Draft:
    """A finding named by its own wording; its place or type may make it a more special one."""
    phrase = clause[index]
    name, rule = part.entry.finding, "wording"
    group = rulebook.lexicon.groups.get(rulebook.lexicon.by_name[name].location, "any")
    found = gather(clause, index, part, group)
    compositions = rulebook.compositions
    for key in (name, *found.kinds):
        if key not in rulebook.combining:
            continue
        heads = list(found.regions) if key == name else [name]
        made = next((m for h in heads if (m := compositions.get((h, key))) is not None), None)
        if made is not None and made.mode == "replace":
            name, rule = made.result, "wording + place or type"
            break
    return _Draft(
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


def _twins(draft: _Draft) -> Iterator[_Draft]:
    """*Moderate right and small left effusions*: one mention for each."""
    for parts in draft.found.twins:
        found = Found()
        found.take(parts)
        yield replace(draft, found=found)


def _composed(
    rulebook: Rulebook, clause: list[Phrase], index: int, state: Part, renamed: set[int]
) -> Iterator[_Draft]:
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
            parts = [p for p in phrase.parts if not p.entry.finding]
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


def _draft_of(
    made: Composition, phrase: Phrase, index: int, state: Part, head: Part, found: Found
) -> _Draft:
    doubted = made.mode == "uncertain" and phrase.status == "present"
    return _Draft(
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


def _normal(
    rulebook: Rulebook, clause: list[Phrase], index: int, drafts: list[_Draft]
) -> Iterator[_Draft]:
    """What a statement of normality denies: *heart size is normal*; *lungs are clear*."""
    phrase = clause[index]
    at = next(i for i, p in enumerate(phrase.parts) if "normal" in p.entry.roles)
    word = phrase.parts[at]
    subjects = [(index, phrase)]
    if any(p.entry.site is not None for p in phrase.parts[at:]):
        for later in range(index + 1, len(clause)):
            roles = clause[later].roles
            if "verb" in roles or not ("and" in roles or "or" in roles or "comma" in roles):
                break
            subjects.append((later, clause[later]))
    else:
        named = any(p.entry.site is not None for p in phrase.parts[:at])
        listed = "and" in phrase.roles or "or" in phrase.roles
        run = subject_run(clause, index) if listed or not named else []
        places = [i for i, p in enumerate(clause) if any(p is q for q in run)]
        subjects += [(i, clause[i]) for i in places]
        if phrase.normal == "strong":
            _deny(rulebook, drafts, [*places, index], word)
    if phrase.normal == CLEAR:
        for draft in drafts:
            if draft.phrase == index and draft.first >= word.end and draft.status == "present":
                draft.status, draft.trigger = "absent", word.entry.phrase
    for number, subject in subjects:
        if subject.core:
            continue
        for part in subject.parts:
            site = part.entry.site
            if site is None:
                continue
            made = rulebook.compositions.get((site.region, "normal"))
            name = made.result if made is not None else ""
            if not name and phrase.normal == CLEAR and site.region in ("lung", "side"):
                name = CLEAR
            if name:
                yield _Draft(
                    name,
                    number,
                    "present" if name == CLEAR else "absent",
                    word.entry.phrase,
                    "normal",
                    Found(places=[[p for p in subject.parts if p.entry.site is not None]]),
                    min(part.start, word.start),
                    max(part.end, word.end),
                )


def _deny(rulebook: Rulebook, drafts: list[_Draft], phrases: list[int], word: Part) -> None:
    """Findings that are said to be normal: *vascular engorgement within limits of normal*."""
    for draft in drafts:
        finding = rulebook.lexicon.by_name.get(draft.name)
        known = finding is not None and finding.kind == "finding"
        if (
            known
            and draft.phrase in phrases
            and draft.first < word.start
            and draft.status == "present"
        ):
            draft.status, draft.trigger = "absent", word.entry.phrase


def _share(rulebook: Rulebook, clause: list[Phrase], drafts: list[_Draft]) -> None:
    """Findings that are listed or linked with another share its attributes when they have none.

    *Small left effusion and atelectasis* share the place; *mild atelectasis or scarring* are
    readings of one thing and share all; what turns out to be *artifact* is no finding.
    """
    lexicon = rulebook.lexicon

    def area(draft: _Draft) -> str:
        finding = lexicon.by_name.get(draft.name)
        return lexicon.groups.get(finding.location, "any") if finding is not None else CLEAR

    def whole(draft: _Draft) -> bool:
        finding = lexicon.by_name.get(draft.name)
        return finding is None or finding.location in ("lungs", "heart")

    for at, draft in enumerate(drafts):
        if draft.name == CLEAR:
            continue
        roles = clause[draft.phrase].roles
        found = draft.found
        before = drafts[at - 1] if at else None
        if before is not None and before.name != CLEAR and before.phrase < draft.phrase:
            shadow = lexicon.by_name[draft.name].kind == "artifact" and not (
                _EXPLAINING.isdisjoint(roles)
            )
            if shadow and draft.status == before.status == "present":
                before.status, before.trigger = "hypothetical", draft.name
            if "or" in roles:
                _doubt_diagnoses(rulebook, before, draft)
            if "or" in roles and not found.levels and not found.change:
                found.levels = before.found.levels
                found.kinds = found.kinds or before.found.kinds
        if found.placed or whole(draft):
            continue
        for other in reversed(drafts[:at]):
            if other.status == "absent" or not other.found.placed or whole(other):
                continue
            if area(other) == area(draft) or ("link" in roles and area(other) == "any"):
                found.places = other.found.places
                break
        if not found.placed and at + 1 < len(drafts):
            other = drafts[at + 1]
            if other.found.attached and area(other) == area(draft):
                found.places = other.found.places
        if not found.placed:
            _usual_site(rulebook, clause, draft)


def _doubt_diagnoses(rulebook: Rulebook, *alternatives: _Draft) -> None:
    """*Atelectasis or pneumonia*: a diagnosis that is one of two readings is not certain."""
    for draft in alternatives:
        diagnosis = rulebook.lexicon.by_name[draft.name].kind == "disease"
        if diagnosis and draft.status == "present":
            draft.status, draft.trigger = "uncertain", "or"


def _usual_site(rulebook: Rulebook, clause: list[Phrase], draft: _Draft) -> None:
    """*Tortuous aorta with atherosclerosis*: the usual site, when the clause names it."""
    usual = rulebook.lexicon.by_name[draft.name].location
    for phrase in clause:
        for part in phrase.parts:
            if part.entry.site is not None and part.entry.site.region == usual:
                draft.found.places = [[part]]
                return
