"""VisualGLM, as XrayGLM publishes its set: a JSON list of ``img``, ``prompt`` and ``label``.

A row has one image and one turn: samples with another number of images, or with earlier turns, are
skipped. The trainer opens ``img`` relative to where it is started, so a prefix is of use
(``--image-prefix ./data/Xray``).
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as the trainer reads it."""
    prompt = f"{sample.system}\n{sample.question}" if sample.system else sample.question
    return {"img": sample.image_paths[0], "prompt": prompt, "label": sample.output}


FORMAT = SampleFormat(
    "visualglm",
    "{part}.json",
    json_list(row),
    takes_images=True,
    least_images=1,
    most_images=1,
    one_turn=True,
)
