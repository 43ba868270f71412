"""Samples: the shape in which stages hand fine-tuning data to the exports.

A record is a sample when it has these fields:

=============  ==========================  =========================================================
field          type                        meaning
=============  ==========================  =========================================================
instruction    str, not blank              what is asked
output         str, not blank              what the model shall answer
input          str                         what it is asked about, such as a report; "" for none
system         str                         system prompt; "" for none
history        list of [question, answer]  earlier turns of the conversation
image_paths    list of str                 image files the instruction is about, relative or not
family         str                         task family, for counts
flags          list                        doubts of earlier stages, kept in Parquet alone
=============  ==========================  =========================================================

``instruction`` and ``output`` are needed, the rest may be missing or null. Besides, the record
keeps its identity (``pipeline.core.records``): ``study_id``, ``subject_id`` and ``split`` decide
into which file it goes. ``images`` of the identity are the images of the study, not of the sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import DataError
from pipeline.core.records import root_id

SAMPLE_FIELDS = (
    "instruction",
    "input",
    "output",
    "system",
    "history",
    "image_paths",
    "family",
    "flags",
)
"""Fields of a record that make it a sample."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One training sample, checked; text is left out of its ``repr``.

    Attributes:
        id: id of the record it was made of.
        study_id: the study it stems from.
        subject_id: the patient, "" where unknown.
        split: the split as recorded, "" where none is.
        family: task family, "" where none is given.
        instruction: what is asked.
        input: what it is asked about, or "".
        output: the answer to learn.
        system: system prompt, or "".
        history: earlier turns, as pairs of question and answer.
        image_paths: images it is about.
        flags: doubts, as JSON values.
    """

    id: str
    study_id: str
    subject_id: str
    split: str
    family: str
    instruction: str = field(repr=False)
    input: str = field(repr=False)
    output: str = field(repr=False)
    system: str = field(default="", repr=False)
    history: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    image_paths: tuple[str, ...] = ()
    flags: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def patient(self) -> str:
        """Whose samples belong together: the patient, or the study where no patient is known."""
        return f"patient {self.subject_id}" if self.subject_id else f"study {self.study_id}"

    @property
    def question(self) -> str:
        """The user's turn where a format has no ``input`` of its own."""
        return f"{self.instruction}\n{self.input}" if self.input else self.instruction


def read_sample(record: Mapping[str, Any]) -> Sample:
    """The sample a record holds.

    Raises:
        DataError: reason ``bad_sample``; names the field that is missing or has the wrong type.
    """
    record_id = str(record.get("id") or "")
    return Sample(
        id=record_id,
        study_id=str(record.get("study_id") or root_id(record_id)),
        subject_id=str(record.get("subject_id") or ""),
        split=str(record.get("split") or ""),
        family=_text(record, "family"),
        instruction=_text(record, "instruction", needed=True),
        input=_text(record, "input"),
        output=_text(record, "output", needed=True),
        system=_text(record, "system"),
        history=_turns(record.get("history")),
        image_paths=_paths(record.get("image_paths")),
        flags=tuple(_list(record.get("flags"), "flags")),
    )


def _text(record: Mapping[str, Any], name: str, *, needed: bool = False) -> str:
    value = record.get(name)
    if value is None:
        value = ""
    if not isinstance(value, str):
        raise DataError("bad_sample", f"{name} is no text")
    if needed and not value.strip():
        raise DataError("bad_sample", f"{name} is empty")
    return value if value.strip() else ""


def _list(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    if value is None:
        return ()
    if not isinstance(value, list | tuple):
        raise DataError("bad_sample", f"{name} is no list")
    return value


def _turns(value: Any) -> tuple[tuple[str, str], ...]:
    turns = []
    for turn in _list(value, "history"):
        if (
            not isinstance(turn, list | tuple)
            or len(turn) != 2
            or not all(isinstance(text, str) and text.strip() for text in turn)
        ):
            raise DataError("bad_sample", "history is no list of [question, answer]")
        turns.append((turn[0], turn[1]))
    return tuple(turns)


def _paths(value: Any) -> tuple[str, ...]:
    paths = _list(value, "image_paths")
    if not all(isinstance(path, str) and path for path in paths):
        raise DataError("bad_sample", "image_paths is no list of paths")
    return tuple(paths)
