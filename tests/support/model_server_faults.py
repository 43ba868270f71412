"""Which fault the test server meets a request with: by rate, by marker, by script."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """One way to go wrong. The value is its name in rates, markers and on the command line."""

    ERROR_408 = "408"
    RATE_LIMIT = "429"
    ERROR_500 = "500"
    ERROR_503 = "503"
    HANG = "hang"
    """Nothing is ever answered."""
    DRIP = "drip"
    """Headers at once, then one byte of the body now and then."""
    DROP = "drop"
    """The connection closes in the middle of the body."""
    RESET = "reset"
    """The connection closes before any answer."""
    REDIRECT = "redirect"
    """307 to another host."""
    BAD_BODY = "bad_body"
    """200 with a body that is not JSON."""
    HTML = "html"
    """200 with a sign-in page, as captive portals and proxies send it."""
    NO_CHOICES = "no_choices"
    """200 with JSON that is not a chat completion."""
    CONTENT_FILTER = "content_filter"
    """400: the prompt was blocked."""
    CONTENT_CUT = "content_cut"
    """200: the filter cut the output."""
    REFUSAL = "refusal"
    """200: the model declined."""
    LENGTH = "length"
    """200: the output was cut at the token limit."""
    BAD_ANSWER = "bad_answer"
    """200: a complete answer whose text is broken JSON."""
    STREAM_END = "stream_end"
    """A streamed answer ends in the middle as if it were complete."""
    STREAM_ERROR = "stream_error"
    """A streamed answer breaks off with an error event."""
    STREAM_JUNK = "stream_junk"
    """An event of a streamed answer is no JSON."""


STICKY = frozenset(
    {Fault.CONTENT_FILTER, Fault.CONTENT_CUT, Fault.REFUSAL, Fault.LENGTH, Fault.BAD_ANSWER}
)
"""Faults that belong to the prompt: it meets them again however often it is sent."""

_MARKER = re.compile(rb"\[\[fault:([a-z0-9_]+)(?:\*(\d+))?\]\]")


@dataclass(slots=True)
class FaultPlan:
    """Chooses faults. The same seed, prompt and attempt always meet the same fault.

    A prompt may carry ``[[fault:NAME]]`` (always) or ``[[fault:NAME*N]]`` (the first N attempts).

    Attributes:
        rates: share of prompts (sticky faults) or of attempts (all others).
        seed: of the rates.
        script: faults of the next requests in order of arrival, None for none; beats the rates.
    """

    rates: Mapping[Fault, float] = field(default_factory=dict)
    seed: int = 0
    script: deque[Fault | None] = field(default_factory=deque)

    @classmethod
    def of(cls, seed: int = 0, **rates: float) -> FaultPlan:
        """Rates by name, a leading underscore dropped: ``FaultPlan.of(_500=0.05, hang=0.01)``."""
        return cls({Fault(name.lstrip("_")): rate for name, rate in rates.items()}, seed)

    @classmethod
    def parse(cls, text: str, seed: int = 0) -> FaultPlan:
        """Rates as the command line takes them: ``500=0.05,429=0.05,hang=0.002``."""
        pairs = (part.split("=", 1) for part in text.split(",") if part)
        return cls({Fault(name.strip()): float(rate) for name, rate in pairs}, seed)

    def next_are(self, faults: Iterable[Fault | None]) -> None:
        """Append to the script."""
        self.script.extend(faults)

    def choose(self, prompt: str, attempt: int, body: bytes) -> Fault | None:
        """The fault of attempt number ``attempt`` (from 1) of the prompt with hash ``prompt``."""
        if self.script:
            return self.script.popleft()
        if b"[[fault:" in body and (match := _MARKER.search(body)):
            limit = int(match[2]) if match[2] else attempt
            return Fault(match[1].decode()) if attempt <= limit else None
        if not self.rates:
            return None
        return self._draw(f"{self.seed}|{prompt}", sticky=True) or self._draw(
            f"{self.seed}|{prompt}|{attempt}", sticky=False
        )

    def _draw(self, key: str, *, sticky: bool) -> Fault | None:
        digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
        left = int.from_bytes(digest, "big") / 2**64
        for fault, rate in self.rates.items():
            if (fault in STICKY) is sticky:
                left -= rate
                if left < 0:
                    return fault
        return None
