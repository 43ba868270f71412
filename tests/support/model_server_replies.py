"""The bodies and headers the test server sends, in the shapes of Azure OpenAI and OpenAI."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

_SAFE = {
    name: {"filtered": False, "severity": "safe"}
    for name in ("hate", "self_harm", "sexual", "violence")
}
_BLOCKED = {**_SAFE, "violence": {"filtered": True, "severity": "medium"}}
_AZURE_429 = (
    "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-10-21"
    " have exceeded {kind} rate limit of your current OpenAI S0 pricing tier. Please retry after"
    " {seconds} seconds. Please go here: https://aka.ms/oai/quotaincrease if you would like to"
    " further increase the default rate limit."
)
HTML_PAGE = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Proxy</body></html>"


@dataclass(frozen=True, slots=True)
class Answered:
    """What a model answered: the text, how it ended, and the tokens it is billed with."""

    text: str | None
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    refusal: str | None = None


def json_response(
    value: Any, status: int = 200, headers: Iterable[tuple[str, str]] = ()
) -> web.Response:
    """A JSON response."""
    response = web.Response(body=orjson.dumps(value), status=status)
    response.headers["Content-Type"] = "application/json"
    for name, text in headers:
        response.headers[name] = text
    return response


def completion(number: int, model: str, answered: Answered, *, azure: bool) -> dict[str, Any]:
    """A chat completion; Azure adds the verdicts of its filter."""
    choice: dict[str, Any] = {
        "index": 0,
        "message": {
            "role": "assistant",
            "content": answered.text,
            "refusal": answered.refusal,
        },
        "logprobs": None,
        "finish_reason": answered.finish_reason,
    }
    body: dict[str, Any] = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "created": 1_795_000_000,
        "model": model,
        "system_fingerprint": "fp_test",
        "choices": [choice],
        "usage": {
            "prompt_tokens": answered.prompt_tokens,
            "completion_tokens": answered.completion_tokens,
            "total_tokens": answered.prompt_tokens + answered.completion_tokens,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }
    if azure:
        cut = answered.finish_reason == "content_filter"
        choice["content_filter_results"] = _BLOCKED if cut else _SAFE
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    return body


def error_body(code: str | None, message: str, **extra: Any) -> dict[str, Any]:
    """``{"error": {...}}`` as both services write it."""
    return {"error": {"code": code, "message": message, **extra}}


def unauthorized(*, azure: bool) -> web.Response:
    """401: a key or token that is not accepted."""
    if azure:
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to"
            " provide a valid key for an active subscription and use a correct regional API"
            " endpoint for your resource."
        )
        return json_response(error_body("401", message), 401)
    message = "Incorrect API key provided."
    body = error_body("invalid_api_key", message, type="invalid_request_error", param=None)
    return json_response(body, 401)


def unknown_deployment(*, azure: bool) -> web.Response:
    """404: no such deployment or model."""
    if azure:
        message = (
            "The API deployment for this resource does not exist. If you created the deployment"
            " within the last 5 minutes, please wait a moment and try again."
        )
        return json_response(error_body("DeploymentNotFound", message), 404)
    message = "The model does not exist or you do not have access to it."
    body = error_body("model_not_found", message, type="invalid_request_error", param=None)
    return json_response(body, 404)


def not_found() -> web.Response:
    """404: no such address, among them a dated address without ``api-version``."""
    return json_response(error_body("404", "Resource not found"), 404)


def bad_request(code: str | None, message: str, param: str | None = None) -> web.Response:
    """400 that no repetition can cure."""
    body = error_body(code, message, type="invalid_request_error", param=param)
    return json_response(body, 400)


def rate_limited(
    kind: str, wait_s: float, headers: Iterable[tuple[str, str]], *, azure: bool
) -> web.Response:
    """429 with Azure's body, or OpenAI's, and both ``retry-after`` headers."""
    seconds = max(1, math.ceil(wait_s))
    if azure:
        body = error_body("429", _AZURE_429.format(kind=kind, seconds=seconds))
    else:
        message = f"Rate limit reached. Please try again in {wait_s:.3f}s."
        body = error_body("rate_limit_exceeded", message, type="tokens", param=None)
    response = json_response(body, 429, headers)
    response.headers["retry-after"] = str(seconds)
    response.headers["retry-after-ms"] = str(math.ceil(wait_s * 1000))
    return response


def blocked_prompt_error() -> dict[str, Any]:
    """The error of a prompt that the filter blocked."""
    return error_body(
        "content_filter",
        "The response was filtered due to the prompt triggering Azure OpenAI's content management"
        " policy. Please modify your prompt and retry.",
        type=None,
        param="prompt",
        status=400,
        innererror={
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {
                **_BLOCKED,
                "jailbreak": {"filtered": False, "detected": False},
            },
        },
    )


def server_error(status: int) -> web.Response:
    """408, 500 or 503."""
    messages: Mapping[int, tuple[str, str]] = {
        408: ("Timeout", "The operation was timeout."),
        500: ("InternalServerError", "The server had an error while processing your request."),
        503: ("ServiceUnavailable", "The engine is currently overloaded, please try again later."),
    }
    code, message = messages[status]
    return json_response(error_body(code, message, type="server_error"), status)
