"""What a recipe may say of a backend, and how it is told what is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.llm.config import is_loopback, parse_backend

AZURE = {"kind": "azure", "model": "gpt-4o", "url": "https://east.openai.azure.com"}


def test_a_single_deployment_is_written_flat() -> None:
    backend = parse_backend({**AZURE, "rpm": 600, "params": {"temperature": 0}})
    (deployment,) = backend.deployments
    assert deployment.deployment == "gpt-4o"
    assert deployment.auth == "api-key"
    assert deployment.key_env == "AZURE_OPENAI_API_KEY"
    assert deployment.rpm == 600
    assert deployment.label == "east.openai.azure.com/gpt-4o"


def test_a_pool_inherits_kind_and_model_and_may_differ() -> None:
    backend = parse_backend(
        {
            "kind": "azure",
            "model": "gpt-4o",
            "deployments": [
                {
                    "url": "https://a.openai.azure.com",
                    "deployment": "x",
                    "api_version": "2024-10-21",
                },
                {"url": "http://127.0.0.1:8000", "kind": "openai"},
            ],
        }
    )
    first, second = backend.deployments
    assert (first.kind, first.deployment, first.api_version) == ("azure", "x", "2024-10-21")
    assert (second.kind, second.deployment, second.auth) == ("openai", "gpt-4o", "none")
    assert second.url == "http://127.0.0.1:8000/v1"


@pytest.mark.parametrize(
    ("kind", "url", "expected"),
    [
        ("azure", "https://R.openai.azure.com/openai/v1/", "https://r.openai.azure.com"),
        ("azure", "https://r.openai.azure.com/", "https://r.openai.azure.com"),
        ("openai", "http://localhost:11434", "http://localhost:11434/v1"),
        ("openai", "https://h/api/v1/chat/completions", "https://h/api/v1"),
        ("openai", "http://[::1]:8000/v1/", "http://[::1]:8000/v1"),
    ],
)
def test_addresses_are_taken_as_people_write_them(kind: str, url: str, expected: str) -> None:
    backend = parse_backend({"kind": kind, "model": "m", "url": url})
    assert backend.deployments[0].url == expected


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            {**AZURE, "url": "http://east.openai.azure.com"},
            "plain http is allowed on loopback only",
        ),
        ({**AZURE, "url": "http://127.0.0.1.evil.example"}, "plain http"),
        ({**AZURE, "url": "east.openai.azure.com"}, "write the whole address"),
        ({**AZURE, "url": "ftp://x"}, "write the whole address"),
        ({**AZURE, "url": "https://user:pass@x"}, "no user, password"),
        ({**AZURE, "url": "https://x?api-version=1"}, "use key_env and api_version"),
        ({**AZURE, "url": "https://x:99999"}, "port"),
        ({**AZURE, "rmp": 3}, "backend.rmp: unknown key; did you mean rpm?"),
        ({**AZURE, "rpm": 0}, "greater than 0"),
        ({**AZURE, "budget": {"money": 5}}, "budget.money needs prices"),
        ({**AZURE, "budget": {"dollars": 5}}, "backend.budget.dollars: unknown key"),
        ({**AZURE, "params": {"stream": True}}, "stream: the engine decides this"),
        ({"kind": "azure", "model": "m"}, "needs a url"),
        ({"kind": "azure", "url": "https://x"}, "deployment"),
        (
            {"kind": "openai", "url": "https://x", "deployment": "d"},
            "model: give the logical model",
        ),
        ({"kind": "openai", "model": "m", "url": "https://x", "auth": "entra"}, "kind: azure"),
        ({"kind": "rules", "url": "https://x", "deployment": "d"}, "takes no deployment"),
        ({"kind": "gpt"}, "backend.kind"),
        ({**AZURE, "deployments": [{"url": "https://x"}, {"url": "https://x"}]}, "listed twice"),
        ({**AZURE, "deployments": "https://x"}, "deployments"),
        ({**AZURE, "url": None}, "url"),
    ],
)
def test_what_cannot_work_is_said_at_once(raw: dict[str, Any], message: str) -> None:
    if "deployments" in raw:
        raw = {key: value for key, value in raw.items() if key != "url"}
    with pytest.raises(ConfigError) as caught:
        parse_backend(raw)
    assert message in str(caught.value)


def test_an_error_never_shows_a_value() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_backend({**AZURE, "rpm": "SECRET", "key": "SECRET", "params": "SECRET"})
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or "SECRET" not in repr(caught.value.__context__)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example.org", False),
        ("", False),
    ],
)
def test_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
