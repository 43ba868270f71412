"""Canonical bytes and hashes: the identity of requests, stages, files and random choices."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import orjson

_BLOCK = 1 << 20


def canonical_json(value: Any) -> bytes:
    """Bytes that are equal exactly when the JSON values are: keys sorted, no white space, UTF-8.

    Raises:
        TypeError: the value is not JSON (orjson's ``JSONEncodeError`` is one).
    """
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def sha256_hex(data: bytes) -> str:
    """Hexadecimal SHA-256 of ``data``."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(value: Any) -> str:
    """Hexadecimal SHA-256 of the canonical JSON of ``value``."""
    return sha256_hex(canonical_json(value))


def sha256_file(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stable_seed(*parts: str | int) -> int:
    """A 64-bit seed that depends on ``parts`` only, on every machine and Python version."""
    key = "\x1f".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
