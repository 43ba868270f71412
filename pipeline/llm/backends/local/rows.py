"""One answer while it is made: its tokens, its text so far, and when it is finished."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.llm.backends.base import Attempt, Listen
from pipeline.llm.backends.local.prompt import Wishes
from pipeline.llm.types import Outcome, Reply, Request, Usage

_UNFINISHED = "\ufffd"
"""What a tokenizer gives for bytes that are not a whole character yet."""


class Text:
    """The text of an answer as it grows, cut where a stop string begins.

    Tokens are decoded with the few before them, since a tokenizer joins neighbours; a character of
    several tokens waits until it is whole, and what may be the beginning of a stop string waits
    until it is none.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], stops: Sequence[str], listen: Listen | None
    ) -> None:
        self._decode = decode
        self._stops = tuple(stops)
        self._listen = listen
        self._tokens: list[int] = []
        self._from = self._to = 0
        self._told = 0
        self.text = ""

    def push(self, token: int) -> bool:
        """Add a token; True where a stop string ended the answer."""
        self._tokens.append(token)
        known = self._decode(self._tokens[self._from : self._to])
        whole = self._decode(self._tokens[self._from :])
        if whole.endswith(_UNFINISHED) or len(whole) <= len(known):
            return False
        self._from, self._to = self._to, len(self._tokens)
        return self._grow(whole[len(known) :])

    def end(self) -> str:
        """The whole text; hands over what was held back."""
        rest = self._decode(self._tokens[self._from :])
        known = self._decode(self._tokens[self._from : self._to])
        self._from = self._to = len(self._tokens)
        if not self._grow(rest[len(known) :]):
            self._tell(len(self.text))
        return self.text

    def _grow(self, piece: str) -> bool:
        longest = max(map(len, self._stops), default=0)
        start = max(0, len(self.text) - longest + 1)
        self.text += piece
        found = [at for stop in self._stops if (at := self.text.find(stop, start)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self._tell(len(self.text))
            return True
        self._tell(len(self.text) - self._held())
        return False

    def _held(self) -> int:
        """Length of the end of the text with which a stop string begins."""
        held = 0
        for stop in self._stops:
            for length in range(min(len(stop) - 1, len(self.text)), held, -1):
                if self.text.endswith(stop[:length]):
                    held = length
                    break
        return held

    def _tell(self, until: int) -> None:
        if self._listen is not None and until > self._told:
            self._listen(self.text[self._told : until])
            self._told = until


@dataclass(slots=True, eq=False)
class Job:
    """A request on its way through the thread of the model.

    Attributes:
        request: what is asked.
        answer: takes the attempt, from the thread of the model.
        fail: takes the error of a request that nobody can answer.
        listen: takes the pieces of the text, from the same thread.
        cancelled: nobody waits for it any more; set from outside.
    """

    request: Request
    answer: Callable[[Attempt], None]
    fail: Callable[[Exception], None]
    listen: Listen | None = None
    cancelled: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """A request among those that are generated together.

    Attributes:
        prompt: tokens of the prompt.
        wishes: how the answer is to be made.
        eos: tokens that end it.
        decode: from tokens to text.
        matcher: holds the answer to a schema, None where it is free.
        growing: the text as it grows, where somebody listens or a stop string may come.
        job: whose answer it is.
        text: of the prompt, where images belong to it.
        images: their parts, read again when the row starts: pixels of all that wait are too many.
        out: tokens of the answer so far.
        finish: finish reason, empty while it goes on.
        began: when its first token was asked for, 0 before.
    """

    prompt: list[int]
    wishes: Wishes
    eos: frozenset[int]
    decode: Callable[[Sequence[int]], str]
    job: Job
    matcher: Any = None
    growing: Text | None = None
    text: str = ""
    images: tuple[Mapping[str, Any], ...] = ()
    out: list[int] = field(default_factory=list)
    finish: str = ""
    began: float = 0.0

    @property
    def tokens(self) -> list[int]:
        """What the model has to read to go on: prompt and answer so far."""
        return self.prompt + self.out if self.out else self.prompt

    @property
    def total(self) -> int:
        """Tokens it may come to hold."""
        return len(self.prompt) + self.wishes.most

    def push(self, token: int) -> bool:
        """Take the next token; True where the answer is finished."""
        self.out.append(token)
        if token in self.eos or self._stopped(token) or not self._follow(token):
            self.finish = "stop"
        elif len(self.out) >= self.wishes.most:
            self.finish = "length"
        return bool(self.finish)

    def _stopped(self, token: int) -> bool:
        """Tell the text of a token; True where a stop string came."""
        return self.growing is not None and self.growing.push(token)

    def _follow(self, token: int) -> bool:
        """Tell the schema of a token; False where nothing can follow it."""
        if self.matcher is None:
            return True
        self.matcher.consume_token(token)
        return not self.matcher.is_stopped()

    def reply(self, model: str) -> Reply:
        """The finished answer."""
        out = self.out[:-1] if self.out and self.out[-1] in self.eos else self.out
        text = self.growing.end() if self.growing is not None else self.decode(out)
        usage = Usage(len(self.prompt), len(self.out))
        if self.finish == "length":
            return Reply(Outcome.LENGTH, text, self.finish, usage, model)
        if not text.strip():
            return Reply(Outcome.MALFORMED, text, self.finish, usage, model, "empty")
        return Reply(Outcome.OK, text, self.finish, usage, model)
