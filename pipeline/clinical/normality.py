"""What a statement of normality denies: *heart size is normal*, *lungs are clear*."""

from __future__ import annotations

from collections.abc import Iterator

from pipeline.clinical.assertion import subject_run
from pipeline.clinical.attributes import Found
from pipeline.clinical.drafts import CLEAR, Draft
from pipeline.clinical.phrases import Part, Phrase
from pipeline.clinical.rulebook import Rulebook


def denied_by_normality(
    rulebook: Rulebook, clause: list[Phrase], index: int, drafts: list[Draft]
) -> Iterator[Draft]:
    """The mentions that the normal word in phrase ``index`` makes; may deny earlier drafts."""
    phrase = clause[index]
    at = 0
    while "normal" not in phrase.parts[at].entry.roles:
        at += 1
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
        places = range(index - len(run), index)
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
            name = _denied(rulebook, site.region, phrase.normal or "")
            if not name and phrase.normal == CLEAR and site.region in ("lung", "side"):
                name = CLEAR
            if name:
                yield Draft(
                    name,
                    number,
                    "present" if name == CLEAR else "absent",
                    word.entry.phrase,
                    "normal",
                    Found(places=[[p for p in subject.parts if p.entry.site is not None]]),
                    min(part.start, word.start),
                    max(part.end, word.end),
                )


def _denied(rulebook: Rulebook, region: str, normal: str) -> str:
    """What is denied of a region; *not shifted* (``normal`` is a state) denies that state alone."""
    made = rulebook.compositions.get((region, normal))
    return made.result if made is not None else rulebook.denials.get(region, "")


def _deny(rulebook: Rulebook, drafts: list[Draft], phrases: list[int], word: Part) -> None:
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
