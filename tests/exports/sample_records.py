"""Records in sample shape for the tests of the exports; invented, they describe nobody."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline.exports.images import ImageOptions, ImagePlace
from pipeline.exports.registry import sample_format
from pipeline.exports.sample_files import FolderFacts, write_folder
from pipeline.exports.split import SplitOptions
from pipeline.exports.survey import Samples

ODD = 'quoted "words", a\ttab,\r\na line, a \u2028 separator, 肺 ½ and \\n'


def record(number: int, **changes: Any) -> dict[str, Any]:
    """A sample of study ``number``; each patient has three studies."""
    return {
        "id": f"{number}/answers/0",
        "study_id": str(number),
        "subject_id": str(number // 3),
        "instruction": f"Question {number}?",
        "input": f"FINDINGS: The heart is of size {number}.",
        "output": f"It is of size {number}.",
        "family": "qa" if number % 2 else "summary",
        **changes,
    }


def records(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [record(number, **changes) for number in range(count)]


def facts(name: str = "toy", data_class: str = "synthetic") -> FolderFacts:
    return FolderFacts(
        name=name,
        data_class=data_class,
        notice=f"Made of {data_class} data.",
        provenance={
            "run_id": "r1",
            "recipe": {"name": "toy", "description": "Toys."},
            "source": {
                "kind": "table",
                "data_class": data_class,
                "files": [{"name": "in.csv", "sha256": "0" * 64}],
            },
            "versions": {"cxr-pipeline": "0.0"},
            "stages": [
                {
                    "name": "answer",
                    "model": "m",
                    "counts": {"in": 9, "records": 8, "filtered": 0, "rejected": 1},
                    "reasons": {"ungrounded": 1},
                }
            ],
        },
    )


def export(
    format_: str,
    rows: Sequence[dict[str, Any]],
    folder: Path,
    about: FolderFacts | None = None,
    *,
    images: dict[str, Any] | None = None,
    root: Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Write ``rows`` as the command does; returns the manifest."""
    folder.mkdir(exist_ok=True)
    described = sample_format(format_)
    samples = Samples(
        lambda: rows,
        lambda row: row,
        SplitOptions.model_validate(options),
        refuse=described.refusal,
        marks_images=described.marks_images,
        images=ImagePlace(ImageOptions.model_validate(images or {}), folder, root),
    )
    return write_folder(described, samples, folder, about or facts())
