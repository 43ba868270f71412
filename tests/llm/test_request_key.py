"""The identity of a request is pinned: a changed key would orphan every journal there is."""

from __future__ import annotations

from dataclasses import replace

from pipeline.llm.types import Message, Outcome, Reply, Request

REQUEST = Request(
    "keyinfo",
    (Message("system", "Answer in JSON."), Message("user", "Größe normal, 心影正常.")),
    "gpt-4o",
    {"temperature": 0, "max_tokens": 500},
    {"type": "object"},
    2,
    {"text": "payload"},
    "50000001",
)
PLAIN = Request("labels", (Message("user", "hello"),), "m")
IMAGE = Request(
    "caption", (Message("user", ({"type": "image_url", "image_url": {"url": "data:x"}},)),), "m"
)
PICTURE = Request(
    "caption",
    (
        Message("user", "earlier"),
        Message(
            "user",
            (
                {"type": "text", "text": "What is seen?"},
                {
                    "type": "image",
                    "path": "/data/files/p10/a.png",
                    "sha256": "ab" * 32,
                    "max_side": 1024,
                    "detail": "auto",
                    "encoding": "jpeg",
                    "width": 800,
                    "height": 1024,
                },
            ),
        ),
    ),
    "m",
)


def test_golden_keys() -> None:
    assert REQUEST.key() == "a49da8ce4ad4940e5e8d04af475988e53fe12b9f03bce5762161e693128c9ab9"
    assert PLAIN.key() == "7762b6cc60be4a0eee3636b56326fd85f21da9c2cd8af67447d1c97602acf83b"
    assert PICTURE.key() == "912276cd819ad4a6dd32ef075812234d3c34c849b3e5e0259a39b5baa6051b29"
    assert IMAGE.key() == "9c8ba74417cab0d8aa314c9c91a29799661b91ce831fae9a4b5088c9560d7b6c"


def test_the_key_holds_what_can_change_the_answer_and_nothing_else() -> None:
    same = [
        replace(REQUEST, task="other"),
        replace(REQUEST, payload={}),
        replace(REQUEST, record_id="x"),
        replace(REQUEST, params={"max_tokens": 500, "temperature": 0}),
    ]
    assert {one.key() for one in same} == {REQUEST.key()}
    different = [
        replace(REQUEST, messages=REQUEST.messages[:1]),
        replace(REQUEST, model="gpt-4.1"),
        replace(REQUEST, params={"temperature": 1, "max_tokens": 500}),
        replace(REQUEST, schema=None),
        replace(REQUEST, sample=3),
    ]
    assert len({one.key() for one in [REQUEST, *different]}) == 1 + len(different)


def test_no_repr_shows_text() -> None:
    shown = repr(REQUEST) + repr(Reply(Outcome.OK, "an answer")) + repr(IMAGE) + repr(PICTURE)
    for text in ("Answer in JSON", "normal", "payload", "an answer", "data:x", "p10"):
        assert text not in shown
