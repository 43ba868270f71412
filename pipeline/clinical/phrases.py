"""A sentence cut into clauses and phrases.

A phrase is a run of known words without any joining word: ``small left pleural effusion``. The
words between two phrases (*and*, *of*, *in the*, *is*, *no*, *may represent*, commas) say how the
second relates to the first; they are kept with the second phrase.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pipeline.clinical.measures import read_measure
from pipeline.clinical.numbered import ORDINALS, read_numbered
from pipeline.clinical.rulebook import Entry, Rulebook, match

_POINTING = frozenset({"negation", "possible", "probable", "hypothetical", "history", "resolved"})
_LONGEST = 48  # phrases of a clause; far more than people write, so that work stays linear
_FRESH = frozenset({"stop", "start"})
_AFTER = frozenset({"negation_after", "possible_after", "resolved_after"})


@dataclass(slots=True, eq=False)
class Part:
    """A known wording at tokens ``start`` to ``end``."""

    start: int
    end: int
    entry: Entry


@dataclass(slots=True, eq=False)
class Phrase:
    """A run of parts, the joining words before it, and what assertion finds out about it.

    Attributes:
        joins: joining words and triggers between the phrase before and this one.
        roles: all roles of ``joins``.
        parts: the known wordings, in order.
        core: whether a part names a finding or state; likewise ``site`` and ``normal``.
        solid: whether it is more than a place or degree for another phrase (*small* may be a state
            of lung volumes, but is a mere degree in *small area of*).
        status: one of `pipeline.clinical.assertion.STATUSES`.
        trigger: the words that decided the status.
    """

    joins: list[Part]
    roles: dict[str, str]
    parts: list[Part] = field(default_factory=list)
    core: bool = False
    solid: bool = False
    site: bool = False
    normal: str | None = None
    status: str = "present"
    trigger: str = ""


def scan(rulebook: Rulebook, tokens: list[str]) -> list[Phrase]:
    """The phrases of a tokenised sentence; a last one without parts when words follow it."""
    tree = rulebook.tree
    phrases: list[Phrase] = []
    joins: list[Part] = []
    roles: dict[str, str] = {}
    current: Phrase | None = None
    index, count = 0, len(tokens)
    distances: dict[int, str] = {}  # by the number of their first word
    while index < count:
        token = tokens[index]
        entry: Entry | None = None
        node = tree.get(token)
        if node is not None:
            entry, end = node[0], index + 1
            if node[1] is not None:
                entry, end = match(tree, tokens, index)
        elif not token.isalpha() or token in ORDINALS:
            entry, end = _numbers(tokens, index, distances)
        if entry is None:
            index += 1
            continue
        part = Part(index, end, entry)
        index = end
        if entry.splits:
            current = None
            if not _FRESH.isdisjoint(entry.roles) and not _AFTER.isdisjoint(roles):
                phrases.append(Phrase(joins, roles))  # cannot be excluded, but ...: it ends there
                joins, roles = [], {}
            joins.append(part)
            roles.update(entry.roles)
            continue
        if current is None:
            current = Phrase(joins, roles)
            phrases.append(current)
            joins, roles = [], {}
        current.parts.append(part)
        if entry.finding:
            current.core = current.solid = True
        elif entry.states:
            current.core = True
        if entry.site is not None:
            current.site = True
        if "normal" in entry.roles:
            current.normal = entry.roles["normal"]
    if joins:
        phrases.append(Phrase(joins, roles))
    for phrase in phrases:
        if phrase.core and not phrase.solid:
            phrase.solid = _makes_finding(rulebook, phrase)
        if distances:
            _move_away(phrase, distances)
    return phrases


def _numbers(tokens: list[str], index: int, distances: dict[int, str]) -> tuple[Entry | None, int]:
    """A size, a distance (added to ``distances``) or numbered bones, and the index behind it."""
    if (measure := read_measure(tokens, index)) is not None:
        if measure.direction:
            distances[index] = f"{measure.size} {measure.direction}"
            return Entry(distances[index], roles={"in": ""}, splits=True), measure.end
        entry = Entry(tokens[index], level=measure.size) if measure.size else None
        return entry, measure.end
    if (bones := read_numbered(tokens, index)) is not None:
        return Entry(tokens[index], site=bones), index + 1
    return None, index


def _move_away(phrase: Phrase, distances: dict[int, str]) -> None:
    """*5 cm above the carina*: the landmark becomes the place that far from it."""
    distance = next((distances[p.start] for p in phrase.joins if p.start in distances), "")
    landmark = phrase.parts[0].entry.site if phrase.parts else None
    if distance and landmark is not None:
        site = replace(landmark, name=f"{distance} the {landmark.name}")
        phrase.parts[0].entry = Entry(phrase.parts[0].entry.phrase, site=site)


def _makes_finding(rulebook: Rulebook, phrase: Phrase) -> bool:
    """Whether a state here concerns a site of the phrase, or, without one, a site elsewhere."""
    states = [n for p in phrase.parts if not p.entry.weak for n in p.entry.states]
    if not phrase.site:
        return bool(states)
    regions = [p.entry.site.region for p in phrase.parts if p.entry.site is not None]
    table = rulebook.compositions
    return any((region, state) in table for region in regions for state in states)


def clauses(phrases: list[Phrase]) -> list[list[Phrase]]:
    """Phrases grouped into clauses, inside which triggers reach and attributes are looked for."""
    groups: list[list[Phrase]] = []
    current: list[Phrase] = []
    spoken = False  # the clause has said something already: a verb, a denial, a normal state
    for index, phrase in enumerate(phrases):
        if current and (len(current) == _LONGEST or _breaks(phrases, index, spoken)):
            opens = "start" in phrase.roles and "stop" not in phrase.roles
            if opens and not (spoken or any(p.solid for p in current)):
                current.append(phrase)  # a place in front: in the left base there is ...
                spoken = True
                continue
            groups.append(current)
            current, spoken = [], False
        current.append(phrase)
        roles = phrase.roles
        spoken = (
            spoken
            or phrase.normal is not None
            or "verb" in roles
            or "start" in roles
            or not _POINTING.isdisjoint(roles)
        )
    if current:
        groups.append(current)
    return groups


def _breaks(phrases: list[Phrase], index: int, spoken: bool) -> bool:
    """Whether phrase ``index`` begins a clause of its own."""
    phrase = phrases[index]
    roles = phrase.roles
    if not phrase.parts:
        return False  # a trailing trigger: it speaks about what stands before it
    if not _FRESH.isdisjoint(roles) and not _trails(phrase):
        return not _contrasts(phrases[index - 1], roles)
    if "relative" in roles and "link" not in roles:
        return not _describes(phrase)
    if roles.keys() == {"det"}:  # a new subject without any joining word
        return spoken and _has_predicate(phrases, index)
    if "or" in roles or not ("and" in roles or "comma" in roles):
        return False
    if "negation" in roles:
        return True
    return spoken and _has_predicate(phrases, index)


def _trails(phrase: Phrase) -> bool:
    """*Opacity again seen, consistent with scarring*: what begins a clause ends one here.

    So do comparisons (*new from prior, worrisome for infection*).
    """
    if "link" not in phrase.joins[-1].entry.roles:
        return False
    begun = [j.entry.roles for j in phrase.joins if not _FRESH.isdisjoint(j.entry.roles)]
    return all(roles.get("stop", "prior") == "prior" for roles in begun) and (
        _FRESH.isdisjoint(phrase.joins[-1].entry.roles)
    )


def _contrasts(before: Phrase, roles: dict[str, str]) -> bool:
    """*Small but increasing effusion*: no clause of its own, only an attribute stands before."""
    if roles != {"stop": "weak"} or not before.parts:
        return False
    return all((p.entry.level or p.entry.change) and not p.entry.site for p in before.parts)


def _describes(phrase: Phrase) -> bool:
    """*Cardiomegaly, which is mild*: a relative clause that says degree, kind or place alone."""
    return "verb" in phrase.roles and all(
        (p.entry.level or p.entry.kind or p.entry.site) and not p.entry.finding
        for p in phrase.parts
    )


def _has_predicate(phrases: list[Phrase], index: int) -> bool:
    """Whether the phrase is the subject of a verb, or normal, before the next coordination."""
    subject = phrases[index]
    if not (subject.site or subject.core):
        return False
    if subject.normal is not None and subject.site:
        return True
    for later in range(index + 1, min(index + _LONGEST, len(phrases))):
        roles = phrases[later].roles
        if "verb" in roles:
            return True
        if "in" not in roles and "of" not in roles:
            return False
    return False
