"""Rows that are generated together, one token of each per step.

Rows join while others are under way and leave as soon as they are finished, so that the device
stays full. All share one key-value cache, padded on the left to the longest of those under way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pipeline.llm.backends.transformers_cache import Blocks
from pipeline.llm.backends.transformers_choose import choose
from pipeline.llm.backends.transformers_load import Loaded
from pipeline.llm.backends.transformers_rows import Row


class Decoder:
    """The rows under way and their cache; belongs to one thread.

    Attributes:
        rows: those under way, in the order of the cache.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._blocks = Blocks(loaded.model.config)
        self.rows: list[Row] = []
        self._lengths: list[int] = []
        self._last: list[int] = []

    def start(self, rows: Sequence[Row], batch_tokens: int) -> list[Row]:
        """Read the prompts of ``rows``, choose their first tokens and join them to the others.

        Args:
            rows: those to start.
            batch_tokens: what the limits allow, by which the cache is cut.

        Returns those that are finished already. On an error the others are as they were.
        """
        import torch

        now = time.monotonic()
        for row in rows:
            row.began = row.began or now
        under_way = len(self.rows)
        lengths = [len(row.tokens) for row in rows]
        width = max(lengths)
        most = max(row.total for row in (*self.rows, *rows))
        self._blocks.make_room(under_way, len(rows), batch_tokens // most, width, most)
        ids = torch.tensor(
            [
                [self._loaded.pad] * (width - length) + row.tokens
                for length, row in zip(lengths, rows, strict=True)
            ],
            device=self._loaded.device,
        )
        mask = self._mask(lengths, width)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        self._blocks.read_prompt(under_way, len(rows), width)
        try:
            tokens = choose(rows, self._forward(ids, mask, positions))
            self.rows += rows
            self._lengths += lengths
            self._last += tokens
        finally:
            self._blocks.written(width, max(self._lengths, default=0))
        return self._take(tokens, first=under_way)

    def step(self) -> list[Row]:
        """One more token for every row; returns those that are finished."""
        import torch

        device, width = self._loaded.device, max(self._lengths)
        ids = torch.tensor(self._last, device=device)[:, None]
        positions = torch.tensor(self._lengths, device=device)[:, None]
        self._blocks.read_token(len(self.rows), width)
        mask = self._mask([length + 1 for length in self._lengths], width + 1)
        logits = self._forward(ids, mask, positions)
        self._blocks.written(1, width + 1)
        self._lengths = [length + 1 for length in self._lengths]
        self._last = choose(self.rows, logits)
        return self._take(self._last)

    def drop(self, leaving: Sequence[Row]) -> None:
        """Let rows go; the last ones take their places."""
        gone = set(map(id, leaving))
        for place in reversed(range(len(self.rows))):
            if id(self.rows[place]) not in gone:
                continue
            last = len(self.rows) - 1
            if place != last:
                self._blocks.replace(place, last)
            self.rows[place] = self.rows[last]
            self._lengths[place] = self._lengths[last]
            self._last[place] = self._last[last]
            del self.rows[last], self._lengths[last], self._last[last]
        if not self.rows:
            self.clear()

    def clear(self) -> list[Row]:
        """Forget cache and rows, which are returned: they can be started again where they are."""
        rows, self.rows = self.rows, []
        self._lengths, self._last = [], []
        self._blocks.clear()
        return rows

    def _take(self, tokens: Sequence[int], first: int = 0) -> list[Row]:
        """Hand the chosen tokens to the rows from ``first`` on; the finished ones leave."""
        finished = []
        for row, token in zip(self.rows[first:], tokens, strict=True):
            if token < 0:
                row.finish = "nan"
            if token < 0 or row.push(token):
                finished.append(row)
        if finished:
            self.drop(finished)
        return finished

    def _mask(self, lengths: Sequence[int], width: int) -> Any:
        """1 where a row holds a token, 0 where it is padded: [rows, width]."""
        import torch

        device = self._loaded.device
        pads = torch.tensor([width - length for length in lengths], device=device)
        return (torch.arange(width, device=device)[None, :] >= pads[:, None]).long()

    def _forward(self, ids: Any, mask: Any, positions: Any) -> Any:
        """Logits after the last token of each row: [rows, vocabulary]."""
        names = self._loaded.forward_names
        given = {"input_ids": ids, "attention_mask": mask}
        given[self._loaded.cache_name] = self._blocks.cache
        if "position_ids" in names:
            given["position_ids"] = positions
        if "logits_to_keep" in names:
            given["logits_to_keep"] = 1
        return self._loaded.model(**given, use_cache=True).logits[:, -1]
