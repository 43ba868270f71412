"""Rows that are generated together, one token of each per step.

Rows join while others are under way and leave as soon as they are finished, so that the device
stays full. All share one key-value cache, padded on the left to the longest of those under way.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from pipeline.llm.backends.local.cache import Blocks
from pipeline.llm.backends.local.choose import choose
from pipeline.llm.backends.local.load import Loaded
from pipeline.llm.backends.local.prompt import processed
from pipeline.llm.backends.local.rows import Row


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
        self._shifts: list[int] = []

    def start(self, rows: Sequence[Row], batch_tokens: int) -> list[Row]:
        """Read the prompts of ``rows``, choose their first tokens and join them to the others.

        Args:
            rows: those to start.
            batch_tokens: what the limits allow, by which the cache is cut.

        Returns those that are finished already. After an error nothing but :meth:`clear` helps.
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
        seen = self._images(rows, width)
        positions, shifts = self._positions(ids, mask, seen)
        self._blocks.read_prompt(under_way, len(rows), width)
        try:
            tokens = choose(rows, self._forward(ids, mask, positions, seen))
            self.rows += rows
            self._lengths += lengths
            self._last += tokens
            self._shifts += shifts
        finally:
            self._blocks.written(width, max(self._lengths, default=0))
        return self._take(tokens, first=under_way)

    def step(self) -> list[Row]:
        """One more token for every row; returns those that are finished."""
        import torch

        device, width = self._loaded.device, max(self._lengths)
        ids = torch.tensor(self._last, device=device)[:, None]
        places = [sum(pair) for pair in zip(self._lengths, self._shifts, strict=True)]
        positions = torch.tensor(places, device=device)[:, None]
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
            self._shifts[place] = self._shifts[last]
            del self.rows[last], self._lengths[last], self._last[last], self._shifts[last]
        if not self.rows:
            self.clear()

    def clear(self) -> list[Row]:
        """Forget cache and rows, which are returned: they can be started again where they are."""
        rows, self.rows = self.rows, []
        self._lengths, self._last, self._shifts = [], [], []
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

    def _images(self, rows: Sequence[Row], width: int) -> dict[str, Any]:
        """The images of the rows as the model's forward takes them; empty where there are none."""
        import torch
        from torch.nn.functional import pad

        if not rows[0].images:
            return {}
        made = processed(self._loaded, [row.text for row in rows], [row.images for row in rows])
        seen: dict[str, Any] = {}
        for name, value in made.items():
            if name in ("input_ids", "attention_mask", "token_type_ids"):
                continue
            if name == "mm_token_type_ids":  # the answer so far is text
                whole = [value[i][-len(row.prompt) :] for i, row in enumerate(rows)]
                whole = [pad(one, (0, len(row.out))) for one, row in zip(whole, rows, strict=True)]
                value = torch.stack([pad(one, (width - len(one), 0)) for one in whole])
            if isinstance(value, torch.Tensor):
                numbers = value.is_floating_point()
                dtype = self._loaded.model.dtype if numbers else value.dtype
                seen[name] = value.to(self._loaded.device, dtype)
        return seen

    def _positions(self, ids: Any, mask: Any, seen: dict[str, Any]) -> tuple[Any, list[int]]:
        """The places of the tokens, and by how much those of later tokens differ from the count.

        Models of the Qwen-VL family count an image by its sides, not by its tokens.
        """
        counted = (mask.cumsum(-1) - 1).clamp(min=0)
        if self._loaded.positions is None or not seen:
            return counted, [0] * len(ids)
        grids = {name: value for name, value in seen.items() if name.endswith("_thw")}
        positions, _ = self._loaded.positions(
            input_ids=ids,
            mm_token_type_ids=seen.get("mm_token_type_ids"),
            attention_mask=mask,
            **grids,
        )
        shifts = positions.amax(dim=(0, 2)) + 1 - mask.sum(-1)
        return positions, shifts.tolist()

    def _forward(
        self, ids: Any, mask: Any, positions: Any, seen: dict[str, Any] | None = None
    ) -> Any:
        """Logits after the last token of each row: [rows, vocabulary]."""
        names = self._loaded.forward_names
        given = {"input_ids": ids, "attention_mask": mask}
        given |= {name: value for name, value in (seen or {}).items() if name in names}
        given[self._loaded.cache_name] = self._blocks.cache
        if "position_ids" in names:
            given["position_ids"] = positions
        if "logits_to_keep" in names:
            given["logits_to_keep"] = 1
        return self._loaded.model(**given, use_cache=True).logits[:, -1]
