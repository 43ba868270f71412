"""How a large model would answer the label prompts: well, or in ways that must not be kept."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from pipeline.clinical.icd10_rules import answer_phrases
from pipeline.clinical.label_rules import answer_labels


def _task(messages: Sequence[Mapping[str, Any]]) -> tuple[str, dict[str, Any]]:
    report = str(messages[-1]["content"]).partition("Report:\n")[2]
    if '"phrases"' in str(messages[0]["content"]):
        return report, answer_phrases(report)
    return report, answer_labels(report)


def good(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """The rules' reading in the shape that the prompts ask for."""
    return orjson.dumps(_task(messages)[1]).decode()


def mixed(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Good answers, fenced ones, labels and codes that do not exist, other readings, prose."""
    report, answer = _task(messages)
    kind = hashlib.sha256(report.encode()).digest()[0] % 8
    if kind == 0:
        return f"Here it is:\n```json\n{orjson.dumps(answer).decode()}\n```"
    if kind == 1 and "labels" in answer:
        answer["labels"].append({"label": "Sadness", "status": "present", "evidence": ""})
    if kind == 2 and "phrases" in answer:
        answer["phrases"].append(
            {"phrase": "lungs", "code": "J00.9", "certain": True, "reason": ""}
        )
    if kind == 3 and "labels" in answer:
        answer = {
            "labels": [{"label": "Edema", "status": "present", "evidence": report.split(".")[0]}]
        }
    if kind == 4:
        return "I cannot find a report here."
    return orjson.dumps(answer).decode()
