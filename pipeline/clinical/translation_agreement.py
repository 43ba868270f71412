"""How far two texts about one image agree, finding by finding, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.clinical.claims import Claim, claims_of
from pipeline.clinical.lexicon import load_lexicon

_UNNAMED = frozenset({"general", "artifact"})
_CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two texts have in common.

    Attributes:
        findings: findings that either text names, each once.
        agreed: those that both name with the same status and no different side.
        differ: names of the others.
    """

    findings: int
    agreed: int
    differ: tuple[str, ...]

    @property
    def agreement(self) -> float | None:
        """Share of findings agreed on; None where there are none."""
        return self.agreed / self.findings if self.findings else None


def compare_texts(one: str, other: str) -> Agreement:
    """Compare the findings of two texts by canonical name, status and side.

    A side that only one of them gives is no difference, and neither is a name for which the other
    language has one word (*infection* and *pneumonia*).
    """
    left, right = list(_named(claims_of(one))), list(_named(claims_of(other)))
    differ = [c.name for c in left if not any(_agree(c, d) for d in right)]
    alone = [d.name for d in right if not any(_agree(c, d) for c in left)]
    names = {claim.name for claim in left}
    extra = [n for n in dict.fromkeys(alone) if n not in names or n not in differ]
    missing = list(dict.fromkeys(differ))
    agreed = len(names - set(missing))
    unlike = dict.fromkeys([*missing, *extra])
    return Agreement(agreed + len(unlike), agreed, tuple(unlike))


def _named(claims: Iterable[Claim]) -> Iterable[Claim]:
    by_name = load_lexicon().by_name
    for claim in claims:
        finding = by_name.get(claim.name)
        if claim.name == _CLEAR or (finding is not None and finding.kind not in _UNNAMED):
            yield claim


def _agree(one: Claim, other: Claim) -> bool:
    if one.status != other.status:
        return False
    if {one.name, *one.also}.isdisjoint({other.name, *other.also}):
        return False
    return not one.sides or not other.sides or bool(one.sides & other.sides)
