"""Labelled reports as fine-tuning samples: what is asked and what is to be answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import orjson

from pipeline.clinical.combine_labels import states_of
from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES

AnswerForm = Literal["list", "json"]

SYSTEM: Final = "You label chest X-ray reports. You say only what the report says."
"""System prompt of both tasks."""

NOTHING: Final = "None"
"""Answer of the phrase task where the patient has nothing."""

_LABELS_LIST: Final = (
    "Which of these findings does the report state as present? "
    f"{', '.join(CLASSES)}. Answer with their names, separated by commas, or with {NORMAL}."
)
_LABELS_JSON: Final = (
    "Which of these findings does the report state, doubt or deny? "
    f"{', '.join(CLASSES)}. "
    'Answer with JSON: {"labels": [{"label", "status", "evidence"}]}, status being present, '
    f"uncertain or absent, evidence a sentence of the report; {NORMAL} where none is present."
)
_PHRASES_LIST: Final = (
    "Name every disease or finding of the patient that has an ICD-10-CM code. Answer with one line "
    f"for each, the words of the report, a bar and the code, or with {NOTHING}."
)
_PHRASES_JSON: Final = (
    "Name every disease or finding of the patient that has an ICD-10-CM code. "
    'Answer with JSON: {"phrases": [{"phrase", "code", "certain", "reason"}]}.'
)


def label_sample(record: Mapping[str, Any], form: AnswerForm) -> dict[str, Any]:
    """The sample of the 13-class task: ``instruction``, ``input``, ``output``, ``system``."""
    if form == "list":
        return _sample("labels", _LABELS_LIST, record, ", ".join(record["labels"]))
    evidence = record.get("evidence") or {}
    entries = [
        {"label": name, "status": status, "evidence": evidence.get(name, "")}
        for name, status in states_of(record).items()
    ]
    if record["labels"] == [NORMAL]:
        entries.insert(0, {"label": NORMAL, "status": "present", "evidence": ""})
    return _sample("labels", _LABELS_JSON, record, orjson.dumps({"labels": entries}).decode())


def phrase_sample(record: Mapping[str, Any], form: AnswerForm) -> dict[str, Any]:
    """The sample of the ICD-10 task."""
    phrases = record["phrases"]
    if form == "list":
        lines = [f"{phrase['phrase']} | {phrase['code']}" for phrase in phrases]
        return _sample("icd10", _PHRASES_LIST, record, "\n".join(lines) or NOTHING)
    kept = ("phrase", "code", "certain", "reason")
    answer = {"phrases": [{name: phrase[name] for name in kept} for phrase in phrases]}
    return _sample("icd10", _PHRASES_JSON, record, orjson.dumps(answer).decode())


def _sample(family: str, asked: str, record: Mapping[str, Any], answer: str) -> dict[str, Any]:
    return {
        "family": family,
        "system": SYSTEM,
        "instruction": asked,
        "input": record["reading"],
        "output": answer,
    }
