"""Site plus state: which site or finding a state such as *enlarged* or *calcified* speaks about."""

from __future__ import annotations

from collections.abc import Callable

from pipeline.clinical.phrases import Part, Phrase
from pipeline.clinical.rulebook import Composition, Rulebook

_LISTING = frozenset({"and", "or", "comma"})
_ATTACHING = frozenset({"of", "in"})


def result_of(rulebook: Rulebook, head: Part, state: Part) -> Composition | None:
    """What the head and the state make together, or None."""
    entry = head.entry
    table = rulebook.compositions
    for name in state.entry.states:
        if entry.site is not None and (made := table.get((entry.site.region, name))) is not None:
            return made
        if entry.finding and (made := table.get((entry.finding, name))) is not None:
            return made
    return None


def _about(rulebook: Rulebook, head: Part, state: Part) -> Composition | None:
    """*Aortic calcification and ectasia*: the site inside a finding's wording."""
    site = head.entry.about
    if site is None:
        return None
    table = rulebook.compositions
    return next((m for n in state.entry.states if (m := table.get((site.region, n)))), None)


def heads_of(
    rulebook: Rulebook, clause: list[Phrase], index: int, state: Part
) -> list[tuple[int, list[Part]]]:
    """The heads of a state with the index of their phrase.

    Looked for behind it in its own phrase (*enlarged heart*), before it (*heart enlarged*), behind
    (*prominence of the hila and aorta*), and in the subject (*heart and aorta are enlarged*).
    """
    parts = clause[index].parts
    at = parts.index(state)

    def fits(candidates: list[Part]) -> list[Part]:
        return [p for p in candidates if p is not state and result_of(rulebook, p, state)]

    after = fits(parts[at + 1 :])
    nouns = [p for p in after if p.entry.site is None or p.entry.site.noun]
    if nouns:
        return [(index, nouns[-1:]), *_listed_after(rulebook, clause, index, state)]
    if not after and (own := fits(parts[:at])):
        return [(index, own[-1:])]
    complete = any(p.entry.site is not None for p in parts[:at])  # hilar enlargement and ...
    behind = _behind(clause, index, fits, listed=not complete)
    if after:  # calcified mediastinal and hilar nodes
        return behind or [(index, after[-1:])]
    return behind or _before(clause, index, fits)


def _behind(
    clause: list[Phrase],
    index: int,
    fits: Callable[[list[Part]], list[Part]],
    *,
    listed: bool,
) -> list[tuple[int, list[Part]]]:
    """Heads in what is attached behind (*of the aorta*) or, if ``listed``, coordinated."""
    behind: list[tuple[int, list[Part]]] = []
    for later in range(index + 1, len(clause)):
        roles = clause[later].roles
        attached = not _ATTACHING.isdisjoint(roles) and "verb" not in roles and not behind
        if not attached and (_LISTING.isdisjoint(roles) or not (listed or behind)):
            break
        if "link" in roles:
            break
        fit = fits(clause[later].parts)
        if fit:
            behind.append((later, fit[-1:]))
        elif behind or not (attached or _shares_site(clause, later)):
            break
    return behind


def _shares_site(clause: list[Phrase], index: int) -> bool:
    """*Tortuosity and atherosclerosis of the aorta*: the site is behind what is listed."""
    phrase = clause[index]
    return (
        phrase.roles.keys() == {"and"}
        and phrase.solid
        and not phrase.site
        and index + 1 < len(clause)
        and "of" in clause[index + 1].roles
    )


def listed_head(
    rulebook: Rulebook, clause: list[Phrase], index: int, state: Part
) -> Composition | None:
    """What a state before, or listed behind, a finding says about the site in its own words."""
    phrase = clause[index]
    described = (_about(rulebook, part, state) for part in phrase.parts if part.start >= state.end)
    if (made := next((m for m in described if m is not None), None)) is not None:
        return made  # tortuous atherosclerotic aorta
    if index == 0 or phrase.parts[0] is not state or {"and", "or"}.isdisjoint(phrase.roles):
        return None
    candidates = (_about(rulebook, part, state) for part in clause[index - 1].parts)
    return next((made for made in candidates if made is not None), None)


def _listed_after(
    rulebook: Rulebook, clause: list[Phrase], index: int, state: Part
) -> list[tuple[int, list[Part]]]:
    """*Calcified lymph nodes and granuloma*: bare heads listed behind share the state."""
    more: list[tuple[int, list[Part]]] = []
    for later in range(index + 1, len(clause)):
        phrase = clause[later]
        if _LISTING.isdisjoint(phrase.roles) or len(phrase.parts) != 1:
            break
        if result_of(rulebook, phrase.parts[0], state) is None:
            break
        more.append((later, phrase.parts))
    return more


def _before(
    clause: list[Phrase], index: int, fits: Callable[[list[Part]], list[Part]]
) -> list[tuple[int, list[Part]]]:
    before: list[tuple[int, list[Part]]] = []
    for earlier in range(index - 1, -1, -1):
        phrase = clause[earlier]
        if fit := fits(phrase.parts):
            before.append((earlier, fit[-1:]))  # hilar node enlarged
            if _LISTING.isdisjoint(phrase.roles) and "of" not in phrase.roles:
                break
        elif before:
            break
    return before[::-1]
