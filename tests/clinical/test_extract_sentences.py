"""Our own sentences, by phenomenon: status and attributes of what they mention."""

from __future__ import annotations

import pytest

from pipeline.clinical.extract import read_report
from tests.clinical.sentence_cases import Case, missing, read_cases

CASES = read_cases("rule_sentences.psv")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sentence(case: Case) -> None:
    mentions = read_report(case.sentence).mentions
    assert missing(case, mentions) == [], mentions


def test_there_are_two_hundred() -> None:
    assert len(CASES) >= 200


def test_spans_hold_the_words_that_prove_a_mention() -> None:
    text = "Heart is normal. There is a small left pleural effusion."
    found = {m.name: text[m.span[0] : m.span[1]] for m in read_report(text).mentions}
    assert found["pleural effusion"] == "pleural effusion"
    assert found["cardiomegaly"] == "Heart is normal"
