"""What tokens cost, by the prices of the recipe: contracts differ, so no table is built in."""

from __future__ import annotations

from pipeline.llm.config import Prices
from pipeline.llm.types import Usage

BATCH_DISCOUNT = 0.5
"""Batch jobs cost half (Azure and OpenAI, 2026)."""


def cost(usage: Usage, prices: Prices | None, *, batch: bool = False) -> float:
    """Money for ``usage`` in the currency of ``prices``; 0 without prices.

    Cached tokens are part of the prompt tokens, reasoning tokens of the completion tokens.
    """
    if prices is None:
        return 0.0
    cached = min(usage.cached_tokens, usage.prompt_tokens)
    cached_price = prices.prompt if prices.cached is None else prices.cached
    full = (
        (usage.prompt_tokens - cached) * prices.prompt
        + cached * cached_price
        + usage.completion_tokens * prices.completion
    ) / 1_000_000
    return full * BATCH_DISCOUNT if batch else full
