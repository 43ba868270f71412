"""A conversation: what is sent, what is kept, what is left out when it gets long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.llm.backends.base import Listen
from pipeline.llm.config import parse_backend
from pipeline.llm.open import open_engine
from pipeline.llm.talk import Conversation, Talk, Turn
from pipeline.llm.talk_config import ChatConfig
from pipeline.llm.types import Ask, Message, Outcome, Reply, Request


class Scripted:
    """An engine that answers by a function of the request."""

    def __init__(self, *replies: Any) -> None:
        self.replies = list(replies)
        self.seen: list[Request] = []

    async def converse(self, request: Request, listen: Listen) -> Reply:
        self.seen.append(request)
        reply = self.replies.pop(0) if self.replies else Reply(Outcome.OK, "fine")
        if isinstance(reply, asyncio.Event):
            listen("half")
            await reply.wait()
        assert isinstance(reply, Reply)
        if reply.text:
            listen(reply.text)
        return reply

    def for_stage(self, stage: str) -> Ask:
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        return {}

    def seal(self) -> None: ...

    async def close(self) -> None: ...


def ignore(_: str) -> None: ...


def roles(request: Request) -> str:
    return "".join(message.role[0] for message in request.messages)


async def test_history_grows_and_can_be_cleared() -> None:
    engine = Scripted()
    talk = Talk(engine, Conversation(ChatConfig(system="be brief")))
    for question in ("one", "two"):
        await talk.ask(question, listen=ignore)
    talk.clear()
    await talk.ask("three", listen=ignore)
    assert [roles(request) for request in engine.seen] == ["su", "suau", "su"]
    assert await talk.again(listen=ignore) is not None
    assert roles(engine.seen[-1]) == "su"


async def test_without_history_each_question_stands_alone() -> None:
    engine = Scripted()
    talk = Talk(engine, Conversation(ChatConfig(history=False)))
    await talk.ask("one", listen=ignore)
    await talk.ask("two", listen=ignore)
    assert [roles(request) for request in engine.seen] == ["u", "u"]
    assert len(talk.conversation.turns) == 2


async def test_prefix_and_suffix_are_put_once() -> None:
    config = ChatConfig(prefix="描述：", suffix="意见：")
    said = Conversation(config, turns=[Turn("a", "b")])
    contents = [message.content for message in said.messages("c")]
    assert contents == ["描述：a意见：", "b", "描述：c意见："]
    for dressed in ("描述：c", "c意见：", " 描述：c意见：\n"):
        assert config.dress(dressed) == dressed


async def test_what_is_refused_is_no_turn_and_what_breaks_off_is() -> None:
    engine = Scripted(
        Reply(Outcome.CONTENT_FILTER, "", "content_filter"),
        Reply(Outcome.REFUSAL, "no"),
        Reply(Outcome.FAILED, "half", detail="stream_cut"),
        Reply(Outcome.FAILED, "", detail="http_500"),
    )
    talk = Talk(engine, Conversation())
    for _ in range(4):
        await talk.ask("q", listen=ignore)
    assert [turn.answer for turn in talk.conversation.turns] == ["half"]


async def test_an_answer_that_is_stopped_is_kept_as_far_as_it_came() -> None:
    talk = Talk(Scripted(asyncio.Event()), Conversation())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await talk.ask("q", listen=ignore)
    assert [turn.answer for turn in talk.conversation.turns] == ["half"]


async def test_the_oldest_turns_are_left_out_where_the_context_is_known() -> None:
    engine = Scripted()
    talk = Talk(engine, Conversation(ChatConfig(context=400, max_tokens=50, system="s")))
    gone = 0
    for number in range(8):
        gone += (await talk.ask(f"{number} " + "word " * 60, listen=ignore)).forgotten
    assert gone > 0
    last = engine.seen[-1].messages
    assert last[0].role == "system"
    assert str(last[-1].content).startswith("7 ")
    assert sum(len(str(message.content)) for message in last) < 400 * 4
    assert len(talk.conversation.turns) == 8


async def test_and_where_the_service_says_that_it_is_too_long() -> None:
    too_long = Reply(Outcome.FAILED, detail="context_length_exceeded")
    engine = Scripted(*(Reply(Outcome.OK, "a") for _ in range(4)), too_long, too_long)
    talk = Talk(engine, Conversation())
    for _ in range(4):
        await talk.ask("q", listen=ignore)
    answered = await talk.ask("last", listen=ignore)
    assert answered.reply.outcome is Outcome.OK
    assert answered.forgotten == 3
    assert [len(request.messages) for request in engine.seen[-3:]] == [9, 5, 3]
    alone = Scripted(too_long)
    answered = await Talk(alone, Conversation()).ask("very long", listen=ignore)
    assert answered.reply.detail == "context_length_exceeded"


async def test_images_stay_with_their_turn() -> None:
    part = {"type": "image", "path": "f.png", "width": 10, "height": 10}
    engine = Scripted()
    talk = Talk(engine, Conversation())
    await talk.ask("what?", [part], listen=ignore)
    await talk.ask("and?", listen=ignore)
    first, _, last = engine.seen[-1].messages
    assert first == Message("user", (part, {"type": "text", "text": "what?"}))
    assert last.content == "and?"
    assert talk.conversation.as_json()[0]["images"] == ["f.png"]


@asynccontextmanager
async def rules() -> AsyncIterator[Talk]:
    backend = parse_backend({"kind": "rules"})
    async with open_engine(backend, Path("/nonexistent"), lambda _: None) as engine:
        yield Talk(engine, Conversation())


async def test_rules_answer_about_the_report_that_was_pasted() -> None:
    async with rules() as talk:
        await talk.ask(
            "There is a small left pleural effusion. Heart size is normal.", listen=ignore
        )
        answered = await talk.ask("Where is the effusion?", listen=ignore)
        assert "small left pleural effusion" in answered.reply.text
