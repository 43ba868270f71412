"""Which site, degree and type belong to which finding of a clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.clinical.lexicon import Finding, Site
from pipeline.clinical.phrases import Part, Phrase

_JOINING = frozenset({"and", "or", "comma"})
_PLACING = frozenset({"in", "of"})
_LINKING = frozenset({"verb", "seen"})
_BLOCKING = frozenset({"stop", "start", "link", "negation", "hypothetical", "history", "colon"})
_SIDES = ("left", "right", "bilateral")
_ONE_SIDE = ("left", "right")
_PLURALS = {"bases": "base", "apices": "apex", "hila": "hilum", "sulci": "sulcus"}
_ZONES = ("upper", "lower", "mid", "middle")
_UNITS = ("lobe", "lung", "zone", "field", "spine", "hemithorax")


@dataclass(slots=True)
class Found:
    """What was found out about one mention's attributes.

    ``places`` holds one list of site parts per phrase; ``attached`` says that some of them follow
    the finding (*in the left base*), so that findings listed with it may share them. ``twins``
    are the attributes of further instances: *moderate right* and small left effusions.
    """

    places: list[list[Part]] = field(default_factory=list)
    levels: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    change: str = ""
    attached: bool = False
    twins: list[list[Part]] = field(default_factory=list)

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
    def placed(self) -> bool:
        """Whether a place is named; *pulmonary* names none."""
        return any(p.entry.site and p.entry.site.name for group in self.places for p in group)

    @property
    def regions(self) -> Iterator[str]:
        """The regions of all sites, in order."""
        return (p.entry.site.region for group in self.places for p in group if p.entry.site)


def gather(clause: list[Phrase], index: int, core: Part, group: str) -> Found:
    """Attributes of the finding ``core`` in phrase ``index``, from its own phrase outwards.

    ``group`` is the area where such a finding lies; a subject elsewhere is not its place.
    """
    found = Found()
    parts = clause[index].parts
    before, after = _own(parts, core)
    inner = [Part(core.start, core.end, entry) for entry in core.entry.inner]
    found.take([*before, *inner, *after])
    told = found.placed and not (found.places[0][0] in inner and len(found.places[0]) == 1)
    if all(not p.entry.finding for p in before) and before == parts[: len(before)]:
        from_left(clause, index, found)
    if parts[-1] is core or (after and parts[-1] is after[-1]):
        from_right(clause, index, found)
    if not (told or found.attached or (found.placed and not inner)):
        _from_subject(clause, index, found, group)
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


def from_left(clause: list[Phrase], index: int, found: Found) -> None:
    """*left and right basilar* opacities; *moderate amount of* fluid."""
    at = index
    while at:
        roles = clause[at].roles
        other = clause[at - 1]
        joined = not _JOINING.isdisjoint(roles) or "of" in roles
        changes = "in" in roles and _mere(other)  # increase in the left effusion
        if not (joined or changes) or other.normal is not None or not other.parts:
            return
        if other.solid and not _mere(other):
            return
        if not _BLOCKING.isdisjoint(roles) or "verb" in roles:
            return
        if "det" in roles and not (changes or "of" in roles):
            return  # a new noun: ... of the left base and a right effusion
        if at > 1 and not _PLACING.isdisjoint(other.roles) and clause[at - 2].solid:
            return  # that phrase places an earlier finding
        if found.levels and found.places and _is_twin(other):
            found.twins.append(other.parts)
        else:
            found.take(other.parts, front=True)
        at -= 1


def _is_twin(phrase: Phrase) -> bool:
    return phrase.site and any(part.entry.level for part in phrase.parts)


def _mere(phrase: Phrase) -> bool:
    """Whether a phrase says nothing but change and degree."""
    return all((p.entry.change or p.entry.level) and not p.entry.site for p in phrase.parts)


def from_right(clause: list[Phrase], index: int, found: Found) -> None:
    """Effusion *in the left base*; scarring is *mild*; granuloma, *right base*."""
    placed = False
    for at in range(index + 1, len(clause)):
        phrase = clause[at]
        roles = phrase.roles
        if not _BLOCKING.isdisjoint(roles) or phrase.normal is not None:
            return
        if phrase.solid:
            if not _PLACING.isdisjoint(roles) and "verb" not in roles:
                found.take(_leading_sites(phrase))
            return
        if not _PLACING.isdisjoint(roles) or _bare_place(clause, at):
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


def _bare_place(clause: list[Phrase], at: int) -> bool:
    """A place put behind without *in*: degenerative changes the thoracic spine."""
    phrase = clause[at]
    follows_verb = at + 1 < len(clause) and "verb" in clause[at + 1].roles
    return phrase.roles.keys() == {"det"} and phrase.site and not follows_verb


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


def _from_subject(clause: list[Phrase], index: int, found: Found, group: str) -> None:
    """*The left base* shows atelectasis; *in the left base* there is atelectasis."""
    for at in range(index - 1, -1, -1):
        phrase = clause[at]
        if phrase.solid or "link" in clause[at + 1].roles:
            return
        if phrase.site:
            fits = [
                p for p in phrase.parts if p.entry.site and p.entry.site.group in (group, "any")
            ]
            found.take(fits)
            if "of" not in phrase.roles and "and" not in phrase.roles:
                return


def places_text(places: list[list[Part]], finding: Finding | None) -> tuple[str, ...]:
    """The sites as text: one term per phrase, half terms completed by their neighbour.

    ``right middle`` + ``lower lobes`` gives ``right middle lobe`` and ``right lower lobe``; both of
    a pair (``lung bases``) are ``bilateral`` unless a side is named. Words that the finding's name
    says already, and *heart* or *lungs* for findings of the whole heart or of both lungs, are left
    out.
    """
    terms: list[str] = []
    halves: list[list[str]] = []
    side = ""
    own = finding is not None and finding.kind == "device"  # its side is not that of its tip
    for group in places:
        if _lead_ends(group, finding):
            continue
        names: list[str] = []
        complete = pair = False
        for part in group:
            site = part.entry.site
            if site is None:
                continue
            if finding is not None and _everywhere(site, finding):
                continue
            pair = pair or (site.side == "bilateral" and site.name[:2] != "bi")
            if not site.name or (finding is not None and site.name in finding.name):
                continue
            complete = complete or site.group != "any"
            name = site.name
            if pair and (side in _ONE_SIDE or (names and names[0] in _ONE_SIDE)):
                name = _single(name)
            if names and name.startswith("vertebra"):
                names[-1] = names[-1].removesuffix(" vertebra")
            if name not in names and not (names and name in names[-1].split()):
                names.append(name)
        if not names and not pair:
            continue
        if any(name in _SIDES for name in names):
            side = next(name for name in names if name in _SIDES)
        elif side and halves and complete and not own:
            names.insert(0, side)
        elif pair and not (names and names[0].startswith("both")):
            names.insert(0, "bilateral")
        if not complete and not pair:
            halves.append(names)
            continue
        terms.extend(" ".join(half) if own else _completed(half, names) for half in halves)
        halves = []
        terms.append(" ".join(names))
    terms.extend(" ".join(half) for half in halves)
    return tuple(dict.fromkeys(terms))


def _single(name: str) -> str:
    """*Right middle and lower lobes*: one side has one of a pair."""
    head, blank, last = name.rpartition(" ")
    return head + blank + _PLURALS.get(last, last.removesuffix("s"))


def _lead_ends(group: list[Part], finding: Finding | None) -> bool:
    """Whether the sites say where the leads of a cardiac device end, not where the device is."""
    if finding is None or finding.kind != "device" or finding.location != "heart":
        return False
    return any(p.entry.site and p.entry.site.region in ("chamber", "heart") for p in group)


def _everywhere(site: Site, finding: Finding) -> bool:
    """Whether the site is the whole organ that such a finding concerns anyway."""
    usual = finding.location
    return site.region == usual == "heart" or (usual == "lungs" and site.region == "lung")


def _completed(half: list[str], whole: list[str]) -> str:
    """``right upper`` before ``lower lobes``: right upper lobe; ``left`` before it: left lower."""
    unit = whole[-1].rsplit(" ", 1)[-1].removesuffix("s")
    if half[-1] in _ZONES and unit in _UNITS:
        return " ".join([*half, unit])
    if half[-1] in _SIDES:
        return " ".join([*half, *(name for name in whole if name not in _SIDES)])
    return " ".join(half)
