"""What requests will take before any is sent: tokens, money, time at the limits, journal hits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from pipeline.llm.config import BackendConfig
from pipeline.llm.engine import complete
from pipeline.llm.identity import identified
from pipeline.llm.journal import Journal
from pipeline.llm.journal_lines import Spent
from pipeline.llm.prices import cost
from pipeline.llm.tokens import (
    TokenEstimate,
    count_exactly,
    exact_counter,
    max_output,
    prompt_size,
)
from pipeline.llm.types import Request, Usage


@dataclass(frozen=True, slots=True)
class Estimate:
    """A plan for one backend.

    Attributes:
        requests: how often a model would be asked.
        reused: of those, answered from the journal at no cost.
        repeated: of those, the same as another one of this plan; asked once.
        to_send: what is left.
        prompt_tokens: of what is to be sent.
        output_tokens: likely, by the mean of the journal; None if it holds too little to say.
        most_output_tokens: if every answer took its maximum.
        money: likely, None where unknown or without prices.
        most_money: if every answer took its maximum; None without prices.
        currency: of both.
        seconds: at the requests and tokens per minute of all deployments; None without limits.
        counted: ``tiktoken``, ``journal`` (calibrated by usage) or ``estimate``.
    """

    requests: int = 0
    reused: int = 0
    repeated: int = 0
    to_send: int = 0
    prompt_tokens: int = 0
    output_tokens: int | None = None
    most_output_tokens: int = 0
    money: float | None = None
    most_money: float | None = None
    currency: str | None = None
    seconds: float | None = None
    counted: str = "estimate"


LEAST_REPLIES = 20
"""Fewer replies in the journal say nothing of the length of the next ones."""


def estimate(requests: Iterable[Request], config: BackendConfig, journal_dir: Path) -> Estimate:
    """Plan ``requests``, read once and not kept.

    Args:
        requests: as a stage would ask them.
        config: the backend of the recipe; a ``rules`` backend sends nothing.
        journal_dir: the folder an engine would be opened with.
    """
    if config.kind == "rules":
        return Estimate(requests=sum(1 for _ in requests))
    config = identified(config)
    journal = Journal(Path(config.journal) if config.journal else journal_dir)
    try:
        return _estimate(requests, config, journal)
    finally:
        journal.release()


def _estimate(requests: Iterable[Request], config: BackendConfig, journal: Journal) -> Estimate:
    counter = exact_counter()
    size, tokens = journal.sizes
    tally = TokenEstimate(size / tokens) if tokens else TokenEstimate()
    counted = "tiktoken" if counter else "journal" if tokens else "estimate"
    asked = reused = repeated = prompt = most = 0
    seen: set[bytes] = set()
    for request in requests:
        request = complete(request, config)
        asked += 1
        key = request.key()
        if key in journal:
            reused += 1
            continue
        short = bytes.fromhex(key[:32])
        if short in seen:
            repeated += 1
            continue
        seen.add(short)
        prompt += (
            count_exactly(request, counter) if counter else tally.prompt(*prompt_size(request))
        )
        most += max_output(request)
    likely = _likely_output(journal.total, len(seen), most)
    return Estimate(
        requests=asked,
        reused=reused,
        repeated=repeated,
        to_send=len(seen),
        prompt_tokens=prompt,
        output_tokens=likely,
        most_output_tokens=most,
        money=None if likely is None else _money(prompt, likely, config),
        most_money=_money(prompt, most, config),
        currency=config.prices.currency if config.prices else None,
        seconds=None if config.mode == "batch" else _seconds(len(seen), prompt + most, config),
        counted=counted,
    )


def _likely_output(known: Spent, requests: int, most: int) -> int | None:
    if known.replies < LEAST_REPLIES or not known.completion_tokens:
        return None
    return min(most, round(requests * known.completion_tokens / known.replies))


def _money(prompt: int, output: int, config: BackendConfig) -> float | None:
    if config.prices is None:
        return None
    return cost(Usage(prompt, output), config.prices, batch=config.mode == "batch")


def _seconds(requests: int, tokens: int, config: BackendConfig) -> float | None:
    """Time at the limits of the pool; None if a deployment has none."""
    rpm = [one.rpm for one in config.deployments]
    tpm = [one.tpm for one in config.deployments]
    by_requests = None if None in rpm else requests * 60 / sum(x for x in rpm if x)
    by_tokens = None if None in tpm else tokens * 60 / sum(x for x in tpm if x)
    known = [x for x in (by_requests, by_tokens) if x is not None]
    return max(known) if known else None
