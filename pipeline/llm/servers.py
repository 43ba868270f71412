"""Which model server answers on this machine, and which settings it was seen to need.

Each is known by addresses only it has; what is said of them was tried or is documented by them
(see docs/local-models.md).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from pipeline.llm.backends import openai
from pipeline.llm.config import DeploymentConfig

PROBE_S = 3.0
_MOST_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Server:
    """A kind of model server.

    Attributes:
        name: what it is called.
        structured: settings of ``structured`` that it takes, the best one first.
        token_param: settings of ``token_param`` that it takes, the best one first.
        remark: what else its user should know.
    """

    name: str
    structured: tuple[str, ...]
    token_param: tuple[str, ...] = ("max_tokens", "max_completion_tokens")
    remark: str = ""

    def advice(self, deployment: DeploymentConfig) -> list[str]:
        """What the recipe says otherwise than this server needs it."""
        lines = []
        for setting in ("structured", "token_param"):
            given, fitting = getattr(deployment, setting), getattr(self, setting)
            if given not in fitting:
                lines.append(f"{self.name} does not take {setting}: {given}; set {fitting[0]}")
        if self.remark:
            lines.append(self.remark)
        return lines


VLLM = Server("vLLM", ("json_schema", "json_object", "none"))
OLLAMA = Server(
    "Ollama",
    ("json_schema", "json_object", "none"),
    ("max_tokens",),
    "Ollama cuts a prompt that is longer than its context without a word: start it with "
    "OLLAMA_CONTEXT_LENGTH large enough for your longest prompt and answer",
)
LLAMA_SERVER = Server(
    "llama.cpp llama-server", ("json_schema", "json_object_schema", "json_object", "none")
)
LLAMA_PYTHON = Server(
    "llama-cpp-python", ("json_object_schema", "json_object", "none"), ("max_tokens",)
)
TRANSFORMERS_SERVE = Server(
    "transformers serve",
    ("none",),
    ("max_tokens", "max_completion_tokens"),
    "transformers serve checks no context length and samples only where the model's generation "
    "configuration says so; its model name is the path it was started with",
)


async def recognise(deployment: DeploymentConfig) -> Server | None:
    """The kind of server behind a loopback address; None where it is not known or does not answer.

    Asks for what it says of itself; no request of a user is sent.
    """
    if not deployment.loopback or deployment.kind != "openai":
        return None
    root = deployment.url.removesuffix("/v1")
    timeout = aiohttp.ClientTimeout(total=PROBE_S)
    async with aiohttp.ClientSession(timeout=timeout, trust_env=False) as session:

        async def look(address: str) -> Any:
            try:
                async with session.get(address, allow_redirects=False) as answer:
                    body = await answer.content.read(_MOST_BYTES)
                    return orjson.loads(body) if answer.status == 200 else None
            except (aiohttp.ClientError, TimeoutError, OSError, orjson.JSONDecodeError):
                return None

        addresses = [
            f"{openai.base_url(deployment)}/models",
            *(f"{root}{path}" for path in ("/props", "/api/version", "/version", "/openapi.json")),
        ]
        found = await asyncio.gather(*map(look, addresses))
    models, props, ollama, version, paths = (
        one if isinstance(one, Mapping) else {} for one in found
    )
    owners = _owners(models)
    kinds: list[tuple[Server, Callable[[], bool]]] = [
        (LLAMA_SERVER, lambda: "default_generation_settings" in props or "llamacpp" in owners),
        (VLLM, lambda: "vllm" in owners),
        (OLLAMA, lambda: "version" in ollama),
        (TRANSFORMERS_SERVE, lambda: "/load_model" in paths.get("paths", {})),
        (LLAMA_PYTHON, lambda: "llama.cpp" in str(paths.get("info", {}).get("title", ""))),
        (VLLM, lambda: "version" in version and not owners),
    ]
    return next((server for server, is_it in kinds if is_it()), None)


def _owners(models: Mapping[str, Any]) -> set[str]:
    listed = models.get("data")
    if not isinstance(listed, list):
        return set()
    return {str(one.get("owned_by")) for one in listed if isinstance(one, Mapping)}
