from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.errors import ExitCode, GovernanceError
from pipeline.llm.attestation import (
    MAX_DAYS,
    explain,
    load_attestation,
    normal_host,
    normal_region,
)
from tests.support.attestations import EXAMPLE, TODAY, attestation, write_attestation

TERMS = ("zero_retention", "no_training", "no_human_review", "caching_acknowledged")


def test_the_example_loads_and_holds() -> None:
    loaded = load_attestation(EXAMPLE)
    assert loaded.problems(TODAY, azure=True) == []
    assert loaded.mismatches("my-resource.openai.azure.com", "gpt-4o-notes", "East US 2") == []
    assert "88 days left" in explain(loaded, TODAY, azure=True)[-1]


def test_the_id_names_the_content() -> None:
    assert attestation().id == load_attestation(EXAMPLE).id
    assert len(attestation().id) == 16
    assert attestation(terms__no_training=False).id != attestation().id


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"expires": TODAY - timedelta(days=1)}, "expired on"),
        ({"expires": date(2027, 2, 19)}, f"at most {MAX_DAYS} days"),
        ({"signed": TODAY + timedelta(days=1)}, "in the future"),
        ({"agreement__signed": date(2026, 11, 21)}, "after signed"),
        ({"evidence__collected": date(2026, 8, 1)}, "look again"),
        ({"policy__read": date(2025, 9, 24)}, "look again"),
        ({"terms__modified_abuse_monitoring": False}, "modified_abuse_monitoring must be true"),
        ({"terms__approved": None}, "modified_abuse_monitoring must be true"),
        ({"evidence__content_logging_off": False}, "content_logging_off must be true"),
        *[({f"terms__{name}": False}, f"terms.{name} is not true") for name in TERMS],
    ],
)
def test_what_does_not_hold_is_said(changes: dict[str, Any], words: str) -> None:
    (problem,) = attestation(**changes).problems(TODAY, azure=True)
    assert words in problem
    assert f"does not hold: {problem}" in explain(attestation(**changes), TODAY, azure=True)


def test_holds_on_its_first_and_last_day() -> None:
    one = attestation()
    assert one.problems(one.signed, azure=True) == []
    assert one.problems(one.expires, azure=True) == []
    assert one.problems(one.expires + timedelta(days=1), azure=True) != []


def test_azure_evidence_is_not_asked_of_others() -> None:
    one = attestation(terms__modified_abuse_monitoring=False, evidence__content_logging_off=False)
    assert one.problems(TODAY, azure=False) == []


@pytest.mark.parametrize(
    ("endpoint", "deployment", "region", "word"),
    [
        ("other.openai.azure.com", "gpt-4o-notes", "eastus2", "host"),
        ("my-resource.openai.azure.com:8443", "gpt-4o-notes", "eastus2", "host"),
        ("my-resource.openai.azure.com", "gpt-4o", "eastus2", "deployment"),
        ("my-resource.openai.azure.com", "GPT-4o-notes", "eastus2", "deployment"),
        ("my-resource.openai.azure.com", "gpt-4o-notes", "eastus", "region"),
        ("my-resource.openai.azure.com", "gpt-4o-notes", "", "region"),
    ],
)
def test_it_is_for_one_place_only(endpoint: str, deployment: str, region: str, word: str) -> None:
    (mismatch,) = attestation().mismatches(endpoint, deployment, region)
    assert f"for {word} " in mismatch


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"person__name": ""}, "person.name"),
        ({"person__name": None}, "person.name"),
        ({"agreement__datasets": []}, "agreement.datasets"),
        ({"terms__no_training": "yes"}, "terms.no_training"),
        ({"terms__no_training": 1}, "terms.no_training"),
        ({"evidence__sha256": "abc"}, "evidence.sha256"),
        ({"expires": "never"}, "expires"),
        ({"version": 2}, "version"),
        ({"comment": "x"}, "comment"),
        ({"endpoint__host": None}, "endpoint.host"),
    ],
)
def test_incomplete_files_name_the_field(
    tmp_path: Path, changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(GovernanceError, match=field) as caught:
        load_attestation(write_attestation(tmp_path / "a.yaml", **changes))
    assert caught.value.exit_code == ExitCode.REFUSED


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b"a: [", b"just text", b"- 1", b"[" * 5000, b"a: 1\n" * 20_000, b"\x00"],
)
def test_anything_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes(content)
    with pytest.raises(GovernanceError, match=r"a\.yaml"):
        load_attestation(path)


def test_a_missing_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(GovernanceError, match=r"attestation\.example\.yaml"):
            load_attestation(path)


@given(st.text(max_size=30))
def test_normal_forms_are_stable(text: str) -> None:
    assert normal_host(normal_host(text)) == normal_host(text)
    assert normal_region(normal_region(text)) == normal_region(text)


def test_normal_hosts() -> None:
    assert normal_host(" A.Example.ORG.:443") == "a.example.org"
    assert normal_host("a.example.org:8443") == "a.example.org:8443"
