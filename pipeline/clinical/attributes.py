"""Which site, degree and type belong to which finding of a clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.clinical.phrases import Part, Phrase

_JOINING = frozenset({"and", "or", "comma"})
_PLACING = frozenset({"in", "of"})
_LINKING = frozenset({"verb", "seen"})
_BLOCKING = frozenset({"stop", "start", "link", "negation", "hypothetical", "history", "colon"})
_UNITS = ("lobe", "lung", "zone", "field", "spine", "hemithorax")


@dataclass(slots=True)
class Found:
    """What was found out about one mention's attributes.

    ``places`` holds one list of site parts per phrase; ``attached`` says that some of them follow
    the finding (*in the left base*), so that findings listed with it may share them.
    """

    places: list[list[Part]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    change: str = ""
    attached: bool = False

    def take(self, parts: Iterable[Part], *, front: bool = False) -> None:
        """Adds what the parts say."""
        sites: list[Part] = []
        for part in parts:
            entry = part.entry
            if entry.site is not None:
                sites.append(part)
            if entry.level:
                self.levels.append(entry.level)
            if entry.kind:
                self.kinds.append(entry.kind)
            if entry.change:
                self.change = entry.change
        if sites:
            if front:
                self.places.insert(0, sites)
            else:
                self.places.append(sites)

    @property
    def regions(self) -> Iterator[str]:
        """The regions of all sites, in order."""
        return (p.entry.site.region for group in self.places for p in group if p.entry.site)


def gather(clause: list[Phrase], index: int, core: Part) -> Found:
    """Attributes of the finding ``core`` in phrase ``index``, from its own phrase outwards."""
    found = Found()
    phrase = clause[index]
    found.take(Part(core.start, core.end, inner) for inner in core.entry.inner)
    before, after = _own(phrase.parts, core)
    found.take(before)
    found.take(after)
    if phrase.parts[0] is core or all(not p.entry.finding for p in before):
        _from_left(clause, index, found)
    if not after or not any(p.entry.finding for p in phrase.parts[phrase.parts.index(core) + 1 :]):
        _from_right(clause, index, found)
    if not found.places:
        _from_subject(clause, index, found)
    return found


def _own(parts: list[Part], core: Part) -> tuple[list[Part], list[Part]]:
    """The parts of the phrase before the core (back to another finding) and after it."""
    at = parts.index(core)
    first = at
    while first and not parts[first - 1].entry.finding:
        first -= 1
    last = at + 1
    while last < len(parts) and not parts[last].entry.finding:
        last += 1
    return parts[first:at], parts[at + 1 : last] if last == len(parts) else []


def _from_left(clause: list[Phrase], index: int, found: Found) -> None:
    """*left and right basilar* opacities; *moderate amount of* fluid."""
    at = index
    while at:
        roles = clause[at].roles
        other = clause[at - 1]
        joined = not _JOINING.isdisjoint(roles) or "of" in roles
        if not joined or other.core or other.normal is not None or not other.parts:
            return
        if not _BLOCKING.isdisjoint(roles) or "verb" in roles:
            return
        if "in" in other.roles and at - 1 > 0:
            return  # that phrase places an earlier finding
        found.take(other.parts, front=True)
        at -= 1


def _from_right(clause: list[Phrase], index: int, found: Found) -> None:
    """Effusion *in the left base*; scarring is *mild*; granuloma, *right base*."""
    placed = False
    for at in range(index + 1, len(clause)):
        phrase = clause[at]
        roles = phrase.roles
        if not _BLOCKING.isdisjoint(roles) or phrase.normal is not None:
            return
        if phrase.core:
            if not _PLACING.isdisjoint(roles) and "verb" not in roles:
                found.take(_leading_sites(phrase))
            return
        if not _PLACING.isdisjoint(roles):
            placed = True
            found.attached = found.attached or phrase.site
        elif not _JOINING.isdisjoint(roles):
            if not placed and "comma" not in roles:
                return
            if at + 1 < len(clause) and _absorbs(clause[at + 1]) and not placed:
                return
        elif _LINKING.isdisjoint(roles) and "with" not in roles:
            return
        found.take(phrase.parts)


def _leading_sites(phrase: Phrase) -> list[Part]:
    sites = []
    for part in phrase.parts:
        if part.entry.finding or part.entry.states:
            break
        if part.entry.site is not None:
            sites.append(part)
    return sites


def _absorbs(phrase: Phrase) -> bool:
    return phrase.core and not _JOINING.isdisjoint(phrase.roles)


def _from_subject(clause: list[Phrase], index: int, found: Found) -> None:
    """*The left base* shows atelectasis; *in the left base* there is atelectasis."""
    for at in range(index - 1, -1, -1):
        phrase = clause[at]
        if phrase.core:
            return
        if phrase.site:
            found.take(p for p in phrase.parts if p.entry.site is not None)
            if "of" not in phrase.roles and "and" not in phrase.roles:
                return


def places_text(places: list[list[Part]]) -> tuple[str, ...]:
    """The sites as text: one term per phrase, half terms completed by their neighbour.

    ``right middle`` + ``lower lobes`` gives ``right middle lobe`` and ``right lower lobe``.
    """
    terms: list[str] = []
    pending: list[list[str]] = []
    side = ""
    for group in places:
        names: list[str] = []
        complete = False
        for part in group:
            site = part.entry.site
            if site is None or not site.name:
                continue
            complete = complete or site.region not in ("side", "zone", "position")
            if site.name not in names:
                names.extend(w for w in [site.name] if w not in " ".join(names).split())
        if not names:
            continue
        if names[0] in ("left", "right", "bilateral"):
            side = names[0]
        elif side and pending:
            names.insert(0, side)
        if not complete:
            pending.append(names)
            continue
        unit = names[-1].rsplit(" ", 1)[-1].removesuffix("s")
        for words in pending:
            half = words[-1] in ("upper", "lower", "mid", "middle") and unit in _UNITS
            if half:
                terms.append(" ".join([*words, unit]))
            elif words[-1] in ("left", "right") and len(words) == 1:
                rest = [n for n in names if n not in ("left", "right")]
                terms.append(" ".join([*words, *rest]))
            else:
                terms.append(" ".join(words))
        pending = []
        terms.append(" ".join(names))
    terms.extend(" ".join(words) for words in pending)
    return tuple(dict.fromkeys(terms))
