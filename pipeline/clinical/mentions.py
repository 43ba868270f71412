"""Every finding a sentence mentions: what, whether, where, how much, of which kind, since when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.clinical.assertion import assert_clause, subject_run
from pipeline.clinical.attributes import Found, gather, places_text
from pipeline.clinical.phrases import Part, Phrase, clauses, scan
from pipeline.clinical.rulebook import Rulebook
from pipeline.clinical.sentences import lower, words


@dataclass(frozen=True, slots=True)
class Mention:
    """One mention of a finding in a text.

    Attributes:
        name: canonical name; ``clear`` for lungs said to be clear.
        status: ``present``, ``uncertain``, ``absent``, ``hypothetical`` or ``history``.
        location: sites, in the order of the text; likewise ``level`` and ``type``.
        change: ``new``, ``increased``, ``decreased``, ``unchanged`` or "".
        span: start and end of the words that name the finding.
        rule: how the name was found (``wording``, ``anatomy + state``, ``normal``).
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
    """A mention while the clause is being read."""

    name: str
    phrase: int
    status: str
    trigger: str
    rule: str
    found: Found
    first: int
    last: int


def read_sentence(rulebook: Rulebook, sentence: str) -> tuple[Mention, ...]:
    """All mentions of a sentence, in the order of the text; spans count from its start."""
    tokens, starts = words(lower(sentence))
    mentions: list[Mention] = []
    for clause in clauses(scan(rulebook, tokens)):
        if not any(phrase.core or phrase.normal is not None for phrase in clause):
            continue
        assert_clause(clause)
        for draft in _share_places(rulebook, clause, _read_clause(rulebook, clause)):
            found = draft.found
            mentions.append(
                Mention(
                    draft.name,
                    draft.status,
                    places_text(found.places),
                    tuple(dict.fromkeys(found.levels)),
                    tuple(dict.fromkeys(found.kinds)),
                    found.change,
                    (starts[draft.first], starts[draft.last - 1] + len(tokens[draft.last - 1])),
                    draft.rule,
                    draft.trigger,
                )
            )
    return tuple(mentions)


def _read_clause(rulebook: Rulebook, clause: list[Phrase]) -> list[_Draft]:
    drafts: list[_Draft] = []
    for index, phrase in enumerate(clause):
        if phrase.core:
            for part in phrase.parts:
                if part.entry.finding:
                    drafts.append(_named(rulebook, clause, index, part))
                elif part.entry.states:
                    drafts.extend(_composed(rulebook, clause, index, part))
        if phrase.normal is not None and phrase.status != "absent":
            drafts.extend(_normal(rulebook, clause, index, drafts))
    return drafts


def _named(rulebook: Rulebook, clause: list[Phrase], index: int, part: Part) -> _Draft:
    """A finding named by its own wording; its site or type may make it a more special one."""
    phrase = clause[index]
    found = gather(clause, index, part)
    name, rule = part.entry.finding, "wording"
    for key in (name, *found.kinds):
        if key not in rulebook.combining:
            continue
        heads = found.regions if key == name else iter((name,))
        special = next(filter(None, (rulebook.compositions.get((h, key)) for h in heads)), None)
        if special is not None:
            name, rule = special, "wording + place or type"
            break
    return _Draft(name, index, phrase.status, phrase.trigger, rule, found, part.start, part.end)


def _composed(rulebook: Rulebook, clause: list[Phrase], index: int, part: Part) -> Iterator[_Draft]:
    """Findings that a state makes with the sites it speaks about: *enlarged* + *heart*."""
    phrase = clause[index]
    for at, heads in _heads(rulebook, clause, index, part):
        by_name: dict[str, list[Part]] = {}
        for head in heads:
            name = _result(rulebook, head, part)
            if name is not None:
                by_name.setdefault(name, []).append(head)
        for name, named in by_name.items():
            found = Found()
            found.take(p for p in phrase.parts if not p.entry.finding)
            if at != index:
                other = [p for p in clause[at].parts if p.entry.site is not None]
                found.places.insert(0, other) if at < index else found.places.append(other)
            first = min(part.start, named[0].start)
            last = max(part.end, named[0].end)
            yield _Draft(
                name, index, phrase.status, phrase.trigger, "anatomy + state", found, first, last
            )


