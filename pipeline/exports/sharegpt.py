"""ShareGPT: a JSON list of ``conversations``, turns of ``from`` (system, human, gpt) and ``value``.

A system prompt is the first turn, which LLaMA-Factory, FastChat and Axolotl all read. Turns of
``human`` and ``gpt`` alternate and end with ``gpt``.
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as a conversation."""
    turns = [("system", sample.system)] if sample.system else []
    for question, answer in (*sample.history, (sample.question, sample.output)):
        turns += [("human", question), ("gpt", answer)]
    return {
        "id": sample.id,
        "conversations": [{"from": role, "value": text} for role, text in turns],
    }


FORMAT = SampleFormat("sharegpt", "{part}.json", json_list(row))
