"""A README for whoever finds the folder of a model: what it is, how it may be passed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.core.atomic import write_bytes


def write_card(folder: Path, manifest: dict[str, Any]) -> None:
    """Write ``README.md`` of a model or adapter from its manifest; no text of a sample."""
    base = manifest["base"]
    text = (
        f"# {manifest['kind'].capitalize()} fine-tuned on {manifest['data']['name']}\n\n"
        f"{manifest['notice']}\n\n"
        f"- data class: {manifest['data_class']}\n"
        f"- base: {Path(base['path']).name}, {base['parameters']:,} weights, "
        f"sha256 {base['sha256'][:16]}\n"
        f"- made by cxr-pipeline {manifest['versions']['cxr-pipeline']}; every figure is in "
        "train.json\n\nNot a medical device; nothing it says is fit for care of a patient.\n"
    )
    write_bytes(folder / "README.md", text.encode())
