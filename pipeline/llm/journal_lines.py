"""One line of the journal: a reply, what it cost and who paid; and the header of a segment."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import orjson

from pipeline.core.errors import ConfigError
from pipeline.llm.types import KEY_SCHEME, Outcome, Reply, Usage

VERSION = 1
"""Version of the lines; a folder of another version is left alone."""


@dataclass(slots=True)
class Spent:
    """What replies took and cost, added up."""

    replies: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    money: float = 0.0

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    @classmethod
    def sum(cls, parts: Iterable[Self]) -> Self:
        """All of ``parts`` together."""
        total = cls()
        for one in parts:
            total.replies += one.replies
            total.prompt_tokens += one.prompt_tokens
            total.completion_tokens += one.completion_tokens
            total.cached_tokens += one.cached_tokens
            total.money += one.money
        return total

    def as_json(self) -> dict[str, Any]:
        """For statistics and manifests."""
        return {
            "replies": self.replies,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "cached_tokens": self.cached_tokens,
            "money": round(self.money, 6),
        }

    def add(self, usage: Usage, money: float) -> None:
        """Count one reply."""
        self.replies += 1
        self.prompt_tokens += usage.prompt_tokens
        self.completion_tokens += usage.completion_tokens
        self.cached_tokens += usage.cached_tokens
        self.money += money


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a reply and what is told about it besides.

    Attributes:
        key: :meth:`Request.key` of the request.
        reply: as it came.
        run: the run that paid for it.
        stage: the stage that asked.
        deployment: where it came from.
        money: its cost by the prices of that run.
        size: bytes of text in the prompt, to calibrate token estimates.
    """

    key: str
    reply: Reply = field(repr=False)
    run: str = ""
    stage: str = ""
    deployment: str = ""
    money: float = 0.0
    size: int = 0


def header_line() -> bytes:
    """First line of a segment."""
    return orjson.dumps({"journal": VERSION, "key_scheme": KEY_SCHEME}) + b"\n"


def check_header(line: bytes, path: Path) -> None:
    """Check the first line of a segment.

    Raises:
        ConfigError: another version wrote it, or it is no journal.
    """
    try:
        header = orjson.loads(line)
        versions = header["journal"], header["key_scheme"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        versions = None, None
    if versions != (VERSION, KEY_SCHEME):
        raise ConfigError(
            f"{path} was written by another version (journal {versions[0]}, keys {versions[1]}; "
            f"here {VERSION}, {KEY_SCHEME}): use that version, or name another journal folder"
        )


def dump_entry(entry: Entry) -> bytes:
    """The line of ``entry``, written now."""
    reply, usage = entry.reply, entry.reply.usage
    return orjson.dumps(
        {
            "key": entry.key,
            "outcome": reply.outcome,
            "text": reply.text,
            "finish_reason": reply.finish_reason,
            "usage": [
                usage.prompt_tokens,
                usage.completion_tokens,
                usage.cached_tokens,
                usage.reasoning_tokens,
            ],
            "model": reply.model,
            "detail": reply.detail,
            "run": entry.run,
            "stage": entry.stage,
            "deployment": entry.deployment,
            "money": entry.money,
            "size": entry.size,
            "at": int(time.time()),
        },
        option=orjson.OPT_APPEND_NEWLINE,
    )


def parse_entry(line: bytes) -> Entry | None:
    """The entry of a line, None if it is damaged."""
    try:
        value: Any = orjson.loads(line)
        bytes.fromhex(value["key"])
        reply = Reply(
            Outcome(value["outcome"]),
            value["text"],
            value["finish_reason"],
            Usage(*value["usage"]),
            value["model"],
            value["detail"],
        )
        return Entry(
            value["key"],
            reply,
            value["run"],
            value["stage"],
            value["deployment"],
            value["money"],
            value["size"],
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def digest(line: bytes) -> bytes | None:
    """What makes a reply distinct: everything but the time it was written."""
    entry = parse_entry(line)
    if entry is None:
        return None
    return hashlib.blake2b(dump_entry(entry).rpartition(b',"at":')[0], digest_size=16).digest()
