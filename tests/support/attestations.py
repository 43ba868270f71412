"""Attestations for tests: the documented example, changed where a test needs it."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

from pipeline.llm.attestation import Attestation

EXAMPLE = Path(__file__).parents[2] / "docs" / "attestation.example.yaml"
TODAY = date(2026, 11, 22)
"""A day on which the example holds."""


def attestation_data(**changes: Any) -> dict[str, Any]:
    """The example as a mapping; ``terms__approved=None`` changes a nested field."""
    data: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    for path, value in changes.items():
        *parents, last = path.split("__")
        part = data
        for name in parents:
            part = part[name]
        part[last] = value
    return data


def attestation(**changes: Any) -> Attestation:
    """The example, validated."""
    return Attestation.model_validate(attestation_data(**changes))


def write_attestation(path: Path, **changes: Any) -> Path:
    """The example as a file."""
    path.write_text(yaml.safe_dump(attestation_data(**changes)))
    return path
