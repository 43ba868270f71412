"""The attestation: what a researcher vouches for before credentialed text goes to a service.

PhysioNet names no acceptable service and leaves the responsibility with the researcher ("Use of
MIMIC Data with Large Language Models and Online Services", 24 September 2025). So the pipeline
does not decide whether a service is acceptable; it asks who checked it, when, and on what
evidence, and lets nothing through that does not say so. ``docs/attestation.example.yaml`` is the
layout, ``docs/governance.md`` explains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StrictBool, ValidationError

from pipeline.core.errors import GovernanceError
from pipeline.core.hashing import fingerprint

MAX_DAYS = 90
"""Longest validity. The guidance says to check a service's terms again regularly."""

POLICY_URL = "https://physionet.org/news/post/llm-responsible-use"
EXAMPLE = "docs/attestation.example.yaml"

_MAX_BYTES = 1 << 16

Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Part(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, str_strip_whitespace=True
    )


class Person(_Part):
    """Who vouches: the person whose credentials give access to the data."""

    name: Text
    physionet_username: Text


class Agreement(_Part):
    """The data use agreement as that person signed it, and the training it requires."""

    version: Text
    signed: date
    datasets: Annotated[tuple[Text, ...], Field(min_length=1)]
    training_completed: date


class Endpoint(_Part):
    """The one place the attestation is for.

    Attributes:
        service: what it is, such as ``Azure OpenAI``.
        host: host name of the deployment's address; with ``:port`` where it is not 443.
        deployment: name of the deployment or model there.
        region: region in which it runs, as in the recipe; ``on-premises`` for an own machine.
        deployment_type: Azure's ``Standard``, ``DataZoneStandard``, ``GlobalBatch``, ...
        resource_id: the resource or subscription it belongs to.
    """

    service: Text
    host: Text
    deployment: Text
    region: Text
    deployment_type: Text
    resource_id: Text


class Terms(_Part):
    """What the service was found to do. Each must be true; Azure needs the last two as well.

    Attributes:
        zero_retention: no prompt or answer is kept after the answer was given.
        no_training: nothing is used to train or improve a model.
        no_human_review: no person at the provider reads prompts or answers.
        caching_acknowledged: prompt caches of the service were looked at and are accepted.
        modified_abuse_monitoring: Microsoft approved the exemption from abuse monitoring.
        approved: date of that approval.
    """

    zero_retention: StrictBool
    no_training: StrictBool
    no_human_review: StrictBool
    caching_acknowledged: StrictBool
    modified_abuse_monitoring: StrictBool = False
    approved: date | None = None


class Evidence(_Part):
    """What proves the terms; for Azure the resource's JSON, which shows ``ContentLogging: false``.

    Attributes:
        what: description, such as the command that printed it.
        sha256: of the saved document, so that it can be shown later to be the same.
        collected: date on which it was saved.
        content_logging_off: the document contains ``ContentLogging`` with value ``false``.
    """

    what: Text
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    collected: date
    content_logging_off: StrictBool = False


class Storage(_Part):
    """Whether Batch and Files, which store text by design, may be used here, and why."""

    allowed: StrictBool = False
    reason: str = ""


class Policy(_Part):
    """The rules as the person read them."""

    url: Text
    read: date


