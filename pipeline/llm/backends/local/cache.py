"""The key-value cache of rows that come and go: blocks larger than what is in use.

transformers' own cache copies all of itself for every token. Here a token is written in place: the
columns in use are a window that moves to the right, and is put back to the left when it reaches the
edge; a row that leaves is overwritten by the last one. Sliding-window layers keep all columns too:
their mask alone limits what they see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

SLACK = 4
"""Columns beyond the need, as a fraction of it: how seldom the window is put back."""


@dataclass(slots=True)
class Window:
    """The part of the blocks that a forward pass reads and writes.

    Attributes:
        first: first row.
        rows: number of rows.
        start: first column.
        end: column behind the last one that is filled.
        capacity: columns of the blocks.
        most_rows: rows of the blocks.
    """

    first: int = 0
    rows: int = 0
    start: int = 0
    end: int = 0
    capacity: int = 0
    most_rows: int = 0

    @property
    def width(self) -> int:
        """Columns that are filled."""
        return self.end - self.start


class Blocks:
    """The cache of one model.

    Attributes:
        cache: what the model's forward takes.
    """

    def __init__(self, config: Any) -> None:
        from transformers import DynamicCache
        from transformers.cache_utils import Cache

        self._window = Window()
        kinds = [type(layer).__name__ for layer in DynamicCache(config=config).layers]
        layers = [
            DynamicCache(config=config).layers[number]
            if kind == "DummyLayer"
            else _layer_class()(self._window)
            for number, kind in enumerate(kinds)
        ]
        self.cache = Cache(layers=layers)
        self._layers = [layer for layer in layers if isinstance(layer, _layer_class())]

    @property
    def width(self) -> int:
        """Columns in use."""
        return self._window.width

    def make_room(self, rows: int, more_rows: int, most_rows: int, prompt: int, most: int) -> None:
        """See that prompts can be read into new rows and all rows can go on.

        Args:
            rows: rows in use.
            more_rows: rows to come.
            most_rows: rows there may ever be at this length.
            prompt: columns that the new rows fill at once.
            most: columns that any row, old or new, may come to need.
        """
        window = self._window
        rows_needed, width = rows + more_rows, max(window.width if rows else 0, prompt)
        if rows_needed > window.most_rows or most + most // (2 * SLACK) + 1 > window.capacity:
            doubled = 1 << (rows_needed - 1).bit_length()
            self._move(
                rows, max(rows_needed, min(doubled, most_rows)), most + most // SLACK + 1, width
            )
        elif not rows:
            window.start = window.end = width
        elif window.end < width:
            self._move(rows, window.most_rows, window.capacity, width)

    def read_prompt(self, first: int, rows: int, prompt: int) -> None:
        """Prepare for a forward pass over prompts of this width in new rows."""
        window = self._window
        window.first, window.rows = first, rows
        window.start = window.end = window.end - prompt  # written() puts the end back

    def read_token(self, rows: int, width: int) -> None:
        """Prepare for a forward pass over one more token of all rows, the widest of which is so."""
        window = self._window
        window.first, window.rows = 0, rows
        window.start = window.end - width
        if window.end == window.capacity:
            self._move(rows, window.most_rows, window.capacity, width)

    def written(self, columns: int, width: int) -> None:
        """A forward pass has filled so many columns; the widest row in use is so wide now."""
        window = self._window
        window.end += columns
        window.start = window.end - width

    def replace(self, row: int, by: int) -> None:
        """Row ``by`` takes the place of ``row``, which left."""
        window = self._window
        for layer in self._layers:
            for block in (layer.keys, layer.values):
                block[row, :, window.start : window.end] = block[by, :, window.start : window.end]

    def clear(self) -> None:
        """Give the memory back."""
        for layer in self._layers:
            layer.keys = layer.values = None
        window = self._window
        window.first = window.rows = window.start = window.end = 0
        window.capacity = window.most_rows = 0

    def _move(self, rows: int, most_rows: int, capacity: int, width: int) -> None:
        """Put what is in use into blocks of this size, so that it ends at column ``width``."""
        window = self._window
        used = window.width if rows else 0
        for layer in self._layers:
            layer.keys = _moved(layer.keys, window, rows, used, most_rows, capacity, width)
            layer.values = _moved(layer.values, window, rows, used, most_rows, capacity, width)
        window.start, window.end = width - used, width
        window.capacity, window.most_rows = capacity, most_rows


def _moved(
    block: Any, window: Window, rows: int, used: int, most_rows: int, capacity: int, width: int
) -> Any:
    if block is None:
        return None
    kept = block[:rows, :, window.end - used : window.end]
    if (most_rows, capacity) == (window.most_rows, window.capacity):
        block[:rows, :, width - used : width] = kept.clone()
        return block
    fresh = block.new_zeros((most_rows, block.shape[1], capacity, block.shape[3]))
    fresh[:rows, :, width - used : width] = kept
    return fresh


def unsupported(config: Any) -> Sequence[str]:
    """Kinds of layers of a model that this cache cannot stand in for; empty if it can."""
    from transformers import DynamicCache

    known = {"DynamicLayer", "DynamicSlidingWindowLayer", "DummyLayer"}
    kinds = {type(layer).__name__ for layer in DynamicCache(config=config).layers}
    return sorted(kinds - known)


@cache
def _layer_class() -> Any:
    """The class of a layer; transformers is imported when a model is loaded, not before."""
    from transformers.cache_utils import DynamicLayer

    class BlockLayer(DynamicLayer):  # type: ignore[misc]
        """A layer whose keys and values lie in blocks: [rows, heads, columns, size]."""

        def __init__(self, window: Window) -> None:
            super().__init__()
            self._window = window
            self.keys: Any = None
            self.values: Any = None

        def update(self, key_states: Any, value_states: Any, *_: Any, **__: Any) -> Any:
            """Write behind the window; gives what it holds then."""
            if self.keys is None:
                self.keys, self.values = self._block(key_states), self._block(value_states)
                self.is_initialized = True
            window, new = self._window, key_states.shape[-2]
            rows = slice(window.first, window.first + window.rows)
            self.keys[rows, :, window.end : window.end + new] = key_states
            self.values[rows, :, window.end : window.end + new] = value_states
            seen = slice(window.start, window.end + new)
            return self.keys[rows, :, seen], self.values[rows, :, seen]

        def get_seq_length(self) -> int:
            """Columns in use."""
            return self._window.width

        def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
            """Columns after this pass, and the first of them."""
            return self._window.width + query_length, 0

        def _block(self, states: Any) -> Any:
            window = self._window
            shape = (window.most_rows, states.shape[1], window.capacity, states.shape[3])
            return states.new_zeros(shape)

    return BlockLayer
