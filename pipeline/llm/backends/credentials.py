"""How a deployment is signed in to: a key from the environment, or an Entra token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, Protocol

from pipeline.core.errors import BackendError, ConfigError
from pipeline.llm.config import DeploymentConfig

REFRESH_BEFORE_S = 300.0
"""A token is renewed this long before it ends, so that no request starts with a dying one."""


class Credentials(Protocol):
    """Headers that sign a request."""

    async def headers(self) -> Mapping[str, str]:
        """The headers, valid now."""
        ...

    async def close(self) -> None:
        """Give back what it holds."""
        ...


class FixedHeaders:
    """A key that does not change, or none."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = headers

    async def headers(self) -> Mapping[str, str]:
        """The same headers every time."""
        return self._headers

    async def close(self) -> None:
        """Nothing to give back."""


class EntraToken:
    """A bearer token of azure-identity, asked for once and renewed before it ends.

    Its life is counted on the monotonic clock: a jump of the wall clock changes nothing.
    """

    def __init__(self, scope: str, credential: Any = None) -> None:
        self._scope = scope
        self._credential = credential if credential is not None else _default_credential()
        self._headers: Mapping[str, str] = {}
        self._renew_at = 0.0
        self._lock = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """The header of a token with at least some minutes to live.

        Raises:
            BackendError: no token could be had.
        """
        if time.monotonic() >= self._renew_at:
            async with self._lock:
                if time.monotonic() >= self._renew_at:
                    await self._renew()
        return self._headers

    async def _renew(self) -> None:
        try:
            token = await self._credential.get_token(self._scope)
        except Exception as error:
            raise BackendError(
                "entra", f"no Entra token for {self._scope}: {type(error).__name__}; sign in again"
            ) from None
        life = token.expires_on - time.time()
        self._headers = {"Authorization": f"Bearer {token.token}"}
        self._renew_at = time.monotonic() + max(life - REFRESH_BEFORE_S, life / 2)

    async def close(self) -> None:
        """Close the connections of azure-identity."""
        await self._credential.close()


def credentials_for(deployment: DeploymentConfig, environ: Mapping[str, str]) -> Credentials:
    """How ``deployment`` is signed in to.

    Raises:
        ConfigError: the variable that should hold the key is not set, or azure-identity is missing.
    """
    match deployment.auth:
        case "none":
            return FixedHeaders({})
        case "entra":
            return EntraToken(deployment.scope)
        case "api-key":
            return FixedHeaders({"api-key": _secret(deployment, environ)})
        case "bearer":
            return FixedHeaders({"Authorization": f"Bearer {_secret(deployment, environ)}"})


def _secret(deployment: DeploymentConfig, environ: Mapping[str, str]) -> str:
    name = deployment.key_env or ""
    secret = environ.get(name, "").strip()
    if not secret:
        raise ConfigError(
            f"{deployment.label}: set the environment variable {name} to its key "
            "(or name another one with key_env)"
        )
    if not secret.isascii() or not secret.isprintable():
        raise ConfigError(f"{deployment.label}: the key in {name} holds characters no key has")
    return secret


def _default_credential() -> Any:
    try:
        from azure.identity.aio import DefaultAzureCredential  # heavy, and an extra
    except ImportError:
        raise ConfigError(
            "auth: entra needs azure-identity: pip install cxr-pipeline[azure]"
        ) from None
    return DefaultAzureCredential()