class Attestation(_Part):
    """One file, for one endpoint, until one day."""

    version: Literal[1]
    person: Person
    agreement: Agreement
    endpoint: Endpoint
    terms: Terms
    evidence: Evidence
    provider_storage: Storage = Storage()
    policy: Policy
    signed: date
    expires: date

    @property
    def id(self) -> str:
        """16 hexadecimal digits of the content's hash; what manifests record."""
        return fingerprint(self.model_dump(mode="json"))[:16]

    def problems(self, today: date, *, azure: bool) -> list[str]:
        """Why it does not hold on ``today``; each line says what would make it hold."""
        return [*self._dates(today), *self._terms(azure=azure)]

    def mismatches(self, endpoint: str, deployment: str, region: str) -> list[str]:
        """Why it is not for this endpoint (host, or host:port) and deployment."""
        wanted = {
            "host": (normal_host(self.endpoint.host), normal_host(endpoint)),
            "deployment": (self.endpoint.deployment, deployment),
            "region": (normal_region(self.endpoint.region), normal_region(region)),
        }
        return [
            f"it is for {name} {attested}, the recipe says {asked or 'none'}"
            for name, (attested, asked) in wanted.items()
            if attested != asked
        ]

    def _dates(self, today: date) -> Iterator[str]:
        limit = self.signed + timedelta(days=MAX_DAYS)
        if self.signed > today:
            yield f"it was signed in the future ({self.signed})"
        if self.expires < today:
            yield f"it expired on {self.expires}; check the service's terms again and sign anew"
        if self.expires > limit:
            yield f"expires may be at most {MAX_DAYS} days after signed: {limit}"
        for name, day in (
            ("agreement.signed", self.agreement.signed),
            ("agreement.training_completed", self.agreement.training_completed),
            ("evidence.collected", self.evidence.collected),
            ("policy.read", self.policy.read),
            ("terms.approved", self.terms.approved),
        ):
            if day is not None and day > self.signed:
                yield f"{name} ({day}) is after signed ({self.signed})"
        for name, day in (
            ("evidence.collected", self.evidence.collected),
            ("policy.read", self.policy.read),
        ):
            if day < self.signed - timedelta(days=MAX_DAYS):
                yield f"{name} ({day}) is more than {MAX_DAYS} days before signed; look again"

    def _terms(self, *, azure: bool) -> Iterator[str]:
        terms = self.terms
        for name in ("zero_retention", "no_training", "no_human_review", "caching_acknowledged"):
            if not getattr(terms, name):
                yield f"terms.{name} is not true"
        if azure:
            if not terms.modified_abuse_monitoring or terms.approved is None:
                yield "terms.modified_abuse_monitoring must be true, with the date in approved"
            if not self.evidence.content_logging_off:
                yield (
                    "evidence.content_logging_off must be true: the resource's JSON shows "
                    "ContentLogging false only when storage is off"
                )


def load_attestation(path: Path) -> Attestation:
    """Read one attestation file.

    Raises:
        GovernanceError: it cannot be read or is not complete; names every missing or wrong field.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise GovernanceError(f"attestation {path} is larger than {_MAX_BYTES} bytes")
        data = yaml.safe_load(text)
    except OSError as error:
        raise GovernanceError(f"attestation {path}: {error.strerror}; see {EXAMPLE}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise GovernanceError(f"attestation {path} is not YAML; see {EXAMPLE}") from None
    try:
        return Attestation.model_validate(data)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}"
            for item in error.errors(include_input=False, include_url=False)
        )
    raise GovernanceError(f"attestation {path} is not complete: {wrong}; see {EXAMPLE}")


def explain(attestation: Attestation, today: date, *, azure: bool) -> list[str]:
    """What the attestation says and whether it holds, as lines for ``check``."""
    endpoint, person = attestation.endpoint, attestation.person
    storage = "may be used" if attestation.provider_storage.allowed else "may not be used"
    lines = [
        f"attestation {attestation.id}, signed {attestation.signed} by {person.name} "
        f"({person.physionet_username} on PhysioNet)",
        f"for deployment {endpoint.deployment} at {endpoint.host}, region {endpoint.region}, "
        f"type {endpoint.deployment_type}",
        f"agreement {attestation.agreement.version} of {attestation.agreement.signed}: "
        + ", ".join(attestation.agreement.datasets),
        f"Batch and Files, which store text, {storage} there",
        f"policy {attestation.policy.url} read on {attestation.policy.read}",
    ]
    if endpoint.deployment_type.lower().startswith("global"):
        lines.append("note: a global deployment may process text in any geography")
    problems = attestation.problems(today, azure=azure)
    if problems:
        return [*lines, *(f"does not hold: {problem}" for problem in problems)]
    left = (attestation.expires - today).days
    return [*lines, f"holds until {attestation.expires} ({left} days left)"]


def normal_host(host: str) -> str:
    """Host in lower case without a final dot, and without the port where it is 443."""
    name, colon, port = host.strip().lower().rpartition(":")
    if not colon or not port.isdigit():
        name, port = host.strip().lower(), ""
    name = name.rstrip(".")
    return name if port in ("", "443") else f"{name}:{port}"


def normal_region(region: str) -> str:
    """Region without spaces and case: ``East US 2`` is ``eastus2``."""
    return "".join(region.lower().split())
