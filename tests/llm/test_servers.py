"""Model servers on this machine are told apart by what they say of themselves."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pipeline.llm.config import DeploymentConfig
from pipeline.llm.servers import recognise

ANSWERS: dict[str, dict[str, Any]] = {
    "vLLM": {
        "/v1/models": {"data": [{"id": "m", "owned_by": "vllm"}]},
        "/version": {"version": "0.33.0"},
    },
    "Ollama": {
        "/v1/models": {"data": [{"id": "m", "owned_by": "library"}]},
        "/api/version": {"version": "0.12.0"},
    },
    "llama.cpp llama-server": {
        "/v1/models": {"data": [{"id": "m", "owned_by": "llamacpp"}]},
        "/props": {"default_generation_settings": {"n_ctx": 4096}},
    },
    "llama-cpp-python": {
        "/v1/models": {"data": [{"id": "m", "owned_by": "me"}]},
        "/openapi.json": {"info": {"title": "\N{LLAMA} llama.cpp Python API"}, "paths": {}},
    },
    "transformers serve": {
        "/v1/models": {"data": []},
        "/openapi.json": {"info": {"title": "FastAPI"}, "paths": {"/load_model": {}}},
    },
}


async def serve(answers: dict[str, Any]) -> TestServer:
    """A server that answers at these addresses only."""

    async def answer(request: web.Request) -> web.Response:
        if request.path not in answers:
            return web.Response(status=404, text="not found")
        return web.json_response(answers[request.path])

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    server = TestServer(app)
    await server.start_server()
    return server


def deployment(url: str, **fields: Any) -> DeploymentConfig:
    base = {"kind": "openai", "url": url, "deployment": "m"}
    return DeploymentConfig.model_validate({**base, **fields})


@pytest.mark.parametrize("name", ANSWERS)
async def test_each_is_known_by_its_answers(name: str) -> None:
    server = await serve(ANSWERS[name])
    found = await recognise(deployment(str(server.make_url("/v1"))))
    await server.close()
    assert found is not None
    assert found.name == name


async def test_an_unknown_server_and_none_at_all() -> None:
    server = await serve({"/v1/models": [1, 2]})
    url = str(server.make_url("/v1"))
    assert await recognise(deployment(url)) is None
    await server.close()
    assert await recognise(deployment(url)) is None


async def test_what_a_recipe_says_otherwise_is_told() -> None:
    server = await serve(ANSWERS["llama-cpp-python"])
    url = str(server.make_url("/v1"))
    found = await recognise(deployment(url))
    await server.close()
    assert found is not None
    wrong = deployment(url, structured="json_schema", token_param="max_completion_tokens")
    assert found.advice(wrong) == [
        "llama-cpp-python does not take structured: json_schema; set json_object_schema",
        "llama-cpp-python does not take token_param: max_completion_tokens; set max_tokens",
    ]
    assert found.advice(deployment(url, structured="json_object_schema")) == []


async def test_nothing_beyond_this_machine_is_asked() -> None:
    assert await recognise(deployment("https://models.example.org/v1", key_env="K")) is None
