"""The explanation shows clauses, triggers, mentions, labels and KeyInfo."""

from __future__ import annotations

import pytest

from pipeline.clinical.explain import explain, explain_text
from pipeline.clinical.extract import extract_keyinfo, read_report


def test_what_decided_a_status_is_shown() -> None:
    sentence = explain("No effusion, but mild cardiomegaly.")[0]
    assert len(sentence.clauses) == 2
    denied = sentence.clauses[0][0]
    assert (denied.status, denied.trigger) == ("absent", "no")
    assert denied.joins == ("no (negation)",)
    assert [m.name for m in sentence.mentions] == ["pleural effusion", "cardiomegaly"]


def test_text_for_people() -> None:
    text = explain_text("The heart is enlarged. Opacity at the left base may represent pneumonia.")
    assert "* cardiomegaly: present" in text
    assert "site + state" in text
    assert "* pneumonia: uncertain; location left base; ICD-10-CM J18.9" in text
    assert "labels     Cardiomegaly, Lung Opacity" in text
    assert "uncertain  Pneumonia" in text


def test_sections_that_are_passed_over_are_not_explained() -> None:
    sentences = explain("INDICATION: Pneumonia.\nFINDINGS: No effusion.")
    assert [s.text for s in sentences] == ["FINDINGS: No effusion."]


def test_nothing_to_explain() -> None:
    assert explain("") == ()
    assert explain_text("").startswith("labels     Normal")


@pytest.mark.parametrize(
    ("text", "qualifier"),
    [
        ("No large effusion.", "large"),
        ("No focal consolidation.", "focal"),
        ("No acute displaced rib fracture.", "acute displaced"),
        ("No significant effusion.", "significant"),
        ("No effusion.", ""),
    ],
)
def test_what_a_denial_is_limited_to_is_shown(text: str, qualifier: str) -> None:
    (mention,) = read_report(text).mentions
    assert (mention.status, mention.qualifier) == ("absent", qualifier)
    assert ("denied only if" in explain_text(text)) == bool(qualifier)
    assert extract_keyinfo(text)["no_entity"] == [mention.name]
