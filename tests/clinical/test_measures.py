"""Sizes and distances as one word in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.measures import read_measure
from pipeline.clinical.sentences import word_starts, words


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8 mm", "8 mm"),
        ("8mm", "8 mm"),
        ("1.5-cm", "1.5 cm"),
        ("2.5x3cm", "2.5 x 3 cm"),
        ("2 by 3 by 4 cm", "2 x 3 x 4 cm"),
        ("2 cm x 3 cm", "2 cm x 3 cm"),
        ("3 to 4 mm", "3 to 4 mm"),
        ("less than 5 millimeters", "less than 5 mm"),
        ("5毫米", "5 mm"),
    ],
)
def test_all_spellings_have_one_form(text: str, size: str) -> None:
    tokens = words(text)
    assert len(tokens) == 1
    measure = read_measure(tokens, 0)
    assert measure is not None
    assert measure.size == size


@pytest.mark.parametrize("text", ["t12", "8", "4 views", "10 ml", "3 rd", "mm", "1 cmx"])
def test_other_numbers_are_no_measures(text: str) -> None:
    tokens = words(text)
    assert all(read_measure(tokens, index) is None for index in range(len(tokens)))


def test_what_was_measured_before_has_no_size() -> None:
    tokens = words("previously measuring 8 mm")
    measure = read_measure(tokens, len(tokens) - 1)
    assert measure is not None
    assert measure.size == ""


@given(st.lists(st.sampled_from(["8", "2.5", "mm", "cm", "x", "to", "-", "<", " ", "t12"])))
def test_every_word_lies_where_it_starts(pieces: list[str]) -> None:
    text = " ".join(pieces)
    for start, word in zip(word_starts(text, words(text)), words(text), strict=True):
        assert text.startswith(word, start)
