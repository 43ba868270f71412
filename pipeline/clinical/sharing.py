"""What findings of one clause share: places, degrees, and doubt between two readings."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.clinical.attributes import Found
from pipeline.clinical.drafts import CLEAR, Draft
from pipeline.clinical.lexicon import Lexicon
from pipeline.clinical.phrases import Part, Phrase
from pipeline.clinical.rulebook import Rulebook

_DEGREES = frozenset({"minimal", "mild", "slight", "moderate", "marked", "severe", "extensive"})
_SHADOWS = frozenset({"Lung Opacity", "Lung Lesion"})
_WITH_NODES = frozenset({"hilum", "mediastinum"})
_EXPLAINING = frozenset({"link", "probable", "probable_after", "verb"})


def share(rulebook: Rulebook, clause: list[Phrase], drafts: list[Draft]) -> None:
    """Findings that are listed or linked with another share its attributes when they have none.

    *Small left effusion and atelectasis* share the place; *mild atelectasis or scarring* are
    readings of one thing and share all, *mild atelectasis and scarring* the degree (amounts such
    as *small* belong to the first alone); what turns out to be *artifact* is no finding.
    """
    if len(drafts) == 1 and drafts[0].found.placed:
        return
    lexicon = rulebook.lexicon
    sited = any([p.site for p in clause]) or any([d.found.places for d in drafts])

    def area(draft: Draft) -> str:
        finding = lexicon.by_name.get(draft.name)
        return lexicon.groups.get(finding.location, "any") if finding is not None else CLEAR

    def whole(draft: Draft) -> bool:
        finding = lexicon.by_name.get(draft.name)
        return finding is None or finding.location in ("lungs", "heart")

    for at, draft in enumerate(drafts):
        if draft.name == CLEAR:
            continue
        roles = clause[draft.phrase].roles
        found = draft.found
        before = drafts[at - 1] if at else None
        if before is not None and before.name != CLEAR and before.phrase < draft.phrase:
            _explain_away(lexicon, before, draft, roles)
            if "or" in roles:
                _doubt_diagnoses(rulebook, before, draft)
            _share_degree(lexicon, before, draft, clause[draft.phrase])
        if not sited:
            continue
        after = drafts[at + 1] if at + 1 < len(drafts) else None
        if whole(draft):
            if after is not None and not found.placed and _listed(lexicon, draft, after, clause):
                found.places = after.found.places
            continue
        _share_side(before, found, roles)
        _place_nodes(lexicon, before, draft, roles)
        aspect = _aspect(found, spinal=lexicon.by_name[draft.name].location == "spine")
        if found.placed and not aspect:
            continue
        for other in reversed(drafts[:at]):
            if other.status == "absent" or not other.found.placed:
                continue
            if whole(other) and not (other is before and "and" in roles):
                continue
            if area(other) == area(draft) or ("link" in roles and area(other) == "any"):
                found.places = [[*aspect, *group] for group in other.found.places]
                break
        attached = after is not None and after.found.attached and area(after) == area(draft)
        if after is not None and attached and (aspect or not found.placed):
            found.places = [[*aspect, *group] for group in after.found.places]
        if not found.placed:
            _usual_site(rulebook, clause, draft)


def _explain_away(lexicon: Lexicon, before: Draft, draft: Draft, roles: Mapping[str, str]) -> None:
    """*Nodular density, likely a nipple shadow*: what turns out to be an artifact is no finding."""
    shadow = lexicon.by_name[draft.name].kind == "artifact" and not _EXPLAINING.isdisjoint(roles)
    if shadow and draft.status == before.status == "present":
        before.status, before.trigger = "hypothetical", draft.name


def _share_degree(lexicon: Lexicon, before: Draft, draft: Draft, phrase: Phrase) -> None:
    """Gives a finding the degree of the one before it, if they are one thing or listed."""
    found, roles = draft.found, phrase.roles
    if found.levels:
        return
    if "or" in roles:
        if not any([part.entry.change for part in phrase.parts]):  # or new scarring
            found.levels = before.found.levels
            found.kinds = found.kinds or before.found.kinds
    elif "link" in roles:
        if _is_reading(lexicon, before, draft):
            found.levels = before.found.levels
    elif roles.keys() == {"and"} and before.status == draft.status:
        same = lexicon.by_name[before.name].location == lexicon.by_name[draft.name].location
        if same and not (found.change or found.kinds):
            found.levels = [level for level in before.found.levels if level in _DEGREES]


def _listed(lexicon: Lexicon, draft: Draft, after: Draft, clause: list[Phrase]) -> bool:
    """*Emphysema and fibrosis in the upper lobes*: a disease of both lungs, placed with another."""
    joins = clause[after.phrase].roles.keys()
    disease = lexicon.by_name[draft.name].kind == "disease" and after.name != CLEAR
    if not disease or not (joins == {"and"} or joins == {"or"}) or not after.found.attached:
        return False
    return lexicon.by_name[after.name].location in ("lung", "lungs")


def _is_reading(lexicon: Lexicon, seen: Draft, named: Draft) -> bool:
    """*Minimal opacity consistent with atelectasis*: one thing, first seen and then named."""
    shadow = not _SHADOWS.isdisjoint(lexicon.by_name[seen.name].classes)
    return shadow and seen.status != "absent" and lexicon.by_name[named.name].kind == "finding"


def _aspect(found: Found, *, spinal: bool) -> list[Part]:
    """The parts of a place that is a mere aspect of another (*anterior* osteophytes), or none.

    The side of a curve is one too (*dextroscoliosis and spondylosis of the thoracic spine*).
    """
    if len(found.places) != 1:
        return []
    sites = [p.entry.site for p in found.places[0] if p.entry.site is not None]
    aspects = ("position", "side") if spinal else ("position",)
    return found.places[0] if all(site.region in aspects for site in sites) else []


def _share_side(before: Draft | None, found: Found, roles: Mapping[str, str]) -> None:
    """*Upper lobe scarring and fibrosis bilaterally*: both lie in the upper lobes of both sides."""
    if before is None or roles.keys() not in ({"and"}, {"or"}) or not found.attached:
        return
    regions, others = set(found.regions), list(before.found.places)
    if regions != {"side"} or not others or before.found.attached or before.status == "absent":
        return
    if any(p.entry.site and (p.entry.site.side or p.entry.site.group == "any") for p in others[-1]):
        return
    side = found.places[-1]
    found.places = before.found.places = [[*side, *place] for place in others]


def _place_nodes(
    lexicon: Lexicon, before: Draft | None, draft: Draft, roles: Mapping[str, str]
) -> None:
    """*Right hilar enlargement, possibly adenopathy*: the nodes are those of the site enlarged."""
    if before is None or draft.found.placed or roles.keys() <= {"and", "comma"}:
        return
    enlarged = lexicon.by_name[before.name].location if before.name != CLEAR else ""
    if enlarged in _WITH_NODES and lexicon.by_name[draft.name].location == "lymph node":
        draft.found.places = before.found.places


def _doubt_diagnoses(rulebook: Rulebook, *alternatives: Draft) -> None:
    """*Atelectasis or pneumonia*: a diagnosis that is one of two readings is not certain."""
    for draft in alternatives:
        diagnosis = rulebook.lexicon.by_name[draft.name].kind == "disease"
        if diagnosis and draft.status == "present":
            draft.status, draft.trigger = "uncertain", "or"


def _usual_site(rulebook: Rulebook, clause: list[Phrase], draft: Draft) -> None:
    """*Tortuous aorta with atherosclerosis*: the usual site, when the clause names it."""
    usual = rulebook.lexicon.by_name[draft.name].location
    if any([phrase.normal == CLEAR for phrase in clause]):
        return  # the site is named because it is clear
    for phrase in clause:
        for part in phrase.parts:
            if part.entry.site is not None and part.entry.site.region == usual:
                draft.found.places = [[part]]
                return
