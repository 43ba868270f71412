"""Tokens and money before and after a request."""

from __future__ import annotations

import hashlib
import socket
from pathlib import Path

import pytest

from pipeline.llm import tokens
from pipeline.llm.config import Prices
from pipeline.llm.prices import cost
from pipeline.llm.tokens import (
    DEFAULT_OUTPUT,
    TokenEstimate,
    count_exactly,
    exact_counter,
    max_output,
    prompt_size,
)
from pipeline.llm.types import Message, Request, Usage


def test_size_is_in_bytes_and_images_count_apart() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 10_000}}
    request = Request(
        "t", (Message("system", "abc"), Message("user", ({"type": "text", "text": "心影"}, image)))
    )
    tokens = 37 * 37  # an image of unknown size counts as 1024 x 1024, in squares of 28 x 28
    assert prompt_size(request) == (9, tokens)
    assert TokenEstimate(3.0).prompt(9, tokens) == 4 + tokens
    assert count_exactly(request, len) == 2 * 4 + 3 + 2 + tokens


def test_the_estimate_follows_what_the_service_counts() -> None:
    estimate = TokenEstimate()
    assert estimate.prompt(3_600) >= 1_000
    for _ in range(200):
        estimate.learn(4_400, 1_000)
    assert estimate.bytes_per_token == pytest.approx(4.4, abs=0.01)
    for size, count in ((0, 0), (5, 5), (100, 0), (10**9, 20), (20, 10**6)):
        estimate.learn(size, count)
    assert 1 <= estimate.bytes_per_token <= 8


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({}, DEFAULT_OUTPUT),
        ({"max_tokens": None}, DEFAULT_OUTPUT),
    ],
)
def test_most_output(params: dict[str, int], expected: int) -> None:
    assert max_output(Request("t", params=params)) == expected


def test_without_tables_nothing_is_downloaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_network(*args: object, **kwargs: object) -> None:
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    assert exact_counter() is None
    damaged = tmp_path / "fb374d419588a4632f3f557e76b4b70aebbca790"
    damaged.write_bytes(b"damaged")
    assert exact_counter() is None
    assert damaged.exists()


def test_with_tables_tiktoken_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table in the right place with the right hash is handed to tiktoken."""
    import tiktoken

    table = tmp_path / "9b5ad71b2ce5302211f9c61530b329a4922fc6a4"
    table.write_bytes(b"table")
    digest = hashlib.sha256(b"table").hexdigest()
    monkeypatch.setattr(tokens, "_TABLES", {"cl100k_base": (table.name, digest)})
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))

    class Encoding:
        def encode_ordinary(self, text: str) -> list[str]:
            return text.split()

    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: Encoding())
    counter = exact_counter()
    assert counter is not None
    assert counter("three short words") == 3


def test_money() -> None:
    prices = Prices(prompt=2.0, cached=1.0, completion=8.0)
    usage = Usage(1_000_000, 500_000, cached_tokens=400_000)
    assert cost(usage, prices) == pytest.approx(0.6 * 2 + 0.4 * 1 + 0.5 * 8)
    assert cost(usage, prices, batch=True) == pytest.approx(cost(usage, prices) / 2)
    assert cost(usage, Prices(prompt=2, completion=8)) == pytest.approx(2 + 4)
    assert cost(usage, None) == 0
