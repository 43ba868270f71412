"""Which site, degree and type belong to which finding of a clause."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.clinical.lexicon import Site
from pipeline.clinical.phrases import Part, Phrase

_JOINING = frozenset({"and", "or", "comma"})
_PLACING = frozenset({"in", "of"})
_LINKING = frozenset({"verb", "seen"})
_PAIRED = frozenset({"rib", "clavicle", "scapula", "humerus", "shoulder", "breast", "axilla"})
_BLOCKING = frozenset({"stop", "start", "link", "negation", "hypothetical", "history", "colon"})


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

    def specify(self, phrase: Phrase) -> bool:
        """*Apex of the left lung*: the place named last lies in that of the phrase, if any."""
        inner = self.places[-1] if self.places else []
        if not inner or any(p.entry.site and p.entry.site.region == "side" for p in inner):
            return False
        outer = [p for p in phrase.parts if p.entry.site is not None]
        if len(outer) != len(phrase.parts):
            return False
        partial = all(p.entry.site and p.entry.site.group == "any" for p in inner)
        self.places[-1] = [*inner, *outer] if partial else [*outer, *inner]
        return True

    @property
    def placed(self) -> bool:
        """Whether a place is named; *pulmonary* names none."""
        for group in self.places:
            for part in group:
                if part.entry.site is not None and part.entry.site.name:
                    return True
        return False

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
    before, after = _own(parts, core) if len(parts) > 1 else ([], [])
    inner = [Part(core.start, core.end, entry) for entry in core.entry.inner]
    if before or inner or after:
        found.take([*before, *inner, *after])
    behind = any([p.entry.site is not None for p in after])
    told = found.placed and not (found.places[0][0] in inner and len(found.places[0]) == 1)
    if index and parts[0] is (before[0] if before else core):
        from_left(clause, index, found)
    if index + 1 < len(clause) and parts[-1] is (after[-1] if after else core):
        from_right(clause, index, found, placed=behind)
    found.attached = found.attached or behind
    if index and not (told or found.attached or (found.placed and not inner)):
        _from_subject(clause, index, found, group)
    elif index and found.attached and not told:
        _side_of_subject(clause, index, found)
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
        contrast = roles.get("stop") == "weak" and _mere(other)  # small but increasing
        joined = not _JOINING.isdisjoint(roles) or "of" in roles or contrast
        changes = "in" in roles and _mere(other)  # increase in the left effusion
        if not (joined or changes) or other.normal is not None or not other.parts:
            return
        if other.solid and not _mere(other):
            return
        if not contrast and not (_BLOCKING.isdisjoint(roles) and "verb" not in roles):
            return
        if "det" in roles and not (changes or "of" in roles):
            return  # a new noun: ... of the left base and a right effusion
        if at > 1 and not _PLACING.isdisjoint(other.roles) and clause[at - 2].solid:
            return  # that phrase places an earlier finding
        if _set_off(clause, at - 1):
            return
        if found.levels and found.places and _is_twin(other):
            found.twins.append(other.parts)
        else:
            within = found.places[0] if found.places and "of" in roles else None
            found.take(other.parts, front=True)
            if within is not None and found.places[0] is not within:
                found.places[:2] = [[*within, *found.places[0]]]  # base of the left lung
        at -= 1


def _is_twin(phrase: Phrase) -> bool:
    return phrase.site and any(part.entry.level for part in phrase.parts)


def _mere(phrase: Phrase) -> bool:
    """Whether a phrase says nothing but change and degree."""
    return all((p.entry.change or p.entry.level) and not p.entry.site for p in phrase.parts)


def from_right(clause: list[Phrase], index: int, found: Found, *, placed: bool = False) -> None:
    """Effusion *in the left base*; scarring is *mild*; granuloma, *right base*.

    ``placed`` says that a place stands behind the finding in its own phrase (*scar left base*).
    """
    paired = False  # degree and place behind: effusions, small on the left ...
    skipped = False
    for at in range(index + 1, len(clause)):
        if skipped:
            skipped = False
            continue
        phrase = clause[at]
        roles = phrase.roles
        entry = at == index + 1 and roles.keys() == {"colon"}  # Pneumothorax: small, on the right
        if not (entry or _BLOCKING.isdisjoint(roles)) or phrase.normal is not None:
            return
        if phrase.solid and not (_is_last(clause, at) and _mere(phrase)):
            if not _PLACING.isdisjoint(roles) and "verb" not in roles:
                found.take(_leading_sites(phrase))
            return
        pair = _pair_at(clause, at)
        if pair and paired and not _JOINING.isdisjoint(roles):
            del found.places[:-1]  # sides are named one by one: ... and moderate on the right
            found.twins.append(pair)
            skipped = pair[-1] is not phrase.parts[-1]
            continue
        if placed and "of" in roles and found.specify(phrase):
            continue
        if entry or not _PLACING.isdisjoint(roles) or _bare_place(clause, at):
            placed = True
            found.attached = found.attached or phrase.site
        elif not _JOINING.isdisjoint(roles):
            said = "verb" in roles and _mere(phrase)  # has improved and is now mild
            if not (placed or said) and "comma" not in roles:
                return
            if not (placed or said or pair or _loose_place(clause, at)):
                return
            whole = any([p.entry.site and p.entry.site.group != "any" for p in phrase.parts])
            found.attached = found.attached or (whole and not pair and "comma" in roles)
        elif _LINKING.isdisjoint(roles) and "with" not in roles:
            return
        paired = paired or (bool(pair) and not found.levels)
        found.take(phrase.parts)


def _pair_at(clause: list[Phrase], at: int) -> list[Part]:
    """The parts of a degree with its place (*small on the left*), in one phrase or two, or none."""
    phrase = clause[at]
    if _is_twin(phrase):
        return phrase.parts
    if at + 1 == len(clause) or not all(p.entry.level and not p.entry.site for p in phrase.parts):
        return []
    place = clause[at + 1]
    attached = not _PLACING.isdisjoint(place.roles) and _LINKING.isdisjoint(place.roles)
    return [*phrase.parts, *place.parts] if attached and place.site and not place.solid else []


def _is_last(clause: list[Phrase], at: int) -> bool:
    """Whether no phrase follows but trailing words (*new* since the prior study)."""
    return at + 1 == len(clause) or not clause[at + 1].parts


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


def _loose_place(clause: list[Phrase], at: int) -> bool:
    """*Granuloma, right base*: a place or degree behind a comma that is no new statement."""
    if _is_last(clause, at):
        return True
    if any(part.entry.change for part in clause[at].parts):
        return False
    following = clause[at + 1]
    if _set_off(clause, at):
        return True
    joined = not _JOINING.isdisjoint(following.roles) and "link" not in following.roles
    starts_anew = following.core and joined
    return not starts_anew and "verb" not in following.roles


def _set_off(clause: list[Phrase], at: int) -> bool:
    """*Granuloma, right base, and small effusion*: a whole place between commas."""
    phrase = clause[at]
    if at == 0 or at + 1 == len(clause) or not clause[at - 1].solid:
        return False
    if phrase.roles.keys() != {"comma"} or "comma" not in clause[at + 1].roles:
        return False
    sites = [part.entry.site for part in phrase.parts if part.entry.site is not None]
    return len(sites) == len(phrase.parts) and sites[-1].noun and sites[-1].group != "any"


def _from_subject(clause: list[Phrase], index: int, found: Found, group: str) -> None:
    """*The left base* shows atelectasis; *in the left base* there is atelectasis."""
    for at in range(index - 1, -1, -1):
        phrase = clause[at]
        linked = "link" in clause[at + 1].roles and any([p.core for p in clause[: at + 1]])
        if phrase.solid or linked:  # what a finding is due to shares its place later
            return
        if phrase.site:
            sites = [p for p in phrase.parts if p.entry.site is not None]
            fits = [p for p in sites if p.entry.site and _near(p.entry.site, group)]
            if fits == sites or any([p.entry.site and p.entry.site.group == group for p in fits]):
                found.take(fits)  # not the mere side of a place elsewhere
            if "of" not in phrase.roles and "and" not in phrase.roles:
                return


def _side_of_subject(clause: list[Phrase], index: int, found: Found) -> None:
    """*The left lung* shows scarring at the apex: the side of the subject, for places without."""
    named = [p.entry.site for places in found.places for p in places if p.entry.site is not None]
    if not all(s.side in ("", "pair", "spread") and _sided(s) for s in named):
        return
    for at in range(index - 1, -1, -1):
        phrase = clause[at]
        joined = not _JOINING.isdisjoint(clause[at + 1].roles)
        if phrase.normal is not None or "link" in clause[at + 1].roles:
            return
        if phrase.core and joined and not phrase.site:
            continue
        if phrase.core:
            return
        sites = [p for p in phrase.parts if p.entry.site is not None]
        sides = [p for p in sites if p.entry.site and p.entry.site.side in ("left", "right")]
        if sides and len(sites) == len(phrase.parts) and len(sides) == 1:
            found.places = [[*sides, *places] for places in found.places]
        if sites:
            return


def _sided(site: Site) -> bool:
    """Whether such a site is one of the left or of the right half of the chest."""
    return site.group == "lung" or site.region in _PAIRED


def _near(site: Site, group: str) -> bool:
    """Whether a finding of that area can lie there."""
    return group == "any" or site.group in (group, "any")
