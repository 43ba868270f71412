from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ExitCode, GovernanceError
from pipeline.llm.config import parse_backend
from pipeline.llm.governance import (
    Feature,
    Gate,
    GovernanceConfig,
    StorageOverride,
    endpoint_of,
    open_gate,
)
from tests.support.attestations import TODAY, attestation, write_attestation

AZURE = "https://my-resource.openai.azure.com"
OVERRIDE = StorageOverride(by="Jane Doe", reason="half the price", date=TODAY)
FEATURES: tuple[Feature, ...] = ("chat", "batch", "files")


@dataclass(frozen=True)
class Place:
    """A deployment as far as the gate looks at it."""

    url: str = AZURE
    deployment: str = "gpt-4o-notes"
    region: str = "eastus2"


def gate(*attested: Any, data_class: str = "credentialed", **options: Any) -> Gate:
    return Gate(data_class, attestations=attested, today=lambda: TODAY, **options)


def refusal(gate: Gate, place: Place | None, feature: Feature = "chat") -> str:
    with pytest.raises(GovernanceError) as caught:
        gate.check(place, feature)
    assert caught.value.exit_code == ExitCode.REFUSED
    return str(caught.value)


@pytest.mark.parametrize("feature", FEATURES)
def test_in_process_is_always_allowed(feature: Feature) -> None:
    gate().check(None, feature)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000/v1",
        "http://127.0.0.1:8000/v1",
        "http://127.8.9.1/v1",
        "http://[::1]:8000/v1",
    ],
)
def test_loopback_is_allowed(url: str) -> None:
    gate().check(Place(url, region=""))


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost.example.org/v1",
        "https://127.0.0.1.example.org/v1",
        "https://10.0.0.7/v1",
        "https://0.0.0.0/v1",
        "https://notlocalhost/v1",
        "https://127.1/v1",
        "https://[::ffff:10.0.0.7]/v1",
        "https://my-resource.openai.azure.com.example.org",
        "https://evil-openai.azure.com",
    ],
)
def test_what_only_looks_local_or_like_azure_is_refused(url: str) -> None:
    assert "not listed" in refusal(gate(), Place(url))


@pytest.mark.parametrize("feature", FEATURES)
@pytest.mark.parametrize(
    "url",
    [
        "https://api.openai.com/v1",
        "https://eu.api.openai.com/v1",
        "https://API.OpenAI.com./v1",
        "https://chatgpt.com/v1",
    ],
)
def test_the_public_api_is_refused_even_listed_and_attested(url: str, feature: Feature) -> None:
    host = endpoint_of(url)
    lenient = gate(
        attestation(endpoint__host=host, provider_storage={"allowed": True}),
        allowed_hosts=[host],
        override=OVERRIDE,
    )
    assert "always refused" in refusal(lenient, Place(url), feature)


def test_azure_needs_a_matching_attestation() -> None:
    words = refusal(gate(), Place())
    assert "attestation.example.yaml" in words
    assert "local model" in words
    gate(attestation()).check(Place())
    gate(attestation(endpoint__host="x.openai.azure.com"), attestation()).check(Place())
    assert "for deployment" in refusal(gate(attestation()), Place(deployment="other"))
    assert "for region" in refusal(gate(attestation()), Place(region="westus"))
    assert "region" in refusal(gate(attestation()), Place(region=""))
    assert "zero_retention" in refusal(gate(attestation(terms__zero_retention=False)), Place())


def test_a_port_of_its_own_needs_an_attestation_of_its_own() -> None:
    gate(attestation()).check(Place(AZURE + ":443"))
    assert "for host" in refusal(gate(attestation()), Place(AZURE + ":8443"))


def test_other_hosts_must_be_listed_and_attested() -> None:
    place = Place("https://llm.hospital.example:8443/v1", "llama", "on-premises")
    attested = attestation(
        endpoint__host="LLM.hospital.example:8443",
        endpoint__deployment="llama",
        endpoint__region="on-premises",
        terms__modified_abuse_monitoring=False,
        evidence__content_logging_off=False,
    )
    host = "llm.hospital.example:8443"
    assert "allowed_hosts" in refusal(gate(attested), place)
    assert "no attestation" in refusal(gate(allowed_hosts=[host]), place)
    gate(attested, allowed_hosts=[host]).check(place)
    assert "not listed" in refusal(gate(attested, allowed_hosts=["llm.hospital.example"]), place)


