"""Talking to a backend: a conversation, and asking its next question.

Gate, budget, limiter and retry are the engine's (:meth:`pipeline.llm.engine.Engine.converse`);
nothing is journaled. Used by ``chat`` in the terminal and in the web page.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.llm.backends.base import Listen
from pipeline.llm.open import Answering
from pipeline.llm.talk_config import ChatConfig
from pipeline.llm.tokens import MESSAGE_TOKENS, TokenEstimate, max_output, prompt_size
from pipeline.llm.types import Message, Outcome, Reply, Request

TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})
"""Codes of a request that does not fit into the model."""

Images = Sequence[Mapping[str, Any]]
"""Image parts of a message, as :mod:`pipeline.llm.images` makes them."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A question as it was typed, its images, and what was answered, perhaps not to the end."""

    question: str = field(repr=False)
    answer: str = field(repr=False)
    images: tuple[Mapping[str, Any], ...] = ()


@dataclass(slots=True)
class Conversation:
    """What was said, and what of it is sent along with the next question.

    Attributes:
        config: system prompt, prefix and suffix, history on or off, parameters.
        turns: what was said, oldest first.
        forgotten: so many of the oldest turns are no longer sent: they do not fit the model.
    """

    config: ChatConfig = field(default_factory=ChatConfig)
    turns: list[Turn] = field(default_factory=list)
    forgotten: int = 0

    def clear(self) -> None:
        """Begin anew, with the same system prompt."""
        self.turns.clear()
        self.forgotten = 0

    @property
    def sent(self) -> list[Turn]:
        """The turns that are sent along."""
        return self.turns[self.forgotten :] if self.config.history else []

    def messages(self, question: str, images: Images = ()) -> tuple[Message, ...]:
        """The messages that ask ``question``."""
        said = [Message("system", self.config.system)] if self.config.system else []
        for turn in self.sent:
            said.append(self._user(turn.question, turn.images))
            said.append(Message("assistant", turn.answer))
        return (*said, self._user(question, images))

    def as_json(self) -> list[dict[str, Any]]:
        """The conversation as chat messages; images by their path."""
        said = [{"role": "system", "content": self.config.system}] if self.config.system else []
        for turn in self.turns:
            question: dict[str, Any] = {"role": "user", "content": turn.question}
            if turn.images:
                question["images"] = [str(image.get("path", "")) for image in turn.images]
            said += [question, {"role": "assistant", "content": turn.answer}]
        return said

    def _user(self, question: str, images: Images) -> Message:
        text = self.config.dress(question)
        if not images:
            return Message("user", text)
        return Message("user", (*images, {"type": "text", "text": text}))


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a question.

    Attributes:
        reply: how it ended, with the whole text.
        forgotten: how many more of the oldest turns were left out, so that it fitted.
        seconds: from asking to the end.
    """

    reply: Reply
    forgotten: int
    seconds: float


class Talk:
    """A conversation with one backend."""

    def __init__(self, engine: Answering, conversation: Conversation) -> None:
        self.conversation = conversation
        self._engine = engine
        self._estimate = TokenEstimate()
        self._last: tuple[str, tuple[Mapping[str, Any], ...]] | None = None

    async def ask(self, question: str, images: Images = (), *, listen: Listen) -> Answered:
        """Ask and hand the pieces of the answer to ``listen``.

        What was answered, whole or broken off, becomes a turn; a refused or filtered answer does
        not. Where the history does not fit the model's context, as far as that is known or the
        service says so, the oldest turns are left out.

        Raises:
            DataError: the question cannot be sent.
            PipelineError: the backend cannot answer; the conversation can go on.
        """
        said = self.conversation
        self._last = (question, tuple(images))
        loop = asyncio.get_running_loop()
        began, before = loop.time(), said.forgotten
        heard: list[str] = []

        def hear(piece: str) -> None:
            heard.append(piece)
            listen(piece)

        self._forget_what_cannot_fit(question, images)
        try:
            while True:
                request = self._request(question, images)
                reply = await self._engine.converse(request, hear)
                if reply.detail not in TOO_LONG or heard or not said.sent:
                    break
                said.forgotten += (len(said.sent) + 1) // 2
        except asyncio.CancelledError:
            self._keep(question, images, "".join(heard))
            raise
        size, pictures = prompt_size(request)
        if not pictures:
            self._estimate.learn(size, reply.usage.prompt_tokens, weight=0.5)
        if reply.outcome in (Outcome.OK, Outcome.LENGTH, Outcome.FAILED):
            self._keep(question, images, reply.text)
        return Answered(reply, said.forgotten - before, loop.time() - began)

    async def again(self, *, listen: Listen) -> Answered | None:
        """Ask the last question once more, in place of its answer; None where there is none."""
        if self._last is None:
            return None
        question, images = self._last
        turns = self.conversation.turns
        if turns and (turns[-1].question, turns[-1].images) == self._last:
            turns.pop()
        return await self.ask(question, images, listen=listen)

    def clear(self) -> None:
        """Begin the conversation anew."""
        self.conversation.clear()
        self._last = None

    def _keep(self, question: str, images: Images, answer: str) -> None:
        if answer.strip():
            self.conversation.turns.append(Turn(question, answer, tuple(images)))

    def _request(self, question: str, images: Images) -> Request:
        said = self.conversation
        return Request(
            "chat",
            said.messages(question, images),
            params=said.config.params(),
            payload={
                "text": question,
                "earlier": [turn.question for turn in said.sent],
                "images": len(images),
            },
        )

    def _forget_what_cannot_fit(self, question: str, images: Images) -> None:
        said, limit = self.conversation, self.conversation.config.context
        while limit is not None and said.sent:
            request = self._request(question, images)
            size, pictures = prompt_size(request)
            prompt = self._estimate.prompt(size, pictures)
            prompt += MESSAGE_TOKENS * len(request.messages)
            if prompt + min(max_output(request), limit // 2) <= limit:
                return
            said.forgotten += 1
