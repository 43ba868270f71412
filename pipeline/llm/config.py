"""What a recipe says of a model backend: where it is, what it allows, what it may cost.

A backend of one deployment may be written flat; several deployments form one pool::

    backend: {kind: openai, model: llama, url: "http://localhost:8000/v1"}

    backend:
      kind: azure
      model: gpt-4o
      deployments:
        - {url: "https://east.openai.azure.com", deployment: gpt-4o-a, rpm: 600, tpm: 100000}
        - {url: "https://west.openai.azure.com", deployment: gpt-4o-b, key_env: WEST_KEY}

    backend: {kind: transformers, path: /models/llama, device: cuda}

Secrets are never part of it: ``key_env`` names the environment variable that holds one.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.core.errors import ConfigError
from pipeline.llm.batch_config import BatchConfig
from pipeline.llm.local_config import LocalModelConfig

Kind = Literal["azure", "openai", "transformers", "rules"]
Auth = Literal["api-key", "bearer", "entra", "none"]
Structured = Literal["json_schema", "json_object", "json_object_schema", "none"]

ENTRA_SCOPE = "https://cognitiveservices.azure.com/.default"
"""Works on the dated surface and in most v1 samples; newer pages name https://ai.azure.com."""

RESERVED_PARAMS = frozenset(
    {"model", "messages", "stream", "n", "store", "metadata", "user", "response_format", "tools"}
)
"""Request parameters that are the engine's to set, or that would store or label data."""

DEFAULT_KEY_ENV = {"azure": "AZURE_OPENAI_API_KEY", "openai": "OPENAI_API_KEY"}

Positive = Annotated[float, Field(gt=0)]
PositiveInt = Annotated[int, Field(gt=0)]
Price = Annotated[float, Field(ge=0)]


