"""Which service may see which data. Checked before anything is sent; whatever is unclear is no.

The rules stand in ``docs/governance.md``. In short, for credentialed data: models in this process
and on this machine are allowed; an Azure OpenAI deployment needs a valid attestation; any other
host must be listed and attested; the public OpenAI API is refused; what stores text needs a
recorded override on top. Images are data like notes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeAlias
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core.errors import GovernanceError
from pipeline.llm.attestation import (
    EXAMPLE,
    POLICY_URL,
    Attestation,
    explain,
    load_attestation,
    normal_host,
)

CREDENTIALED = "credentialed"
DATA_CLASSES = (CREDENTIALED, "public", "synthetic")

Feature: TypeAlias = Literal["chat", "batch", "files"]
"""What of a service is used: answers only, or one that stores what it is sent."""

AZURE_SUFFIXES = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
"""Host names of Azure OpenAI resources."""

PUBLIC_SERVICES = ("openai.com", "chatgpt.com")
"""PhysioNet named them as third parties in 2023 and has never taken that back."""


class Target(Protocol):
    """What the gate needs to know of a deployment."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    @property
    def deployment(self) -> str:
        """Its name there."""
        ...

    @property
    def region(self) -> str:
        """Where it runs."""
        ...


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class StorageOverride(_Part):
    """The decision to let a service store credentialed text for a while; part of ``run.json``.

    What was stored is deleted after it was fetched, and the result of that is recorded.
    """

    by: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    date: date


class GovernanceConfig(_Part):
    """The ``governance`` part of a recipe.

    Attributes:
        attestations: attestation files, one for each deployment; relative to the recipe.
        allowed_hosts: hosts (``host`` or ``host:port``) besides Azure's that may be attested.
        provider_storage: lets Batch and Files be used for credentialed data.
    """

    attestations: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    provider_storage: StorageOverride | None = None


