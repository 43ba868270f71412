"""The test server itself: what it claims to be is what the engine's tests rely on."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.model_server import DEPLOYMENT, KEY, TOKEN, ModelServer, prompt_hash
from tests.support.model_server_faults import Fault, FaultPlan
from tests.support.model_server_limits import Limits, Style, Window

DATED = f"/openai/deployments/{DEPLOYMENT}/chat/completions?api-version=2024-10-21"
V1 = "/openai/v1/chat/completions"
OPENAI = "/v1/chat/completions"
ROOT = Path(__file__).parents[2]


def chat(text: str = "hello", **params: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": DEPLOYMENT, "messages": messages, "max_tokens": 10, **params}


class Client:
    """Posts to a server and keeps status, headers and body."""

    def __init__(self, server: ModelServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def post(
        self, path: str = V1, body: dict[str, Any] | None = None, **headers: str
    ) -> tuple[int, dict[str, str], Any]:
        sent = {name.replace("_", "-"): text for name, text in headers.items()} or {"api-key": KEY}
        async with self.session.post(
            self.server.url + path, json=body or chat(), headers=sent, allow_redirects=False
        ) as response:
            text = await response.text()
            value = json.loads(text) if "json" in response.content_type else text
            return response.status, {k.lower(): v for k, v in response.headers.items()}, value


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with ModelServer() as server, aiohttp.ClientSession() as session:
        yield Client(server, session)


@pytest.mark.parametrize("path", [DATED, V1, OPENAI])
async def test_each_surface_answers_with_a_token(client: Client, path: str) -> None:
    status, _, body = await client.post(path, authorization=f"Bearer {TOKEN}")
    assert status == 200
    assert body["choices"][0]["finish_reason"] == "stop"
    assert ("prompt_filter_results" in body) is (path != OPENAI)


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (DATED, {"api_key": KEY}, 200),
        (V1, {"api_key": KEY}, 200),
        (V1, {"authorization": f"Bearer {KEY}"}, 200),
        (OPENAI, {"authorization": f"Bearer {KEY}"}, 200),
        (DATED, {"authorization": f"Bearer {KEY}"}, 401),
        (DATED, {"api_key": "wrong"}, 401),
        (OPENAI, {"api_key": KEY}, 401),
        (V1, {"authorization": "Bearer of-another-scope"}, 401),
    ],
)
async def test_authentication(
    client: Client, path: str, headers: dict[str, str], status: int
) -> None:
    assert (await client.post(path, None, **headers))[0] == status
    assert len(client.server.arrivals) == (status == 200)


async def test_unknown_deployment_and_address(client: Client) -> None:
    status, _, body = await client.post(DATED.replace(DEPLOYMENT, "other"))
    assert (status, body["error"]["code"]) == (404, "DeploymentNotFound")
    status, _, body = await client.post(OPENAI, chat(model="other"), authorization=f"Bearer {KEY}")
    assert (status, body["error"]["code"]) == (404, "model_not_found")
    assert (await client.post(DATED.split("?")[0]))[0] == 404
    assert (await client.post("/openai/v1/responses"))[0] == 404
    assert client.server.elsewhere == ["POST /openai/v1/responses"]


async def test_counts_prompts_answers_and_concurrency(client: Client) -> None:
    client.server.latency_s = 0.05
    client.server.faults.next_are([Fault.ERROR_500])
    await client.post(body=chat("a"))
    await asyncio.gather(*[client.post(body=chat(text)) for text in "aabc"])
    counts = client.server.prompts
    first = counts[prompt_hash(chat("a")["messages"])]
    assert (first.seen, first.answered) == (3, 2)
    assert len(counts) == 3
    assert client.server.peak == 4
    assert client.server.statuses == {500: 1, 200: 4}
    assert client.server.stats()["requests"] == 5


async def test_reasoning_deployment_refuses_sampling_parameters(client: Client) -> None:
    client.server.reasoning = frozenset({DEPLOYMENT})
    status, _, body = await client.post()
    assert (status, body["error"]["param"]) == (400, "max_tokens")
    messages = chat()["messages"]
    good = {"model": DEPLOYMENT, "messages": messages, "max_completion_tokens": 5}
    assert (await client.post(body=good))[0] == 200


@pytest.mark.parametrize(
    ("fault", "status", "finish"),
    [
        (Fault.ERROR_408, 408, None),
        (Fault.ERROR_500, 500, None),
        (Fault.ERROR_503, 503, None),
        (Fault.RATE_LIMIT, 429, None),
        (Fault.REDIRECT, 307, None),
        (Fault.CONTENT_FILTER, 400, None),
        (Fault.CONTENT_CUT, 200, "content_filter"),
        (Fault.LENGTH, 200, "length"),
        (Fault.REFUSAL, 200, "stop"),
        (Fault.BAD_ANSWER, 200, "stop"),
    ],
)
async def test_faults_with_a_response(
    client: Client, fault: Fault, status: int, finish: str | None
) -> None:
    got, headers, body = await client.post(body=chat(f"[[fault:{fault.value}]]"))
    assert got == status
    if finish:
        assert body["choices"][0]["finish_reason"] == finish
    if fault is Fault.REFUSAL:
        assert body["choices"][0]["message"]["content"] is None
        assert body["choices"][0]["message"]["refusal"]
    if fault is Fault.REDIRECT:
        assert headers["location"] == f"https://elsewhere.invalid{V1}"
    if fault is Fault.CONTENT_FILTER:
        assert body["error"]["innererror"]["code"] == "ResponsibleAIPolicyViolation"
    if fault is Fault.RATE_LIMIT:
        assert (headers["retry-after"], headers["retry-after-ms"]) == ("1", "50")
        assert body["error"]["code"] == "429"


async def test_bodies_that_are_not_replies(client: Client) -> None:
    with pytest.raises(json.JSONDecodeError):
        await client.post(body=chat("[[fault:bad_body]]"))
    assert "<html>" in (await client.post(body=chat("[[fault:html]]")))[2]
    assert (await client.post(body=chat("[[fault:no_choices]]")))[2]["choices"] == []


async def test_connections_that_break(client: Client) -> None:
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.post(body=chat("[[fault:drop]]"))
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.post(body=chat("[[fault:reset]]"))
    for name in ("hang", "drip"):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.post(body=chat(f"[[fault:{name}]]")), 0.3)
    await asyncio.sleep(0.05)
    assert all(count.answered == 0 for count in client.server.prompts.values())


async def test_marker_for_the_first_attempts_only(client: Client) -> None:
    body = chat("[[fault:500*2]]")
    assert [(await client.post(body=body))[0] for _ in range(3)] == [500, 500, 200]


def test_rates_are_seeded_and_sticky_where_they_belong_to_the_prompt() -> None:
    plan = FaultPlan.of(7, _500=0.2, content_filter=0.1)
    drawn = {(p, a): plan.choose(str(p), a, b"") for p in range(2000) for a in (1, 2)}
    assert drawn == {(p, a): plan.choose(str(p), a, b"") for p, a in drawn}
    blocked = {p for (p, _), fault in drawn.items() if fault is Fault.CONTENT_FILTER}
    assert all(drawn[p, 2] is Fault.CONTENT_FILTER for p in blocked)
    assert 140 <= len(blocked) <= 260
    assert 280 <= sum(drawn[p, 1] is Fault.ERROR_500 for p in range(2000)) <= 440
    assert FaultPlan.parse("500=0.2,content_filter=0.1", 7).rates == plan.rates


@pytest.mark.parametrize("style", ["sliding", "fixed"])
def test_windows_admit_the_rate_and_no_more(style: Style) -> None:
    window = Window(600, 1.0, style)
    taken = []
    for step in range(4000):
        now = step * 0.001
        if window.delay(now, 1) == 0:
            window.take(now, 1)
            taken.append(now)
    assert len(taken) == 40
    delay = window.delay(3.999, 1)
    assert window.delay(3.999 + delay + 1e-6, 1) == 0


def test_an_amount_above_the_limit_passes_an_empty_window() -> None:
    window = Window(60, 1.0, "sliding")
    assert window.delay(0.0, 50) == 0
    window.take(0.0, 50)
    assert window.delay(0.5, 1) == pytest.approx(0.5)


async def test_limits_of_requests_and_tokens(client: Client) -> None:
    client.server.limits = {DEPLOYMENT: Limits(rpm=600, tpm=60_000, windows=(1.0,))}
    got = [await client.post(body=chat(str(n))) for n in range(12)]
    statuses = [status for status, _, _ in got]
    assert statuses[:10] == [200] * 10
    assert statuses[10] == 429
    assert "call rate limit" in got[10][2]["error"]["message"]
    assert got[0][1]["x-ratelimit-remaining-requests"] == "9"
    await asyncio.sleep(1.05)
    status, headers, _ = await client.post(body=chat("large", max_tokens=900))
    assert (status, headers["x-ratelimit-limit-tokens"]) == (200, "60000")
    status, headers, body = await client.post(body=chat("too much", max_tokens=900))
    assert status == 429
    assert "token rate limit" in body["error"]["message"]
    assert 0 < int(headers["retry-after-ms"]) <= 1000


async def test_models_are_listed(client: Client) -> None:
    url = f"{client.server.url}/openai/v1/models"
    async with client.session.get(url, headers={"api-key": KEY}) as response:
        assert [model["id"] for model in (await response.json())["data"]] == [DEPLOYMENT]


async def test_errors_may_echo_the_prompt(client: Client) -> None:
    client.server.echo = True
    _, _, body = await client.post(body=chat("xyzzy [[fault:500]]"))
    assert "xyzzy" in body["error"]["message"]


def test_as_a_process() -> None:
    command = [sys.executable, "-m", "tests.support.model_server", "--faults", "500=1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            with urllib.request.urlopen(f"{url}/_stats") as response:
                assert json.load(response)["requests"] == 0
        finally:
            process.kill()