def _result(rulebook: Rulebook, head: Part, state: Part) -> str | None:
    entry = head.entry
    for name in state.entry.states:
        if entry.site is not None:
            result = rulebook.compositions.get((entry.site.region, name))
            if result is not None:
                return result
        if entry.finding:
            result = rulebook.compositions.get((entry.finding, name))
            if result is not None:
                return result
    return None


def _heads(
    rulebook: Rulebook, clause: list[Phrase], index: int, part: Part
) -> list[tuple[int, list[Part]]]:
    """The nearest sites a state can be about, with their phrases.

    Looked for in its own phrase, behind it (*of the aorta*), in the subject, and further left.
    """
    parts = clause[index].parts
    at = parts.index(part)

    def fits(candidates: list[Part]) -> list[Part]:
        return [p for p in candidates if p is not part and _result(rulebook, p, part)]

    if own := fits(parts[at + 1 :]):
        return [(index, own)]
    if own := fits(parts[:at]):
        return [(index, own)]
    behind: list[tuple[int, list[Part]]] = []
    for later in range(index + 1, len(clause)):
        roles = clause[later].roles
        follows = "of" in roles or "in" in roles
        if not follows and not ("and" in roles or "or" in roles or "comma" in roles):
            break
        fit = fits(clause[later].parts)
        if not follows and not behind and not fit:
            break
        if fit:
            behind.append((later, fit))
        elif behind:
            break
    if behind:
        return behind
    before: list[tuple[int, list[Part]]] = []
    for earlier in range(index - 1, -1, -1):
        if fit := fits(clause[earlier].parts):
            before.append((earlier, fit))
            roles = clause[earlier].roles
            if not ("and" in roles or "or" in roles or "comma" in roles or "of" in roles):
                break
        elif before:
            break
    return before[::-1]


def _normal(
    rulebook: Rulebook, clause: list[Phrase], index: int, drafts: list[_Draft]
) -> Iterator[_Draft]:
    """What a statement of normality denies: *heart size is normal*; *lungs are clear*."""
    phrase = clause[index]
    at = next(i for i, p in enumerate(phrase.parts) if "normal" in p.entry.roles)
    subjects = [(index, phrase)]
    if any(p.entry.site is not None for p in phrase.parts[at:]):
        for later in range(index + 1, len(clause)):
            roles = clause[later].roles
            if "verb" in roles or not ("and" in roles or "or" in roles or "comma" in roles):
                break
            subjects.append((later, clause[later]))
    elif not any(p.entry.site is not None for p in phrase.parts[:at]):
        run = subject_run(clause, index)
        subjects += [(clause.index(p), p) for p in run]
        if phrase.normal == "strong":
            touched = {clause.index(p) for p in run}
            for draft in drafts:
                kind = rulebook.lexicon.by_name[draft.name].kind if draft.name != "clear" else ""
                if draft.phrase in touched and kind == "finding" and draft.status == "present":
                    draft.status, draft.trigger = "absent", phrase.parts[at].entry.phrase
    word = phrase.parts[at]
    for number, subject in subjects:
        for part in subject.parts:
            site = part.entry.site
            if site is None or subject.core:
                continue
            name = rulebook.compositions.get((site.region, "normal"))
            if name is None and phrase.normal == "clear" and site.region in ("lung", "side"):
                name = "clear"
            if name is None:
                continue
            found = Found(places=[[p for p in subject.parts if p.entry.site is not None]])
            status = "present" if name == "clear" else "absent"
            first, last = min(part.start, word.start), max(part.end, word.end)
            yield _Draft(name, number, status, word.entry.phrase, "normal", found, first, last)


def _share_places(rulebook: Rulebook, clause: list[Phrase], drafts: list[_Draft]) -> list[_Draft]:
    """Findings listed or linked with another share its place when they have none."""
    by_name = rulebook.lexicon.by_name
    lungs = ("lung", "pleura")
    for at, draft in enumerate(drafts):
        if draft.found.places or draft.name == "clear":
            continue
        if by_name[draft.name].location not in lungs:
            continue
        for other in reversed(drafts[:at]):
            if other.name != "clear" and by_name[other.name].location in lungs:
                if other.found.places and other.status != "absent":
                    draft.found.places = other.found.places
                break
        if not draft.found.places and at + 1 < len(drafts):
            other = drafts[at + 1]
            if other.found.attached and "verb" not in clause[other.phrase].roles:
                draft.found.places = other.found.places
    return drafts