class Gate:
    """Decides for one run; the data class is that of its strictest source.

    Args:
        data_class: ``credentialed``, ``public`` or ``synthetic``; anything else is refused.
        allowed_hosts: hosts besides Azure's that may be attested.
        attestations: those the recipe names.
        override: lets services that store text be used.
        today: the day on which attestations must hold; a run of days is checked anew every day.
    """

    def __init__(
        self,
        data_class: str,
        allowed_hosts: Iterable[str] = (),
        attestations: Sequence[Attestation] = (),
        override: StorageOverride | None = None,
        today: Callable[[], date] = lambda: datetime.now(UTC).date(),
    ) -> None:
        if data_class not in DATA_CLASSES:
            raise GovernanceError(f"data class must be one of {', '.join(DATA_CLASSES)}")
        self.data_class = data_class
        self._hosts = frozenset(map(normal_host, allowed_hosts))
        self._attestations = tuple(attestations)
        self._override = override
        self._today = today
        self._passed: dict[tuple[str, str, str, Feature], date] = {}

    @property
    def strict(self) -> bool:
        """Whether the data is credentialed; then what a service stored must be deleted."""
        return self.data_class == CREDENTIALED

    def check(self, target: Target | None, feature: Feature = "chat") -> None:
        """Let a request to ``target`` pass; None is a model in this process.

        Cheap when repeated: a deployment that passed today is not looked at again.

        Raises:
            GovernanceError: it may not be sent; says what would make it pass.
        """
        if target is None or not self.strict:
            return
        today = self._today()
        asked = (target.url, target.deployment, target.region, feature)
        if self._passed.get(asked) == today:
            return
        refusal = self._refusal(target, feature, today)
        if refusal:
            raise GovernanceError(
                f"credentialed data may not be sent to {endpoint_of(target.url)} "
                f"(deployment {target.deployment}): {refusal}"
            )
        self._passed[asked] = today

    def explain(self, target: Target | None, feature: Feature = "chat") -> list[str]:
        """What applies to ``target`` and why, as lines for ``check``; raises nothing."""
        lines = [f"data class: {self.data_class}"]
        try:
            self.check(target, feature)
        except GovernanceError as error:
            lines.append(f"refused: {error}")
        else:
            lines.append("allowed")
        if target is not None and self.strict:
            for one in self._attestations:
                if normal_host(one.endpoint.host) == endpoint_of(target.url):
                    lines += explain(one, self._today(), azure=is_azure(target.url))
        return lines

    def record(self) -> dict[str, Any]:
        """What manifests hold: class, attestations, override, and what follows for the results."""
        facts: dict[str, Any] = {"data_class": self.data_class}
        if self.strict:
            facts |= {
                "contains_restricted_derivatives": True,
                "sharing": "on PhysioNet only, under the agreement of the source",
                "policy": POLICY_URL,
                "attestations": [one.id for one in self._attestations],
                "provider_storage": self._override and self._override.model_dump(mode="json"),
            }
        return facts

    def _refusal(self, target: Target, feature: Feature, today: date) -> str:
        """Why a request is refused, or an empty string."""
        if is_public_service(target.url):
            return (
                "the public OpenAI API is a third party to PhysioNet's agreement and is always "
                "refused; use a local model, or an attested Azure OpenAI deployment"
            )
        if feature != "chat" and self._override is None:
            return (
                f"{feature} stores text at the service; set mode: live, or record the decision in "
                "governance.provider_storage: {by, reason, date}"
            )
        if is_local(target.url):
            return ""
        if not target.region:
            return "give the deployment's region, to which the attestation is bound"
        if not is_azure(target.url) and endpoint_of(target.url) not in self._hosts:
            return (
                f"the host is not listed; use a local model, or list {endpoint_of(target.url)} in "
                "governance.allowed_hosts and attest it"
            )
        return self._attested(target, feature, today)

    def _attested(self, target: Target, feature: Feature, today: date) -> str:
        reasons: list[str] = []
        for one in self._attestations:
            problems = list(_objections(one, target, feature, today))
            if not problems:
                return ""
            reasons.append(f"attestation {one.id}: " + "; ".join(problems))
        if not reasons:
            return (
                f"no attestation covers it; fill in a copy of {EXAMPLE} for this host, deployment "
                f"and region ({target.region}) and name it in governance.attestations, or use a "
                "local model"
            )
        return "no attestation covers it. " + ". ".join(reasons)


def open_gate(
    data_class: str,
    config: GovernanceConfig,
    folder: Path,
    today: Callable[[], date] = lambda: datetime.now(UTC).date(),
) -> Gate:
    """The gate of a recipe in ``folder``; attestations are read where they matter.

    Raises:
        GovernanceError: an attestation cannot be read or is not complete.
    """
    paths = config.attestations if data_class == CREDENTIALED else ()
    return Gate(
        data_class,
        config.allowed_hosts,
        [load_attestation(folder / path) for path in paths],
        config.provider_storage,
        today,
    )


def endpoint_of(url: str) -> str:
    """Host of an address, with the port where it is not 443."""
    parts = urlsplit(url)
    port = parts.port or (80 if parts.scheme == "http" else 443)
    host = parts.hostname or ""
    return normal_host(f"{host}:{port}")


def is_local(url: str) -> bool:
    """Whether the address is this machine's own, by name or number."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_azure(url: str) -> bool:
    """Whether the address is that of an Azure OpenAI resource."""
    return (urlsplit(url).hostname or "").rstrip(".").endswith(AZURE_SUFFIXES)


def is_public_service(url: str) -> bool:
    """Whether the address belongs to the public OpenAI API or ChatGPT."""
    host = "." + (urlsplit(url).hostname or "").rstrip(".")
    return any(host.endswith("." + name) for name in PUBLIC_SERVICES)


def _objections(
    attestation: Attestation, target: Target, feature: Feature, today: date
) -> Iterator[str]:
    """Why an attestation does not cover this use of a deployment."""
    yield from attestation.mismatches(endpoint_of(target.url), target.deployment, target.region)
    yield from attestation.problems(today, azure=is_azure(target.url))
    if feature != "chat" and not attestation.provider_storage.allowed:
        yield "provider_storage.allowed is not true, and Batch and Files store text"
