"""Another language is data: the same engine with the Chinese libraries."""

from __future__ import annotations

import pytest

from pipeline.clinical.extract import extract_keyinfo, read_report
from pipeline.clinical.labels import label_report
from pipeline.core.resources import resource_path
from tests.clinical.sentence_cases import Case, missing, read_cases

ROOT = resource_path("libs", "zh")
CASES = read_cases("zh_sentences.psv")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sentence(case: Case) -> None:
    mentions = read_report(case.sentence, ROOT).mentions
    assert missing(case, mentions) == [], mentions


def test_there_are_forty() -> None:
    assert len(CASES) >= 40


def test_a_report_gives_keyinfo_and_labels() -> None:
    text = "心影轻度增大。右侧少量胸腔积液，未见气胸。"
    record = extract_keyinfo(text, ROOT)
    assert record["entity"]["胸腔积液"] == {"location": "右侧", "level": "少量", "type": None}
    assert record["no_entity"] == ["气胸"]
    assert label_report(text, ROOT).labels == ("Cardiomegaly", "Pleural Effusion")


def test_traditional_characters_keep_their_places_in_the_text() -> None:
    text = "右側胸腔積液。"
    (mention,) = read_report(text, ROOT).mentions
    assert text[slice(*mention.span)] == "胸腔積液"
    assert mention.name == "胸腔积液"
