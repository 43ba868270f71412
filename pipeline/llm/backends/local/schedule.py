"""Which waiting rows are generated together, and when: full batches of prompts alike in length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.llm.backends.local.rows import Row

PREFILL_TOKENS = 16_384
"""Most tokens, padding included, whose prompts are read at once: what a step needs besides the
key-value cache grows with them."""
REFILL = 8
"""While more wait, rows join when an eighth of the places is free: reading few prompts at a time
costs as much as reading many."""


@dataclass(slots=True)
class Limits:
    """What a batch may hold; halved when memory runs out.

    Attributes:
        sequences: rows at once.
        tokens: rows times the longest of them, prompt and answer to come.
        prefill: rows that start together times their longest prompt.
    """

    sequences: int
    tokens: int
    prefill: int = PREFILL_TOKENS

    def shrink(self, rows: int, longest: int) -> None:
        """So many rows of that length were too much: half as much from now on."""
        self.sequences = max(1, min(self.sequences, rows) // 2)
        self.tokens = max(1, min(self.tokens, rows * longest) // 2)
        self.prefill = max(1, self.prefill // 2)


def next_group(waiting: Sequence[Row], running: Sequence[Row], limits: Limits) -> list[Row]:
    """The waiting rows to start now, longest first; none if it is better to go on as it is.

    The one that waits longest is among them, and those next to it in length, so that little is
    padded and nobody waits for ever. Rows with images start by themselves. A row alone is always
    started, whatever the limits.
    """
    free = limits.sequences - len(running)
    if not waiting or free <= 0:
        return []
    enough = max(1, limits.sequences // REFILL)
    if running and free < enough <= len(waiting):
        return []
    oldest = waiting[0]
    length = len(oldest.tokens)
    alike = [row for row in waiting[1:] if bool(row.images) == bool(oldest.images)]
    near = sorted(alike, key=lambda row: abs(len(row.tokens) - length))
    group: list[Row] = []
    longest = max((row.total for row in running), default=0)
    prompt = 0
    for row in (oldest, *near):
        size, total = max(prompt, len(row.tokens)), max(longest, row.total)
        fits = (len(running) + len(group) + 1) * total <= limits.tokens
        if not (running or group):
            fits = True
        if not fits or len(group) == free or (group and (len(group) + 1) * size > limits.prefill):
            break
        group.append(row)
        prompt, longest = size, total
    return sorted(group, key=lambda row: -len(row.tokens))
