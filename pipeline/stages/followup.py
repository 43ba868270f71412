"""Follow-up: where a model's KeyInfo and the rules differ, the model is asked once more, in detail.

Rounds of comparing, asking and merging, bounded and ended by the first round that changes nothing.
One record goes through all its rounds at once: there is no loop in a recipe.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Literal

import orjson
from pydantic import Field

from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.followup import KINDS, Discrepancy, find_discrepancies, statements
from pipeline.clinical.followup_answer import ANSWER_SCHEMA, Answer, merge, parse_answer
from pipeline.clinical.keyinfo import CATEGORIES
from pipeline.clinical.reviewed import standardiser_for
from pipeline.core.records import Record
from pipeline.llm.types import Ask, Deferred, Outcome, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import LibsParams, RecordStage, Result
from pipeline.stages.prompted import PromptParams


class FollowupParams(PromptParams, LibsParams):
    """Parameters of the follow-up stage.

    Attributes:
        rounds: most rounds for a record; 0 asks nothing.
        questions: most questions of a round; the rest waits for the next one.
        kinds: discrepancies that are asked about.
        quoted: an answer counts only if the words it quotes stand in the report.
        attempts: how often a reply that cannot be read is asked for again.
        structured: ask the server to follow the JSON schema of an answer.
    """

    variables = frozenset({"report", "keyinfo", "question"})

    prompt: str = "followup"
    rounds: int = Field(default=2, ge=0)
    questions: int = Field(default=12, ge=1)
    kinds: tuple[Literal["missing", "negation", "status", "attribute", "unsupported"], ...] = KINDS
    quoted: bool = True
    max_tokens: int = Field(default=300, ge=1)
    attempts: int = Field(default=2, ge=1)
    structured: bool = True


ROUND_COUNTS = ("asked", "answered", "changed", "gained", "lost", "not_quoted", "unreadable")
"""What is counted of a round: questions, usable answers, answers that changed the record,
statements gained and lost by that, answers that quote what is not in the report, replies without
an answer."""


class _Trail:
    """What happened to one record so far."""

    def __init__(self) -> None:
        self.answered: set[Discrepancy] = set()
        self.rounds: list[dict[str, int]] = []
        self.answers: list[dict[str, Any]] = []


class Followup(RecordStage[FollowupParams]):
    """Completes ``keyinfo`` and adds ``followup``: what was asked in each round and what it gave.

    A record that the rules made themselves, or that is no KeyInfo, passes as it is. An answer that
    cannot be read or quotes what is not there changes nothing; no record is lost here.
    """

    name = "followup"
    params_type = FollowupParams
    asks = True
    libs = (".",)
    prompts = (".",)

    def __init__(self, params: FollowupParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)
        self._standardiser = standardiser_for(params.libs)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Follow one record up."""
        reading = record.get("reading")
        if record.get("by") == "rules" or not reading or not self.params.rounds:
            return [record]
        first = self._standardiser.standardise(record["keyinfo"])
        if first.is_unusable:
            return [record]
        rules = self._standardiser.standardise(extract_keyinfo(reading)).record
        current, trail = first.record, _Trail()
        for _ in range(self.params.rounds):
            found = find_discrepancies(current, rules, reading, self.params.kinds)
            asked = [one for one in found if one not in trail.answered][: self.params.questions]
            if not asked:
                break
            made = await self._round(record, current, asked, ask, trail)
            if made == current:
                break
            current = made
        left = len(find_discrepancies(current, rules, reading, self.params.kinds))
        followup = {"rounds": trail.rounds, "answers": trail.answers, "left": left}
        if current == first.record:
            return [{**record, "followup": followup}]
        changes = [change.as_json() for change in first.changes]
        return [
            {
                **record,
                "keyinfo": {category: current[category] for category in CATEGORIES},
                "changes": changes,
                "flags": list(first.flags),
                "followup": followup,
            }
        ]

    async def _round(
        self,
        record: Record,
        current: dict[str, Any],
        asked: list[Discrepancy],
        ask: Ask,
        trail: _Trail,
    ) -> dict[str, Any]:
        """Ask everything about ``current``, then merge the answers one by one."""
        shown = orjson.dumps({name: current[name] for name in CATEGORIES}).decode()
        answers: list[Answer | None] = []
        deferred = False
        for one in asked:
            try:
                answers.append(await self._answer(record, shown, one, ask))
            except Deferred:
                # In batch mode all questions of a round go out together.
                deferred = True
        if deferred:
            raise Deferred
        before = statements(current)
        counts: Counter[str] = Counter(asked=len(asked))
        for one, answer in zip(asked, answers, strict=True):
            if answer is None:
                counts["unreadable"] += 1
                continue
            if self.params.quoted and not (
                answer.status == "not_mentioned" or answer.rests_on(record["reading"])
            ):
                counts["not_quoted"] += 1
                continue
            trail.answered.add(one)
            counts["answered"] += 1
            merged = self._standardiser.standardise(merge(current, one, answer)).record
            if merged != current:
                counts["changed"] += 1
                trail.answers.append(
                    {
                        "round": len(trail.rounds) + 1,
                        "kind": one.kind,
                        "name": one.name,
                        "status": answer.status,
                        "quote": answer.quote,
                    }
                )
                current = merged
        after = statements(current)
        counts["gained"], counts["lost"] = len(after - before), len(before - after)
        trail.rounds.append({name: counts[name] for name in ROUND_COUNTS})
        return current

    async def _answer(
        self, record: Record, shown: str, one: Discrepancy, ask: Ask
    ) -> Answer | None:
        request = Request(
            task="followup",
            messages=self._template.render(
                report=record["reading"], keyinfo=shown, question=one.question()
            ),
            params={"max_tokens": self.params.max_tokens, "temperature": self.params.temperature},
            schema=ANSWER_SCHEMA if self.params.structured else None,
            payload={"text": record["reading"], "name": one.name},
            record_id=record["id"],
        )
        for attempt in range(self.params.attempts):
            reply = await ask(request.again(attempt))
            if reply.outcome in (Outcome.CONTENT_FILTER, Outcome.REFUSAL, Outcome.FAILED):
                return None
            answer = parse_answer(reply.text, reply.finish_reason)
            if answer is not None:
                return answer
        return None
