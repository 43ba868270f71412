"""The next token of every row: greedy, drawn, or what a schema allows.

A draw takes one number of the row's own dice and the row's own probabilities, so that an answer
does not depend on which others are generated beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.llm.backends.local.rows import Row


def choose(rows: Sequence[Row], logits: Any) -> list[int]:
    """One token for each row; -1 where the model gave no numbers (an overflow of fp16).

    Args:
        rows: the rows, in the order of ``logits``.
        logits: [rows, vocabulary], on any device.
    """
    import torch

    bound = [number for number, row in enumerate(rows) if row.matcher is not None]
    if bound:
        logits = logits.float()
        logits[bound] = _allowed([rows[number] for number in bound], logits[bound])
    best, tokens = logits.max(dim=-1)
    tokens = torch.where(best.isnan(), -1, tokens)
    drawn = [number for number, row in enumerate(rows) if row.wishes.temperature > 0]
    if drawn:
        picked = _draw([rows[number] for number in drawn], logits[drawn].float())
        tokens[drawn] = torch.where(tokens[drawn] < 0, tokens[drawn], picked)
    chosen: list[int] = tokens.tolist()
    return chosen


def _draw(rows: Sequence[Row], logits: Any) -> Any:
    """A token of each row by its temperature, top_k and top_p."""
    import torch

    device = logits.device
    temperature = torch.tensor([row.wishes.temperature for row in rows], device=device)
    top_p = torch.tensor([row.wishes.top_p for row in rows], device=device)
    vocabulary = logits.shape[-1]
    top_k = torch.tensor([row.wishes.top_k or vocabulary for row in rows], device=device)
    dice = torch.tensor([row.wishes.dice.random() for row in rows], device=device)
    shares = torch.softmax(logits / temperature[:, None], dim=-1)
    shares, order = shares.sort(dim=-1, descending=True, stable=True)
    before = shares.cumsum(dim=-1) - shares
    place = torch.arange(vocabulary, device=device)
    shares = shares.masked_fill((before >= top_p[:, None]) | (place >= top_k[:, None]), 0)
    sums = shares.cumsum(dim=-1)
    target = dice[:, None] * sums[:, -1:]
    last = (shares > 0).sum(dim=-1, keepdim=True) - 1
    at = (sums <= target).sum(dim=-1, keepdim=True).minimum(last)
    return order.gather(-1, at)[:, 0]


def _allowed(rows: Sequence[Row], logits: Any) -> Any:
    """``logits`` without the tokens that the rows' schemas forbid now."""
    import torch

    words = (logits.shape[-1] + 31) // 32
    masks = torch.zeros((len(rows), words), dtype=torch.int32)
    for mask, row in zip(masks, rows, strict=True):
        row.matcher.unsafe_compute_mask_ptr(mask.data_ptr(), words * 4)
    masks = masks.to(logits.device)
    bits = torch.arange(32, device=logits.device, dtype=torch.int32)
    allowed = (masks[:, :, None] >> bits & 1).view(len(rows), -1)[:, : logits.shape[-1]]
    return logits.masked_fill(allowed == 0, float("-inf"))
