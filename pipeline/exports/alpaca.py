"""Alpaca: a JSON list of ``instruction``, ``input``, ``output``, as Stanford Alpaca published it.

``system`` and ``history`` (earlier turns as ``[question, answer]``) are there in all rows if any
sample has one, in the form LLaMA-Factory and others read. ``id`` leads back to the run.
"""

from __future__ import annotations

from typing import Any

from pipeline.exports.sample_files import SampleFormat, json_list
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Survey


def row(sample: Sample, survey: Survey) -> dict[str, Any]:
    """One sample as an Alpaca row."""
    made: dict[str, Any] = {
        "id": sample.id,
        "instruction": sample.instruction,
        "input": sample.input,
        "output": sample.output,
    }
    if survey.has_system:
        made["system"] = sample.system
    if survey.has_history:
        made["history"] = sample.history
    return made


FORMAT = SampleFormat("alpaca", "{part}.json", json_list(row))
