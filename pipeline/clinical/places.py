"""The sites of a finding as text: *right middle lobe*, *bilateral lung bases*."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.clinical.lexicon import Finding, Site
from pipeline.clinical.phrases import Part

_PLURALS = {
    "bases": "base",
    "apices": "apex",
    "hila": "hilum",
    "sulci": "sulcus",
    "arteries": "artery",
}
_UNITS = ("lobe", "lung", "zone", "field", "spine", "hemithorax")
_SIDES = ("left", "right", "bilateral")
_FIRST_WIDE = "\u2e80"  # from here on, scripts that write without blanks


@dataclass(slots=True)
class _Term:
    """The names of one phrase's sites.

    ``side`` is the side word among them; ``whole`` whether a site is named and not only a side or
    zone; ``pair`` whether the site is both of a pair (*lung bases*); ``zone`` whether the last name
    is a zone (*upper*); ``both`` whether a name says both sides (*bibasilar*).
    """

    names: list[str] = field(default_factory=list)
    side: str = ""
    whole: bool = False
    pair: bool = False
    zone: bool = False
    both: bool = False

    def text(self) -> str:
        """The names in one string."""
        wide = bool(self.names) and self.names[0][:1] >= _FIRST_WIDE
        return ("" if wide else " ").join(self.names)

    def add(self, name: str) -> None:
        """Adds a name; words the last one ends with are not said twice (*lung* + *lung base*)."""
        if self.names and name.startswith(f"{self.names[-1]} "):
            self.names.pop()
        if name not in self.names and not (self.names and name in self.names[-1].split()):
            self.names.append(name)

    def add_side(self, name: str) -> None:
        """Adds *right* or *right lung*; in front of a zone (*lower left lung*) and of a whole."""
        side, _, rest = name.partition(" ")
        self.side = side
        if side not in self.names and not (self.names and self.names[0].startswith(f"{side} ")):
            self.names.insert(0 if self.zone or self.whole else len(self.names), side)
        if rest:
            self.add(rest)


def places_text(
    places: list[list[Part]], finding: Finding | None, *, many: bool = False
) -> tuple[str, ...]:
    """One term per phrase, half terms completed by their neighbour.

    *Right middle* + *lower lobes* gives ``right middle lobe`` and ``right lower lobe``; both of a
    pair are ``bilateral`` unless a side is named; a side named last (*in the bases on the left*)
    concerns all before it. Words that the finding's name says already, and *heart* or *lungs* for
    findings of the whole heart or of both lungs, are left out. ``many`` says that the finding's
    wording is a plural or names what can spread.
    """
    many = many and not any(p.entry.site and p.entry.site.side in _SIDES for g in places for p in g)
    device = finding is not None and finding.kind == "device"
    terms: list[_Term] = []
    halves: list[_Term] = []
    side = ""
    for group in places:
        if _lead_ends(group, finding):
            continue
        term = _term(group, finding, side, many=many)
        if not term.names and not term.pair:
            continue
        if term.names == [term.side] and terms and not device:
            for other in terms:
                _take_side(other, term.side)
            if all(other.side or other.both for other in terms):
                continue
        if term.side:
            side = term.side
        elif side and halves and term.whole and not device:
            term.names.insert(0, side)
            term.side = side
        elif term.pair:
            term.names.insert(0, "bilateral")
            term.both = True
        if not term.whole and not term.pair:
            halves.append(term)
            continue
        # the side of a device is not that of its tip
        terms.extend(half if device else _completed(half, term) for half in halves)
        halves = []
        terms.append(term)
    terms.extend(halves)
    return tuple(dict.fromkeys(term.text() for term in terms))


def _take_side(term: _Term, side: str) -> None:
    """Gives the term the side unless it has one; both of a pair become the one of that side."""
    if term.side or (term.both and side not in ("left", "right")):
        return
    if term.names[0] == "bilateral":
        term.names[0] = side
        term.names[1:] = [_single(name) for name in term.names[1:]]
    elif term.both:
        return
    else:
        term.names.insert(0, side)
    term.side = side


def _term(group: list[Part], finding: Finding | None, side: str, *, many: bool) -> _Term:
    term = _Term()
    for part in group:
        site = part.entry.site
        if site is None or (finding is not None and _everywhere(site, finding)):
            continue
        name = site.name
        concerned = finding is not None and finding.location == site.region
        both = many if site.side == "spread" else concerned and site.side == "organ"
        if both or site.side == "pair":
            term.pair = True
            if (term.side or side) in ("left", "right"):
                name = _single(name)
        if not name or (finding is not None and name in finding.name):
            continue
        term.both = term.both or site.side == "bilateral"
        if site.region == "side":
            term.add_side(name)
        else:
            if term.names == ["bilateral"] and site.side == "bilateral":
                term.names.clear()
            if term.names and name.startswith("vertebra"):
                term.names[-1] = term.names[-1].removesuffix(" vertebra")
            if name == "rib" or name.endswith(" rib"):  # 5th rib + posterior + rib
                term.names = [before.removesuffix(" rib") for before in term.names]
            term.add(name)
        term.whole = term.whole or site.group != "any"
        term.zone = site.region == "zone"
    return term


def _single(name: str) -> str:
    """*Right middle and lower lobes*: one side has one of a pair."""
    head, blank, last = name.rpartition(" ")
    return head + blank + _PLURALS.get(last, last.removesuffix("s"))


def _lead_ends(group: list[Part], finding: Finding | None) -> bool:
    """Whether the sites say where the leads of a cardiac device end, not where the device is."""
    if finding is None or finding.kind != "device" or finding.location != "heart":
        return False
    sites = [p.entry.site for p in group if p.entry.site is not None]
    return any(site.noun and site.region in ("chamber", "heart") for site in sites)


def _everywhere(site: Site, finding: Finding) -> bool:
    """Whether the site is the whole organ that such a finding concerns anyway."""
    usual = finding.location
    return site.region == usual == "heart" or (usual == "lungs" and site.region in ("lung", "zone"))


def _completed(half: _Term, whole: _Term) -> _Term:
    """``right upper`` before ``lower lobes``: right upper lobe; ``left`` before it: left lower."""
    unit = whole.names[-1].rsplit(" ", 1)[-1].removesuffix("s")
    if half.zone and unit in _UNITS:
        names = [*half.names, unit]
        if whole.names[0] == "bilateral" and not half.side:
            names.insert(0, "bilateral")
        return _Term(names, half.side, whole=True)
    if half.names[-1] == half.side:
        rest = [name for name in whole.names if name not in (whole.side, "bilateral")]
        if half.side in ("left", "right"):
            rest = [_single(name) if whole.pair else name for name in rest]
        return _Term([*half.names, *rest], half.side, whole=True)
    return half
