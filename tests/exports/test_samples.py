"""The shape of a sample."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.errors import DataError
from pipeline.exports.samples import SAMPLE_FIELDS, read_sample
from tests.exports.sample_records import record


def test_the_least_is_an_instruction_and_an_output() -> None:
    sample = read_sample({"id": "7/answers/1", "instruction": "Why?", "output": "So."})
    assert (sample.study_id, sample.subject_id, sample.split) == ("7", "", "")
    assert sample.patient == "study 7"
    assert sample.question == "Why?"
    assert (sample.input, sample.system, sample.history, sample.flags) == ("", "", (), ())


def test_the_input_follows_the_instruction_on_a_line_of_its_own() -> None:
    assert read_sample(record(1, input="The text.")).question == "Question 1?\nThe text."


def test_null_is_like_missing() -> None:
    nothing = dict.fromkeys(("input", "system", "history", "image_paths", "family", "flags"))
    sample = read_sample(record(1, **nothing))
    assert (sample.input, sample.history, sample.image_paths, sample.family) == ("", (), (), "")


@pytest.mark.parametrize(
    "changes",
    [
        {"instruction": None},
        {"instruction": "  \n"},
        {"output": ""},
        {"output": 3},
        {"input": ["a"]},
        {"history": "a"},
        {"history": [["only a question"]]},
        {"history": [["a", ""]]},
        {"history": [["a", None]]},
        {"image_paths": "a.png"},
        {"image_paths": [""]},
        {"flags": {"a": 1}},
    ],
)
def test_a_record_in_another_shape_is_refused_without_its_text(changes: dict[str, Any]) -> None:
    with pytest.raises(DataError) as caught:
        read_sample(record(1, **changes))
    assert caught.value.reason == "bad_sample"
    (name,) = changes
    assert name in caught.value.detail
    assert name in SAMPLE_FIELDS


def test_no_text_in_a_repr() -> None:
    sample = read_sample(record(1, system="Be short.", history=[["a secret", "b secret"]]))
    assert "Question" not in repr(sample)
    assert "secret" not in repr(sample)
