"""LLaVA: a JSON list of ``id``, ``image`` and ``conversations``.

Paths are relative to the trainer's ``--image_folder``. A row has one image: samples with several
are skipped, those without have no ``image``.
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.images import marked_turns
from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def conversation(sample: Sample) -> list[dict[str, str]]:
    """The turns, with the images marked and the system prompt before the first question."""
    made: list[dict[str, str]] = []
    for question, answer in marked_turns(sample):
        if sample.system and not made:
            question = f"{sample.system}\n{question}"
        made += [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return made


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as a conversation about its image."""
    image = {"image": sample.image_paths[0]} if sample.image_paths else {}
    return {"id": sample.id, **image, "conversations": conversation(sample)}


FORMAT = SampleFormat(
    "llava", "{part}.json", json_list(row), takes_images=True, marks_images=True, most_images=1
)
