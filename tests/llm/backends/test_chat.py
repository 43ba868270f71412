"""The dialect: what is put into a body, and what an answer means."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ConfigError
from pipeline.llm.backends.base import Attempt, Fault, FaultKind
from pipeline.llm.backends.chat import build_body, read_answer, read_completion
from pipeline.llm.config import DeploymentConfig
from pipeline.llm.types import Message, Outcome, Reply, Request

SCHEMA = {"type": "object"}
REQUEST = Request(
    "key info!",
    (Message("user", "q"),),
    "logical",
    {"temperature": 0, "max_tokens": 9, "seed": 1, "reasoning_effort": "low", "top_p": None},
    SCHEMA,
)


def deployment(**fields: Any) -> DeploymentConfig:
    base = {"kind": "openai", "url": "http://localhost:1", "deployment": "served"}
    return DeploymentConfig.model_validate({**base, **fields})


def test_an_ordinary_deployment() -> None:
    assert build_body(REQUEST, deployment()) == {
        "model": "served",
        "messages": [{"role": "user", "content": "q"}],
        "temperature": 0,
        "max_tokens": 9,
        "seed": 1,
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "key_info_", "strict": True, "schema": SCHEMA},
        },
    }


def test_a_reasoning_deployment() -> None:
    body = build_body(
        REQUEST,
        deployment(
            token_param="max_completion_tokens",
            temperature=False,
            reasoning_effort=True,
            seed=False,
            structured="none",
        ),
    )
    assert body == {
        "model": "served",
        "messages": [{"role": "user", "content": "q"}],
        "max_completion_tokens": 9,
        "reasoning_effort": "low",
    }


@pytest.mark.parametrize(
    ("structured", "expected"),
    [
        ("json_object", {"type": "json_object"}),
        ("json_object_schema", {"type": "json_object", "schema": SCHEMA}),
        ("none", None),
    ],
)
def test_structured_output_dialects(structured: str, expected: Any) -> None:
    assert build_body(REQUEST, deployment(structured=structured)).get("response_format") == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"kind": "azure", "url": "https://r.openai.azure.com"}, False),
        ({"kind": "azure", "url": "https://r.openai.azure.com", "api_version": "1"}, None),
        ({"url": "https://api.openai.com/v1"}, False),
        ({"url": "http://localhost:1"}, None),
    ],
)
def test_nothing_is_stored_where_it_could_be(fields: dict[str, Any], expected: Any) -> None:
    assert build_body(REQUEST, deployment(**fields)).get("store") is expected


def test_what_the_engine_decides_cannot_be_set() -> None:
    with pytest.raises(ConfigError, match="stream"):
        build_body(Request("t", params={"stream": True}), deployment())


def completion(finish: Any = "stop", **message: Any) -> dict[str, Any]:
    choice = {"finish_reason": finish, "message": {"role": "assistant", **message}}
    return {"model": "m-1", "choices": [choice], "usage": {"prompt_tokens": 7}}


def reply_of(value: Any) -> Reply:
    reply = read_completion(value)
    assert reply is not None
    return reply


@pytest.mark.parametrize(
    ("value", "outcome", "text", "detail"),
    [
        (completion(content="yes"), Outcome.OK, "yes", ""),
        (completion(None, content="yes"), Outcome.OK, "yes", ""),
        (completion("length", content="ye"), Outcome.LENGTH, "ye", ""),
        (completion("length", content=None), Outcome.LENGTH, "", ""),
        (completion("content_filter", content="y"), Outcome.CONTENT_FILTER, "y", ""),
        (completion(content=None, refusal="no"), Outcome.REFUSAL, "no", ""),
        (completion("length", content="", refusal="no"), Outcome.REFUSAL, "no", ""),
        (completion(content=None), Outcome.MALFORMED, "", "empty"),
        (completion(content=" \n"), Outcome.MALFORMED, " \n", "empty"),
        (completion(content=["x"]), Outcome.MALFORMED, "", "empty"),
        (completion("tool_calls", content="x"), Outcome.MALFORMED, "x", "tool_calls"),
        (completion("a note about x", content="x"), Outcome.MALFORMED, "x", "finish_reason"),
    ],
)
def test_what_an_answer_means(value: Any, outcome: Outcome, text: str, detail: str) -> None:
    reply = reply_of(value)
    assert (reply.outcome, reply.text, reply.detail) == (outcome, text, detail)
    assert reply.usage.prompt_tokens == 7


def test_the_filter_that_cut_an_answer_is_named() -> None:
    value = completion("content_filter", content="x")
    value["choices"][0]["content_filter_results"] = {
        "violence": {"filtered": True, "severity": "medium"},
        "hate": {"filtered": False},
        "odd name with text": {"filtered": True},
        "error": "x",
    }
    assert reply_of(value).detail == "other,violence"


def test_usage_with_its_details() -> None:
    value = completion(content="x")
    value["usage"] = {
        "prompt_tokens": 9,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 3},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    usage = reply_of(value).usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (9, 4)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (3, 2)
    value["usage"] = {"prompt_tokens": "nine", "prompt_tokens_details": None}
    assert reply_of(value).usage.prompt_tokens == 0


def fault_of(status: int, body: Any = b"", headers: dict[str, str] | None = None) -> Fault:
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    attempt = read_answer(status, headers or {}, data)
    assert attempt.reply is None
    assert attempt.fault is not None
    return attempt.fault


def error(code: Any, **fields: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": "SENTINEL", **fields}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "suspect"),
    [
        (401, error("401"), FaultKind.FATAL, "http_401", False),
        (403, b"", FaultKind.FATAL, "http_403", False),
        (404, error("DeploymentNotFound"), FaultKind.FATAL, "DeploymentNotFound", False),
        (400, error("unsupported_parameter"), FaultKind.FATAL, "unsupported_parameter", False),
        (429, error("insufficient_quota"), FaultKind.FATAL, "insufficient_quota", False),
        (429, error("429"), FaultKind.RATE_LIMIT, "http_429", False),
        (408, b"", FaultKind.TRANSIENT, "http_408", False),
        (500, b"<html>", FaultKind.TRANSIENT, "http_500", False),
        (503, [1], FaultKind.TRANSIENT, "http_503", False),
        (307, b"", FaultKind.TRANSIENT, "redirect", True),
        (400, error(None), FaultKind.REJECTED, "http_400", True),
        (
            400,
            error("context_length_exceeded"),
            FaultKind.REJECTED,
            "context_length_exceeded",
            False,
        ),
        (413, b"", FaultKind.REJECTED, "http_413", True),
        (200, b"<!doctype html>", FaultKind.TRANSIENT, "html", True),
        (200, b'{"id": "cha', FaultKind.TRANSIENT, "unreadable_body", True),
        (200, b"", FaultKind.TRANSIENT, "unreadable_body", True),
        (200, {"choices": []}, FaultKind.TRANSIENT, "no_choices", True),
        (200, {"choices": [{"message": None}]}, FaultKind.TRANSIENT, "no_choices", True),
        (500, error("the note said SENTINEL"), FaultKind.TRANSIENT, "http_500", False),
    ],
)
def test_what_a_fault_means(
    status: int, body: Any, kind: FaultKind, code: str, suspect: bool
) -> None:
    fault = fault_of(status, body)
    assert (fault.kind, fault.code, fault.suspect) == (kind, code, suspect)
    assert "SENTINEL" not in repr(fault)


@pytest.mark.parametrize("name", ["content_filter_result", "content_filter_results"])
def test_a_blocked_prompt_is_an_outcome(name: str) -> None:
    inner = {
        "code": "ResponsibleAIPolicyViolation",
        name: {"jailbreak": {"filtered": True, "detected": True}, "hate": {"filtered": False}},
    }
    body = orjson.dumps(error("content_filter", innererror=inner))
    reply = read_answer(400, {}, body).reply
    assert reply is not None
    assert (reply.outcome, reply.detail) == (Outcome.CONTENT_FILTER, "jailbreak")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": "-7"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        (
            {
                "retry-after": "Wed, 21 Oct 2026 07:28:30 GMT",
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
            },
            30.0,
        ),
    ],
)
def test_how_long_a_service_asks_to_wait(headers: dict[str, str], expected: float | None) -> None:
    assert fault_of(429, b"", headers).retry_after == expected


def test_limits_are_read_from_every_answer() -> None:
    headers = {"x-ratelimit-limit-requests": "600", "x-ratelimit-limit-tokens": "x"}
    limits = read_answer(200, headers, orjson.dumps(completion(content="x"))).headers
    assert limits is not None
    assert (limits.requests, limits.tokens) == (600, None)
    assert read_answer(500, {}, b"").headers is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.integers(200, 599),
    st.dictionaries(
        st.sampled_from(["choices", "error", "usage", "model"]),
        json_values
        | st.lists(st.dictionaries(st.sampled_from(["message", "finish_reason"]), json_values)),
    ).map(orjson.dumps)
    | st.binary(),
)
def test_no_answer_is_too_odd(status: int, body: bytes) -> None:
    attempt = read_answer(status, {}, body)
    assert isinstance(attempt, Attempt)
    assert (attempt.reply is None) != (attempt.fault is None)