@pytest.mark.parametrize("feature", ["batch", "files"])
@pytest.mark.parametrize("url", [AZURE, "http://127.0.0.1:8000/v1"])
def test_storing_services_need_the_override(feature: Feature, url: str) -> None:
    storing = attestation(provider_storage={"allowed": True, "reason": "price"})
    assert "governance.provider_storage" in refusal(gate(storing), Place(url), feature)
    gate(storing, override=OVERRIDE).check(Place(url), feature)


def test_storing_services_need_the_attestation_to_say_so_too() -> None:
    words = refusal(gate(attestation(), override=OVERRIDE), Place(), "batch")
    assert "provider_storage.allowed" in words


def test_an_attestation_that_expires_during_the_run_stops_it() -> None:
    days = iter([TODAY, TODAY, date(2027, 2, 19)])
    one = Gate("credentialed", attestations=[attestation()], today=lambda: next(days))
    one.check(Place())
    one.check(Place())
    with pytest.raises(GovernanceError, match="expired"):
        one.check(Place())


@pytest.mark.parametrize("data_class", ["public", "synthetic"])
def test_other_data_may_go_anywhere(data_class: str) -> None:
    for url in (AZURE, "https://api.openai.com/v1", "https://example.org/v1"):
        for feature in FEATURES:
            gate(data_class=data_class).check(Place(url, region=""), feature)


def test_an_unknown_data_class_is_refused() -> None:
    for name in ("", "Credentialed", "open", "auto"):
        with pytest.raises(GovernanceError, match="data class"):
            Gate(name)


@given(
    host=st.from_regex(r"[a-z0-9-]{1,12}(\.[a-z0-9-]{1,12}){1,3}", fullmatch=True),
    feature=st.sampled_from(FEATURES),
)
def test_no_unlisted_host_ever_passes(host: str, feature: Feature) -> None:
    place = Place(f"https://{host}/v1")
    if not host.startswith("127."):
        refusal(gate(attestation(endpoint__host=host)), place, feature)


def test_takes_the_deployments_of_a_recipe() -> None:
    backend = parse_backend(
        {
            "kind": "azure",
            "model": "gpt-4o",
            "deployments": [{"url": AZURE, "deployment": "gpt-4o-notes", "region": "East US 2"}],
        }
    )
    gate(attestation()).check(backend.deployments[0])
    refusal(gate(), Place())


def test_open_gate_reads_attestations_beside_the_recipe(tmp_path: Path) -> None:
    write_attestation(tmp_path / "a.yaml")
    config = GovernanceConfig.model_validate({"attestations": ["a.yaml"]})
    open_gate("credentialed", config, tmp_path, lambda: TODAY).check(Place())
    missing = GovernanceConfig(attestations=("none.yaml",))
    with pytest.raises(GovernanceError, match=r"none\.yaml"):
        open_gate("credentialed", missing, tmp_path)
    open_gate("public", missing, tmp_path).check(Place())


def test_explains_instead_of_raising() -> None:
    text = "\n".join(gate(attestation()).explain(Place()))
    assert "allowed" in text
    assert "holds until" in text
    text = "\n".join(gate(attestation(expires=TODAY - timedelta(days=1))).explain(Place()))
    assert "refused" in text
    assert "does not hold: it expired" in text
    assert gate().explain(None) == ["data class: credentialed", "allowed"]


def test_the_record_goes_into_a_manifest() -> None:
    one = attestation()
    facts = json.loads(json.dumps(gate(one, override=OVERRIDE).record()))
    assert facts["contains_restricted_derivatives"] is True
    assert facts["attestations"] == [one.id]
    assert facts["provider_storage"]["by"] == "Jane Doe"
    assert gate(data_class="public").record() == {"data_class": "public"}


def test_an_override_needs_name_reason_and_date() -> None:
    for wrong in ({}, {"by": "x", "date": TODAY}, {"by": "", "reason": "y", "date": TODAY}):
        with pytest.raises(ValueError, match="provider_storage"):
            GovernanceConfig.model_validate({"provider_storage": wrong})
