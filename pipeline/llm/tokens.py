"""How many tokens a request will take, before it is sent and without a network.

An estimate from the bytes of the text, corrected by the usage that comes back: services admit by a
character count of their own, so exact counting buys little there. Where the tables of tiktoken are
on this machine, ``plan`` counts exactly.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from pipeline.llm.images import image_tokens
from pipeline.llm.types import Request

BYTES_PER_TOKEN = 3.6
"""1st percentile over 3,800 radiology reports (cl100k and o200k; mean 4.4): a safe upper estimate.

UTF-8 bytes, so that Chinese (three bytes a character, about one token) is not underestimated.
"""
MESSAGE_TOKENS = 4
"""Overhead of one message in the chat format."""
DEFAULT_OUTPUT = 1_000
"""Output assumed where a request sets no maximum; services assume a large one too: do set it."""

_TABLES = {
    "o200k_base": (
        "fb374d419588a4632f3f557e76b4b70aebbca790",
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
    ),
    "cl100k_base": (
        "9b5ad71b2ce5302211f9c61530b329a4922fc6a4",
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    ),
}
"""Encoding -> name of its file in tiktoken's cache and SHA-256 of the content."""


def prompt_size(request: Request) -> tuple[int, int]:
    """Bytes of text in the messages of ``request``, and tokens of their images."""
    size = images = 0
    for message in request.messages:
        if isinstance(message.content, str):
            size += _bytes(message.content)
            continue
        for part in message.content:
            text = part.get("text")
            if isinstance(text, str):
                size += _bytes(text)
            else:
                images += image_tokens(part, request.model)
    return size, images


def max_output(request: Request) -> int:
    """The most tokens the answer may have."""
    for name in ("max_completion_tokens", "max_tokens"):
        value = request.params.get(name)
        if isinstance(value, int) and value > 0:
            return value
    return DEFAULT_OUTPUT


class TokenEstimate:
    """Prompt tokens from bytes, calibrated by what the service reported."""

    def __init__(self, bytes_per_token: float = BYTES_PER_TOKEN) -> None:
        self.bytes_per_token = bytes_per_token

    def prompt(self, size: int, images: int = 0) -> int:
        """Estimated tokens of ``size`` bytes of text, and of images with so many tokens."""
        return int(size / self.bytes_per_token) + 1 + images

    def learn(self, size: int, prompt_tokens: int, weight: float = 0.05) -> None:
        """Move the estimate towards one observation (text only, long enough to say something)."""
        if prompt_tokens < 10 or size < 10:
            return
        seen = min(max(size / prompt_tokens, 1.0), 8.0)
        self.bytes_per_token += weight * (seen - self.bytes_per_token)


def exact_counter() -> Callable[[str], int] | None:
    """The counter of tiktoken if its tables are on this machine, else None; never downloads.

    tiktoken fetches a missing or damaged table by itself, so both are checked before it is asked.
    """
    folder = Path(
        os.environ.get("TIKTOKEN_CACHE_DIR")
        or os.environ.get("DATA_GYM_CACHE_DIR")
        or Path(tempfile.gettempdir()) / "data-gym-cache"
    )
    for encoding, (name, digest) in _TABLES.items():
        path = folder / name
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == digest:
            import tiktoken  # slow to import; needed here only

            encode = tiktoken.get_encoding(encoding).encode_ordinary
            return lambda text: len(encode(text))
    return None


def count_exactly(request: Request, counter: Callable[[str], int]) -> int:
    """Prompt tokens of ``request`` by ``counter``."""
    tokens = 0
    for message in request.messages:
        tokens += MESSAGE_TOKENS
        if isinstance(message.content, str):
            tokens += counter(message.content)
            continue
        for part in message.content:
            text = part.get("text")
            tokens += counter(text) if isinstance(text, str) else image_tokens(part, request.model)
    return tokens


def _bytes(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
