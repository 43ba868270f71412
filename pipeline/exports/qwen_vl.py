"""Qwen-VL's own fine-tuning code: a JSON list of ``image`` or ``images`` and ``conversations``.

After ``qwen-vl-finetune/README.md`` of QwenLM/Qwen3-VL (October 2025): exactly one ``<image>`` for
each file, none in an answer. Register ``annotation_path`` (the file) and ``data_path`` (the folder
of the images) in ``qwenvl/data/__init__.py``.
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.llava import conversation
from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as a conversation about its images."""
    images: dict[str, Any] = {}
    if len(sample.image_paths) == 1:
        images["image"] = sample.image_paths[0]
    elif sample.image_paths:
        images["images"] = list(sample.image_paths)
    return {"id": sample.id, **images, "conversations": conversation(sample)}


FORMAT = SampleFormat(
    "qwen-vl", "{part}.json", json_list(row), takes_images=True, marks_images=True
)
