"""Rows that are generated together, one token of each per step.

Rows join while others are under way and leave as soon as they are finished, so that the device
stays full. All share one key-value cache, padded on the left to the longest; columns that hold
padding only are cut off when a row leaves, so that the cache is never wider than its longest row.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pipeline.llm.backends.transformers_choose import choose
from pipeline.llm.backends.transformers_load import Loaded
from pipeline.llm.backends.transformers_rows import Row


class Decoder:
    """The rows under way and their cache; belongs to one thread.

    Attributes:
        rows: those under way, in the order of the cache.
        joins: whether rows can join others: not with caches of a sliding window, whose width is
            that of all rows together.
    """

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self.rows: list[Row] = []
        self.joins = True
        self._cache: Any = None
        self._mask: Any = None
        self._lengths: list[int] = []
        self._last: list[int] = []

    def start(self, rows: Sequence[Row]) -> list[Row]:
        """Read the prompts of ``rows``, choose their first tokens and join them to the others.

        Returns those that are finished already. On an error the others are as they were.
        """
        import torch

        now = time.monotonic()
        for row in rows:
            row.began = row.began or now
        lengths = [len(row.tokens) for row in rows]
        width = max(lengths)
        device = self._loaded.device
        pads = [width - length for length in lengths]
        ids = torch.tensor(
            [[self._loaded.pad] * pad + row.tokens for pad, row in zip(pads, rows, strict=True)],
            device=device,
        )
        mask = (torch.arange(width)[None, :] >= torch.tensor(pads)[:, None]).long().to(device)
        positions = (mask.cumsum(-1) - 1).clamp(min=0)
        cache = self._new_cache()
        logits = self._forward(ids, mask, positions, cache)
        tokens = choose(rows, logits)
        if self._cache is None:
            self.joins = _is_plain(cache)
            self.rows, self._cache, self._mask = list(rows), cache, mask
            self._lengths, self._last = lengths, tokens
        else:
            self._join(rows, cache, mask, lengths, tokens)
        return self._take(tokens, first=len(self.rows) - len(rows))

    def step(self) -> list[Row]:
        """One more token for every row; returns those that are finished."""
        import torch

        device = self._loaded.device
        ids = torch.tensor(self._last, device=device)[:, None]
        positions = torch.tensor(self._lengths, device=device)[:, None]
        mask = torch.cat([self._mask, self._mask.new_ones(len(self.rows), 1)], dim=1)
        logits = self._forward(ids, mask, positions, self._cache)
        self._mask = mask
        self._lengths = [length + 1 for length in self._lengths]
        self._last = choose(self.rows, logits)
        return self._take(self._last)

    def drop(self, leaving: Sequence[Row]) -> None:
        """Let rows go."""
        import torch

        gone = set(map(id, leaving))
        keep = [number for number, row in enumerate(self.rows) if id(row) not in gone]
        if len(keep) == len(self.rows):
            return
        if not keep:
            self.clear()
            return
        index = torch.tensor(keep, device=self._loaded.device)
        self._lengths = [self._lengths[number] for number in keep]
        self._last = [self._last[number] for number in keep]
        self.rows = [self.rows[number] for number in keep]
        self._mask = self._mask[index]
        spare = self._mask.shape[1] - max(self._lengths) if self.joins else 0
        for layer in _layers(self._cache):
            on = index.to(layer.keys.device)
            layer.keys = layer.keys[on, :, spare:] if spare else layer.keys[on]
            layer.values = layer.values[on, :, spare:] if spare else layer.values[on]
        self._mask = self._mask[:, spare:]

    def clear(self) -> list[Row]:
        """Forget cache and rows, which are returned: they can be started again where they are."""
        rows, self.rows = self.rows, []
        self._cache = self._mask = None
        self._lengths, self._last = [], []
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

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        return DynamicCache(config=self._loaded.model.config)

    def _forward(self, ids: Any, mask: Any, positions: Any, cache: Any) -> Any:
        """Logits after the last token of each row: [rows, vocabulary]."""
        import torch

        given = {"input_ids": ids, "attention_mask": mask, self._loaded.cache_name: cache}
        names = self._loaded.forward_names
        if "position_ids" in names:
            given["position_ids"] = positions
        if "logits_to_keep" in names:
            given["logits_to_keep"] = 1
        with torch.inference_mode():
            return self._loaded.model(**given, use_cache=True).logits[:, -1]

    def _join(
        self, rows: Sequence[Row], cache: Any, mask: Any, lengths: list[int], tokens: list[int]
    ) -> None:
        import torch
        from torch.nn.functional import pad

        wide = max(self._mask.shape[1], mask.shape[1])
        left, right = wide - self._mask.shape[1], wide - mask.shape[1]
        merged = []
        for ours, theirs in zip(_layers(self._cache), _layers(cache), strict=True):
            merged.append(
                tuple(
                    torch.cat([pad(a, (0, 0, left, 0)), pad(b, (0, 0, right, 0))])
                    for a, b in ((ours.keys, theirs.keys), (ours.values, theirs.values))
                )
            )
        for layer, (keys, values) in zip(_layers(self._cache), merged, strict=True):
            layer.keys, layer.values = keys, values
        self._mask = torch.cat([pad(self._mask, (left, 0)), pad(mask, (right, 0))])
        self.rows.extend(rows)
        self._lengths = self._lengths + lengths
        self._last = self._last + tokens


def _layers(cache: Any) -> list[Any]:
    """The layers of a cache that hold keys and values."""
    return [layer for layer in cache.layers if layer.keys is not None]


def _is_plain(cache: Any) -> bool:
    from transformers.cache_utils import DynamicLayer

    return all(type(layer) is DynamicLayer for layer in _layers(cache))
