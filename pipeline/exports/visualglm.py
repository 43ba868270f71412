"""VisualGLM, as XrayGLM publishes its set: a JSON list of ``img``, ``prompt`` and ``label``.

A row has one image and one turn: samples with another number of images are skipped, and of several
turns the first is taken, which is that of the caption. The trainer opens ``img`` relative to where
it is started, so a prefix is of use (``--image-prefix ./data/Xray``).
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.images import turns
from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as the trainer reads it."""
    question, answer = next(turns(sample))
    prompt = f"{sample.system}\n{question}" if sample.system else question
    return {"img": sample.image_paths[0], "prompt": prompt, "label": answer}


FORMAT = SampleFormat(
    "visualglm",
    "{part}.json",
    json_list(row),
    takes_images=True,
    least_images=1,
    most_images=1,
)