class _Strict(BaseModel):
    """Unknown keys are refused and an error never shows the value it is about."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Prices(_Strict):
    """Price of 1,000,000 tokens, as in the user's contract.

    Cached prompt tokens cost ``prompt`` where ``cached`` is not given.
    """

    prompt: Price
    completion: Price
    cached: Price | None = None
    currency: str = "USD"


class Budget(_Strict):
    """What one run may use at most, resumed or not; None is without limit."""

    money: Positive | None = None
    tokens: PositiveInt | None = None
    requests: PositiveInt | None = None


class Retry(_Strict):
    """How long one request is tried: transient faults by ``attempts``, everything by time."""

    attempts: Annotated[int, Field(ge=1, le=20)] = 6
    total_seconds: Positive = 900.0


class DeploymentConfig(_Strict):
    """One place that answers: a resource and deployment, or a server and model name.

    Attributes:
        kind: dialect; taken from the backend if not given.
        url: Azure resource root, or the base URL of an OpenAI-compatible server (``/v1`` is added
            where it has no path). HTTPS, or HTTP on loopback.
        deployment: Azure deployment, or the model name the server knows; else the backend's model.
        api_version: dated Azure surface, such as ``2024-10-21``; None is the v1 surface.
        auth: ``api-key`` header, ``bearer`` key, ``entra`` token, ``none``; None picks by kind.
        key_env: name of the environment variable that holds the key.
        scope: scope of the Entra token.
        rpm: requests per minute allowed; None is unknown, learned from headers where sent.
        tpm: tokens per minute allowed, counted as prompt + maximum output.
        windows_s: windows over which the service enforces the two; Azure is known for 1 s and 10 s.
        refund_tokens: whether tokens reserved and not used come back; Azure counts its estimate.
        concurrency: most requests under way at once.
        timeout_s: deadline of one attempt from connecting to the last byte read.
        token_param: how this deployment calls the output limit.
        temperature: whether it accepts temperature, top_p and penalties (reasoning models do not).
        reasoning_effort: whether it accepts ``reasoning_effort``.
        seed: whether it accepts ``seed``.
        structured: how it is told the JSON schema of the answer.
        region: Azure region; governance binds an attestation to it.
    """

    kind: Literal["azure", "openai"]
    url: str
    deployment: str
    api_version: str | None = None
    auth: Auth
    key_env: str | None = None
    scope: str = ENTRA_SCOPE
    rpm: Positive | None = None
    tpm: Positive | None = None
    windows_s: tuple[Annotated[float, Field(ge=0.1, le=60)], ...] = (1.0, 10.0)
    refund_tokens: bool = False
    concurrency: Annotated[int, Field(ge=1, le=10_000)] = 128
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 120.0
    token_param: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True
    reasoning_effort: bool = False
    seed: bool = True
    structured: Structured = "json_schema"
    region: str = ""

    @property
    def host(self) -> str:
        """Host name in lower case, without port."""
        return urlsplit(self.url).hostname or ""

    @property
    def label(self) -> str:
        """Name in statistics and logs: host, port and deployment."""
        return f"{urlsplit(self.url).netloc}/{self.deployment}"

    @property
    def target(self) -> Self:
        """What governance decides about."""
        return self

    @property
    def loopback(self) -> bool:
        """Whether requests stay on this machine."""
        return is_loopback(self.host)

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        """Complete what follows from the rest: address form, way to sign in, name of the key."""
        if not isinstance(data, Mapping) or not isinstance(data.get("url"), str):
            return data
        data = dict(data)
        data["url"] = _clean_url(data["url"], data.get("kind"))
        loopback = is_loopback(urlsplit(data["url"]).hostname or "")
        if data.get("auth") is None:
            if data.get("kind") == "azure":
                data["auth"] = "api-key"
            else:
                data["auth"] = "bearer" if data.get("key_env") or not loopback else "none"
        if data["auth"] in ("api-key", "bearer") and data.get("key_env") is None:
            data["key_env"] = DEFAULT_KEY_ENV.get(str(data.get("kind")))
        return data

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind == "openai" and (self.auth == "entra" or self.api_version):
            raise ValueError("auth: entra and api_version belong to kind: azure")
        return self


Deployment: TypeAlias = DeploymentConfig | LocalModelConfig
"""Whatever answers: a service, or a model in this process."""


class BackendConfig(_Strict):
    """One backend of a recipe: a logical model and the deployments that can answer for it.

    Attributes:
        kind: ``azure``, ``openai`` (any compatible server), ``transformers`` (a model in this
            process) or ``rules`` (no model, no network).
        model: the logical model, part of the identity of a request; deployments are not. Of a
            model folder its name, if not given.
        deployments: the pool.
        params: defaults of the request parameters (``temperature``, ``max_tokens``, ``seed``, ...).
        prices: needed where ``budget.money`` is set.
        budget: what a run may use.
        retry: how long one request is tried.
        no_progress_minutes: a run without any answer for so long stops, resumable (exit code 3).
        journal: folder of replies shared by several runs; None keeps them in the run folder.
        mode: ``live``, or ``batch`` through the Batch API.
        batch: how batch jobs are cut and watched; read only where ``mode`` is ``batch``.
    """

    kind: Kind
    model: str = ""
    deployments: tuple[Annotated[Deployment, Field(discriminator="kind")], ...] = ()
    params: Mapping[str, Any] = Field(default_factory=dict)
    prices: Prices | None = None
    budget: Budget = Budget()
    retry: Retry = Retry()
    no_progress_minutes: Positive = 10.0
    journal: str | None = None
    mode: Literal["live", "batch"] = "live"
    batch: BatchConfig = BatchConfig()

    @property
    def services(self) -> tuple[DeploymentConfig, ...]:
        """The deployments requests are sent to."""
        return tuple(one for one in self.deployments if isinstance(one, DeploymentConfig))

    @property
    def local_models(self) -> tuple[LocalModelConfig, ...]:
        """The deployments in this process."""
        return tuple(one for one in self.deployments if isinstance(one, LocalModelConfig))

    @model_validator(mode="before")
    @classmethod
    def _expand(cls, data: Any) -> Any:
        """Turn the flat form into a pool of one and hand kind and model down."""
        if not isinstance(data, Mapping):
            return data
        data = dict(data)
        if data.get("deployments") is None:
            data.pop("deployments", None)
            flat = {k: data.pop(k) for k in list(data) if k in _FLAT_KEYS}
            if flat:
                data["deployments"] = [flat]
        pool = data.get("deployments", ())
        if data.get("kind") == "rules" and pool:
            raise ValueError("kind: rules answers in process and takes no deployment or url")
        if isinstance(pool, list | tuple):
            given = {"kind": data.get("kind")}
            if data.get("kind") != "transformers":
                given["deployment"] = data.get("model")
            given = {key: value for key, value in given.items() if value}
            data["deployments"] = tuple(
                {**given, **one} if isinstance(one, Mapping) else one for one in pool
            )
        if data.get("kind") == "transformers" and not data.get("model"):
            first = next(iter(data.get("deployments", ())), None)
            if isinstance(first, Mapping) and isinstance(first.get("path"), str):
                data["model"] = Path(first["path"]).name
        return data

    @field_validator("params")
    @classmethod
    def _allowed(cls, params: Mapping[str, Any]) -> Mapping[str, Any]:
        if reserved := RESERVED_PARAMS & params.keys():
            raise ValueError(f"{', '.join(sorted(reserved))}: the engine decides this")
        return params

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind == "rules":
            return self
        if not self.deployments:
            place = "a path" if self.kind == "transformers" else "a url"
            raise ValueError(f"kind: {self.kind} needs {place}, or a list of deployments")
        if not self.model:
            raise ValueError("model: give the logical model, such as gpt-4o or llama-3.1-8b")
        labels = [one.label for one in self.deployments]
        if len(set(labels)) < len(labels):
            raise ValueError("deployments: one is listed twice; limits belong to a deployment")
        if any(
            (one.kind == "transformers") != (self.kind == "transformers")
            for one in self.deployments
        ):
            raise ValueError("deployments: a model in this process and a service are two backends")
        if self.kind == "transformers" and self.mode == "batch":
            raise ValueError("mode: batch belongs to services; a local model batches by itself")
        if self.budget.money is not None and self.prices is None:
            raise ValueError("budget.money needs prices: {prompt, completion} per 1M tokens")
        return self


_DEPLOYMENT_KEYS = frozenset(DeploymentConfig.model_fields) | frozenset(
    LocalModelConfig.model_fields
)
_FLAT_KEYS = _DEPLOYMENT_KEYS - frozenset(BackendConfig.model_fields)


def is_loopback(host: str) -> bool:
    """Whether ``host`` is this machine by name or by address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_backend(raw: Mapping[str, Any], where: str = "backend") -> BackendConfig:
    """Read the backend of a recipe.

    Raises:
        ConfigError: names every wrong key and what is wrong with it, never a value.
    """
    try:
        return BackendConfig.model_validate(raw)
    except ValidationError as error:
        lines = [f"{where}{_explain(item)}" for item in error.errors(include_input=False)]
    raise ConfigError("\n".join(lines))


