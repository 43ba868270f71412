"""ICD-10-CM codes exist or not; phrases keep what was said of them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.icd10 import load_code_book
from pipeline.clinical.icd10_reply import parse_phrases_reply
from pipeline.clinical.icd10_rules import answer_phrases
from pipeline.clinical.lexicon import load_lexicon

REPORT = "Small left pleural effusion. Likely atelectasis. No pneumothorax."


@pytest.mark.parametrize(
    ("text", "code", "exists"),
    [
        ("J90", "J90", "code"),
        ("j98.11", "J98.11", "code"),
        ("J9811", "J98.11", "code"),
        (" R91.8 ", "R91.8", "code"),
        ("S22.42XA", "S22.42XA", "code"),
        ("J98.12", "J98.12", "unknown"),
        ("J00.9", "J00.9", "unknown"),
        ("X99.999", "X99.999", "category"),
        ("A14", "A14", "unknown"),
        ("H40.11", "H40.11", "category"),
        ("pneumonia", "pneumonia", "unknown"),
        ("", "", "unknown"),
        ("J18.9.1", "J18.9.1", "unknown"),
    ],
)
def test_codes(text: str, code: str, exists: str) -> None:
    check = load_code_book().check(text)
    assert (check.code, check.exists) == (code, exists)


def test_no_code_of_the_disease_library_is_unknown() -> None:
    book = load_code_book()
    codes = {finding.icd10 for finding in load_lexicon().findings if finding.icd10}
    assert {code for code in codes if book.check(code).exists == "unknown"} == set()


def test_codes_belong_to_categories() -> None:
    book = load_code_book()
    assert {code[:3] for code in book.codes} <= set(book.categories)


@given(st.text(max_size=12))
def test_checking_never_fails_and_is_idempotent(text: str) -> None:
    once = load_code_book().check(text)
    assert load_code_book().check(once.code) == once


def entry(phrase: str, code: str, certain: bool = True) -> dict[str, object]:
    return {"phrase": phrase, "code": code, "certain": certain, "reason": "so it says"}


def test_phrases_carry_title_and_place() -> None:
    text = json.dumps({"phrases": [entry("left  pleural effusion", "J90"), entry("cough", "R05")]})
    found = parse_phrases_reply(text, "stop", REPORT)
    assert found.phrases is not None
    first, second = found.phrases
    assert first["phrase"] == "left pleural effusion" and first["in_text"]
    assert first["title"].startswith("Pleural effusion") and first["exists"] == "code"
    assert not second["in_text"]


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([entry("effusion", "J90"), entry("lung", "J00.9")], "unknown_code"),
        ([entry("effusion", "")], "unknown_code"),
        ([entry("", "J90")], "wrong_shape"),
        ([{"code": "J90"}], "wrong_shape"),
        (["effusion"], "wrong_shape"),
    ],
)
def test_what_cannot_be_used_is_refused(items: list[object], reason: str) -> None:
    found = parse_phrases_reply(json.dumps({"phrases": items}), "stop", REPORT)
    assert (found.phrases, found.reason) == (None, reason)


def test_an_empty_list_is_an_answer() -> None:
    assert parse_phrases_reply('{"phrases": []}').phrases == ()


def test_repeated_phrases_stand_once() -> None:
    text = json.dumps({"phrases": [entry("effusion", "J90"), entry("Effusion", "j90")]})
    found = parse_phrases_reply(text, "stop", REPORT)
    assert found.phrases is not None and len(found.phrases) == 1


def test_the_rules_doubt_what_is_only_likely() -> None:
    found = parse_phrases_reply(json.dumps(answer_phrases(REPORT)), "stop", REPORT)
    assert found.phrases is not None
    assert [(p["code"], p["certain"], p["in_text"]) for p in found.phrases] == [
        ("J90", True, True),
        ("J98.11", False, True),
    ]
