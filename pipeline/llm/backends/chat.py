"""The chat completions dialect as pure functions: request to body, answer to outcome or fault.

Shared by the HTTP backends and by batch jobs. What was answered counts before how it reads: finish
reason and refusal are looked at first, so that a filtered or cut answer never passes as complete.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from pipeline.core.errors import ConfigError
from pipeline.llm.backends.base import Attempt, Fault, FaultKind, RateHeaders
from pipeline.llm.config import RESERVED_PARAMS, DeploymentConfig
from pipeline.llm.images import wire_messages
from pipeline.llm.types import Outcome, Reply, Request, Usage

SAMPLING = frozenset(
    {"temperature", "top_p", "presence_penalty", "frequency_penalty", "logprobs", "top_logprobs"}
)
"""What reasoning models answer with 400."""

_TOKEN_PARAMS = frozenset({"max_tokens", "max_completion_tokens"})
_FINISHED = frozenset({"stop", "eos", "end_turn", "stop_sequence", ""})
_CONFIG_CODES = frozenset(
    {
        "unsupported_parameter",
        "unsupported_value",
        "unknown_parameter",
        "invalid_api_version",
        "model_not_found",
        "DeploymentNotFound",
        "OperationNotSupported",
        "insufficient_quota",
        "billing_hard_limit_reached",
    }
)
"""Error codes that say every request of this configuration will fail."""

_TOO_LONG = frozenset({"context_length_exceeded", "string_above_max_length"})
_TOO_LONG_WORDS = ("maximum context length", "context size", "context window")
"""In messages of servers that have no code for it: vLLM; llama.cpp (``exceed_context_size_error``).
"""
_HINTS = {
    400: "the deployment does not take one of the parameters; see token_param, temperature, seed",
    401: "the key or token is not accepted; check key_env, auth and scope",
    403: "access is refused: network rules, role, or a blocked resource",
    404: "no such deployment or address; check url, deployment and api_version",
    405: "the address does not take chat requests; check url",
}
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


def build_body(request: Request, deployment: DeploymentConfig) -> dict[str, Any]:
    """The body of ``request`` in the dialect of ``deployment``; reads the files of its images.

    Raises:
        ConfigError: a parameter that is the engine's to set.
        DataError: an image cannot be sent.
    """
    body: dict[str, Any] = {
        "model": deployment.deployment,
        "messages": wire_messages(request.messages),
    }
    for name, value in request.params.items():
        if name in RESERVED_PARAMS:
            raise ConfigError(f"params.{name} cannot be set: the engine decides it")
        if name in _TOKEN_PARAMS:
            name = deployment.token_param
        elif (
            (name in SAMPLING and not deployment.temperature)
            or (name == "reasoning_effort" and not deployment.reasoning_effort)
            or (name == "seed" and not deployment.seed)
        ):
            continue
        if value is not None:
            body[name] = value
    if request.schema is not None:
        response_format = _response_format(request, deployment)
        if response_format is not None:
            body["response_format"] = response_format
    if deployment.host == "api.openai.com" or (
        deployment.kind == "azure" and deployment.api_version is None
    ):
        body["store"] = False  # others keep nothing by default, and some refuse the word
    return body


def _response_format(request: Request, deployment: DeploymentConfig) -> dict[str, Any] | None:
    match deployment.structured:
        case "json_schema":
            name = re.sub(r"[^A-Za-z0-9_-]", "_", request.task)[:64] or "answer"
            schema = {"name": name, "strict": True, "schema": request.schema}
            return {"type": "json_schema", "json_schema": schema}
        case "json_object":
            return {"type": "json_object"}
        case "json_object_schema":
            return {"type": "json_object", "schema": request.schema}
        case "none":
            return None


def read_answer(status: int, headers: Mapping[str, str], body: bytes) -> Attempt:
    """Classify one HTTP answer."""
    limits = read_limits(headers)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if status != 200:
        return read_error(status, headers, value, limits)
    if isinstance(value, dict) and (reply := read_completion(value)) is not None:
        return Attempt(reply, None, limits)
    code = "no_choices" if isinstance(value, dict) else "unreadable_body"
    hint = "the address does not answer with chat completions; check url"
    if body[:64].lstrip()[:1] == b"<":
        code, hint = "html", "the address answers with a web page; check url"
    return Attempt(None, Fault(FaultKind.TRANSIENT, code, suspect=True, hint=hint), limits)


def read_completion(value: Mapping[str, Any]) -> Reply | None:
    """The reply in a chat completion object, None if it is not one."""
    usage = _usage(value.get("usage"))
    model = value.get("model")
    model = model if isinstance(model, str) else ""

    def reply(outcome: Outcome, text: str, finish: str, detail: str = "") -> Reply:
        return Reply(outcome, text, finish, usage, model, detail)

    choices = value.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return None
    finish = choice.get("finish_reason")
    finish = finish if isinstance(finish, str) else ""
    content = message.get("content")
    text = content if isinstance(content, str) else ""
    refusal = message.get("refusal")
    if finish == "content_filter":
        detail = _categories(choice.get("content_filter_results"))
        return reply(Outcome.CONTENT_FILTER, text, finish, detail)
    if isinstance(refusal, str) and refusal:
        return reply(Outcome.REFUSAL, refusal, finish)
    if finish == "length":
        return reply(Outcome.LENGTH, text, finish)
    if finish not in _FINISHED:
        return reply(Outcome.MALFORMED, text, finish, _safe(finish, "finish_reason"))
    if not text.strip():
        return reply(Outcome.MALFORMED, text, finish, "empty")
    return reply(Outcome.OK, text, finish)


def read_error(
    status: int, headers: Mapping[str, str], value: Any, limits: RateHeaders | None
) -> Attempt:
    """Classify the JSON body ``value`` of an error with this status."""
    error = value.get("error", value) if isinstance(value, dict) else None
    error = error if isinstance(error, dict) else {}
    code = _safe(error.get("code"), f"http_{status}")
    if code not in _TOO_LONG and _says_too_long(error):
        code = "context_length_exceeded"
    inner = error.get("innererror")
    inner = inner if isinstance(inner, dict) else {}
    if code == "content_filter" or inner.get("code") == "ResponsibleAIPolicyViolation":
        results = inner.get("content_filter_result", inner.get("content_filter_results"))
        detail = _categories(results)
        return Attempt(
            Reply(Outcome.CONTENT_FILTER, "", "content_filter", detail=detail), None, limits
        )
    retry_after = _retry_after(headers)
    hint = _HINTS.get(status, "")
    suspect = False
    if 300 <= status < 400:
        kind, code, suspect = FaultKind.TRANSIENT, "redirect", True
        hint = "redirects are not followed; write the final address as url"
    elif status in (401, 402, 403, 404, 405) or code in _CONFIG_CODES:
        kind = FaultKind.FATAL
    elif status == 429:
        kind = FaultKind.RATE_LIMIT
    elif status >= 500 or status in (408, 409, 425):
        kind = FaultKind.TRANSIENT
    else:
        kind, suspect = FaultKind.REJECTED, code not in _TOO_LONG
    return Attempt(None, Fault(kind, code, retry_after, suspect, hint), limits)


def _says_too_long(error: Mapping[str, Any]) -> bool:
    message = error.get("message")
    return error.get("type") == "exceed_context_size_error" or (
        isinstance(message, str) and any(words in message for words in _TOO_LONG_WORDS)
    )


def _usage(value: Any) -> Usage:
    if not isinstance(value, dict):
        return Usage()
    prompt, completion = value.get("prompt_tokens_details"), value.get("completion_tokens_details")
    return Usage(
        prompt_tokens=_count(value, "prompt_tokens"),
        completion_tokens=_count(value, "completion_tokens"),
        cached_tokens=_count(prompt, "cached_tokens"),
        reasoning_tokens=_count(completion, "reasoning_tokens"),
    )


def _count(value: Any, name: str) -> int:
    number = value.get(name) if isinstance(value, dict) else None
    return number if isinstance(number, int) and number > 0 else 0


def _categories(results: Any) -> str:
    """Names of the filters that fired; category names are safe to log."""
    if not isinstance(results, dict):
        return ""
    fired = [
        _safe(name, "other")
        for name, result in results.items()
        if isinstance(result, dict) and result.get("filtered")
    ]
    return ",".join(sorted(fired))


def _safe(code: Any, otherwise: str) -> str:
    """``code`` if it is a short word, so that no server can put a note into a log."""
    return code if isinstance(code, str) and _SAFE.fullmatch(code) else otherwise


def read_limits(headers: Mapping[str, str]) -> RateHeaders | None:
    """Limits per minute that the headers name, None if they name none."""
    requests = _number(headers.get("x-ratelimit-limit-requests"))
    tokens = _number(headers.get("x-ratelimit-limit-tokens"))
    return RateHeaders(requests, tokens) if requests or tokens else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait; a date is taken relative to the server's own clock."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after")
    seconds = _number(value)
    if seconds is not None or value is None:
        return seconds
    try:
        until, now = parsedate_to_datetime(value), parsedate_to_datetime(headers.get("date", ""))
        return max(0.0, (until - now).total_seconds())
    except (ValueError, TypeError):
        return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text) if text is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