def _explain(item: Any) -> str:
    where = list(item["loc"])
    if where[:1] == ["deployments"] and len(where) > 2:
        del where[2]  # the kind by which pydantic told them apart
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    if item["type"] != "extra_forbidden":
        return f"{place}: {item['msg'].removeprefix('Value error, ')}"
    known = {*BackendConfig.model_fields, *_DEPLOYMENT_KEYS}
    for model in (Prices, Budget, Retry):
        known.update(model.model_fields)
    close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
    return f"{place}: unknown key" + (f"; did you mean {close[0]}?" if close else "")


def _clean_url(url: str, kind: object) -> str:
    """The URL without trailing slash, in the form the dialect builds on.

    Raises:
        ValueError: not HTTPS off loopback, or with credentials, query or fragment.
    """
    parts = urlsplit(url.strip())
    if not parts.hostname or parts.scheme not in ("https", "http"):
        raise ValueError("url: write the whole address, such as https://host")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("url: plain http is allowed on loopback only; use https")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("url: no user, password, query or fragment; use key_env and api_version")
    try:
        _ = parts.port
    except ValueError:
        raise ValueError("url: the port is not a number between 0 and 65535") from None
    path = parts.path.rstrip("/")
    if kind == "azure":
        for known in ("/chat/completions", "/openai/v1", "/openai"):
            path = path.removesuffix(known)
    else:
        path = path.removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc.lower()}{path}"
