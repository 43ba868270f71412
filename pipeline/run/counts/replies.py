"""How far the replies of a KeyInfo stage could be read as they came."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.records import Record
from pipeline.run.counts.remembered import most

_STATES = frozenset({"ok", "repaired", "truncated"})


def count_replies(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Records by how their reply was read: as it came (``ok``), ``repaired``, ``truncated``."""
    states: Counter[str] = Counter()
    for record in records:
        states[reply_state(record.get("reply"))] += 1
    return {"replies": most(states)}


def reply_state(said: Any) -> str:
    """How a reply was read, as a record says it; ``not said`` where it does not."""
    return said if said in _STATES else "not said"
