"""Is a finding stated, doubted, denied or only spoken about? Scopes of triggers inside a clause."""

from __future__ import annotations

from pipeline.clinical.phrases import Phrase

STATUSES = ("present", "uncertain", "absent", "hypothetical", "history")
"""Statuses of a mention, see docs/rules.md."""

_REACHING = {
    "negation": "absent",
    "resolved": "absent",
    "possible": "uncertain",
    "hypothetical": "hypothetical",
    "history": "history",
    "probable": "present",
}
_STRONGER = ("absent", "hypothetical", "history")  # whichever comes first holds
_AFTER = {
    "negation_after": "absent",
    "resolved_after": "absent",
    "possible_after": "uncertain",
}
_LASTING = frozenset({"old", "healed", "old healed", "chronic", "residual"})
_RUN_ENDS = frozenset({"verb", "start", "stop", "link", "with"})


def assert_clause(clause: list[Phrase]) -> None:
    """Sets ``status`` and ``trigger`` of every phrase of a clause."""
    if all(phrase.roles.keys().isdisjoint(_TRIGGERS) for phrase in clause):
        return
    _reach_forward(clause)
    _reach_back(clause)


_TRIGGERS = frozenset(_REACHING) | frozenset(_AFTER) | {"link"}


def _reach_forward(clause: list[Phrase]) -> None:
    active: dict[str, str] = {}
    later_core = _core_follows(clause)
    listed = False  # the trigger announces a list (*differential includes*)
    for index, phrase in enumerate(clause):
        if active and index and not listed and _restarts(clause, index):
            active.pop("absent", None)
            active.pop("uncertain", None)
        for join in phrase.joins:
            for role, value in join.entry.roles.items():
                if role in ("start", "stop"):
                    active.clear()
                status = _REACHING.get(role)
                if role == "link" and value:
                    status = _REACHING[value]
                listed = listed or value == "list"
                if status is None:
                    continue
                if f"{role}_after" in join.entry.roles and not later_core[index]:
                    continue
                active.setdefault(status, join.entry.phrase)
        if active:
            first = next((status for status in active if status in _STRONGER), "uncertain")
            phrase.status = first if first in active else "present"
            phrase.trigger = active[phrase.status]


def _core_follows(clause: list[Phrase]) -> list[bool]:
    follows = []
    seen = False
    for phrase in reversed(clause):
        seen = seen or phrase.core
        follows.append(seen)
    return follows[::-1]


def _restarts(clause: list[Phrase], index: int) -> bool:
    """Whether a list under a trigger ends: ``no effusion, stable cardiomegaly``."""
    phrase = clause[index]
    roles = phrase.roles
    if "or" in roles or not ("and" in roles or "comma" in roles or "with" in roles):
        return False
    if "and" in roles and "link" in roles:
        return True
    first = phrase.parts[0].entry if phrase.parts else None
    if first is None or not (first.level or first.change or first.kind in _LASTING):
        return False
    return not any("or" in later.roles for later in clause[index + 1 :])


def _reach_back(clause: list[Phrase]) -> None:
    later_core = _core_follows(clause)
    for index, phrase in enumerate(clause):
        for join in phrase.joins:
            for role, status in _AFTER.items():
                roles = join.entry.roles
                if role not in roles:
                    continue
                if role.removesuffix("_after") in roles and later_core[index]:
                    continue
                for target in subject_run(clause, index):
                    if target.status in ("present", "uncertain"):
                        target.status, target.trigger = status, join.entry.phrase


def subject_run(clause: list[Phrase], index: int) -> list[Phrase]:
    """The phrases before ``index`` that a statement there is about, nearest first."""
    run: list[Phrase] = []
    coordinated = False
    for phrase in reversed(clause[:index]):
        run.append(phrase)
        roles = phrase.roles
        coordinated = coordinated or "and" in roles or "or" in roles
        ends = not _RUN_ENDS.isdisjoint(roles) or ("comma" in roles and not coordinated)
        if ends and (phrase.site or phrase.core):  # else a predicate: lungs are expanded and clear
            break
    return run
