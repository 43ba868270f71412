"""What each round of a follow-up stage asked and gained, over all records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.core.records import Record
from pipeline.stages.followup import ROUND_COUNTS

ROUND_COLUMNS = ("records", *ROUND_COUNTS)
"""What is counted of a round."""


def count_followup(records: Iterable[Record], params: Mapping[str, Any]) -> dict[str, Any]:
    """Counts of a follow-up stage.

    ``rounds`` has one entry per round: ``records`` that took part, and the sums of what their
    rounds counted. ``answers`` counts those that changed a record by kind of discrepancy and
    status, ``records`` all records followed up, ``left`` what model and rules still differ in.
    """
    rounds: list[Counter[str]] = []
    answers: Counter[str] = Counter()
    followed_up = left = 0
    for record in records:
        followed = record.get("followup")
        if followed is None:
            continue
        followed_up += 1
        left += followed["left"]
        answers.update(f"{one['kind']}:{one['status']}" for one in followed["answers"])
        for number, counts in enumerate(followed["rounds"]):
            if number == len(rounds):
                rounds.append(Counter())
            rounds[number]["records"] += 1
            rounds[number].update(counts)
    return {
        "records": followed_up,
        "left": left,
        "rounds": [dict(one) for one in rounds],
        "answers": dict(sorted(answers.items())),
    }
