from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.followup import KINDS, Discrepancy, find_discrepancies, statements
from pipeline.clinical.followup_answer import (
    ANSWER_SCHEMA,
    Answer,
    answer_by_rules,
    merge,
    parse_answer,
)
from pipeline.clinical.standardise import standardise

REPORT = (
    "There is a small left pleural effusion. Possible pneumonia in the right lower lobe. "
    "No pneumothorax. The heart is mildly enlarged."
)
RULES = standardise(extract_keyinfo(REPORT)).record


def keyinfo(**categories: Any) -> dict[str, Any]:
    return standardise({"entity": {}, **categories}).record


def found(record: dict[str, Any], kinds: tuple[str, ...] = KINDS) -> list[tuple[str, str]]:
    return [(one.kind, one.name) for one in find_discrepancies(record, RULES, REPORT, kinds)]


def test_equal_records_have_none() -> None:
    assert found(RULES) == []


def test_each_kind_is_seen() -> None:
    record = keyinfo(
        entity={
            "effusion": {"location": "left"},
            "pneumonia": {"location": "right lower lobe"},
            "granuloma": None,
        },
    )
    assert found(record) == [
        ("missing", "cardiomegaly"),
        ("negation", "pneumothorax"),
        ("status", "pneumonia"),
        ("attribute", "effusion"),
        ("unsupported", "granuloma"),
    ]
    assert found(record, ("negation",)) == [("negation", "pneumothorax")]


def test_only_attributes_that_the_rules_read_are_asked_for() -> None:
    record = {**RULES, "entity": {**RULES["entity"], "pleural effusion": None}}
    (one,) = find_discrepancies(standardise(record).record, RULES, REPORT)
    assert one.slots == ("location", "level")
    assert "where it is" in one.question() and "small" not in one.question()


def test_wordings_and_kinds_of_a_finding_are_no_discrepancy() -> None:
    text = "There is a fracture. No effusion."
    rules = standardise(extract_keyinfo(text)).record
    record = keyinfo(entity={"rib fracture": None}, no_entity=["pleural effusion"])
    assert find_discrepancies(record, rules, text) == []


def test_a_finding_named_by_another_form_of_its_word_is_supported() -> None:
    text = "Scattered granulomata are calcified."
    record = keyinfo(entity={"granuloma": None})
    assert find_discrepancies(record, keyinfo(), text, ("unsupported",)) == []


def test_clear_lungs_are_asked_about() -> None:
    text = "The lungs are clear."
    rules = standardise(extract_keyinfo(text)).record
    (one,) = find_discrepancies(keyinfo(), rules, text)
    assert one == Discrepancy("missing", "clear")
    answer = Answer("present", ({"location": "lungs", "level": None, "type": None},), text)
    merged = standardise(merge(keyinfo(), one, answer)).record
    assert merged["opacity_vs_clear"] == {"clear": {**SET, "location": "lungs"}}
    assert find_discrepancies(merged, rules, text) == []


SET = {"location": None, "level": None, "type": None}


@pytest.mark.parametrize(
    ("before", "asked", "answer", "after"),
    [
        (
            {},
            Discrepancy("missing", "pleural effusion"),
            Answer("present", ({**SET, "location": "left", "level": "small"},)),
            {"entity": {"pleural effusion": {**SET, "location": "left", "level": "small"}}},
        ),
        ({}, Discrepancy("missing", "pneumonia"), Answer("not_mentioned"), {}),
        (
            {},
            Discrepancy("negation", "pneumothorax"),
            Answer("absent"),
            {"no_entity": ["pneumothorax"]},
        ),
        (
            {"entity": {"pneumonia": {**SET, "location": "right"}}},
            Discrepancy("status", "pneumonia"),
            Answer("uncertain", ({**SET, "location": "left"},)),
            {"uncertain_entity": {"pneumonia": {**SET, "location": "right"}}},
        ),
        (
            {"entity": {"pneumonia": None}},
            Discrepancy("status", "pneumonia"),
            Answer("absent"),
            {"no_entity": ["pneumonia"]},
        ),
        (
            {"no_entity": ["pneumonia"]},
            Discrepancy("status", "pneumonia"),
            Answer("present", ({**SET, "level": "mild"},)),
            {"entity": {"pneumonia": {**SET, "level": "mild"}}},
        ),
        (
            {"entity": {"granuloma": None}},
            Discrepancy("unsupported", "granuloma"),
            Answer("not_mentioned"),
            {},
        ),
        (  # an answer about an attribute does not move a finding, or fill what was not asked for
            {"entity": {"edema": {**SET, "location": "bilateral"}}},
            Discrepancy("attribute", "edema", ("level",)),
            Answer("uncertain", ({"location": "left", "level": "mild", "type": "patchy"},)),
            {"entity": {"edema": {**SET, "location": "bilateral", "level": "mild"}}},
        ),
        (
            {"entity": {"edema": None}},
            Discrepancy("attribute", "edema", ("level",)),
            Answer("absent"),
            {"entity": {"edema": None}},
        ),
        (  # a place that was missing may be two
            {"entity": {"pleural effusion": None}},
            Discrepancy("attribute", "pleural effusion", ("location", "level")),
            Answer(
                "present",
                (
                    {**SET, "location": "left", "level": "small"},
                    {**SET, "location": "right", "level": "large"},
                ),
            ),
            {
                "entity": {
                    "pleural effusion": [
                        {**SET, "location": "left", "level": "small"},
                        {**SET, "location": "right", "level": "large"},
                    ]
                }
            },
        ),
        (  # which instance is meant must be certain
            {"entity": {"opacity": [{**SET, "location": "left"}, {**SET, "location": "right"}]}},
            Discrepancy("attribute", "opacity", ("type",)),
            Answer("present", ({**SET, "type": "patchy"}, {**SET, "location": "Right"})),
            {"entity": {"opacity": [{**SET, "location": "left"}, {**SET, "location": "right"}]}},
        ),
    ],
)
def test_answers_are_merged(
    before: dict[str, Any], asked: Discrepancy, answer: Answer, after: dict[str, Any]
) -> None:
    merged = standardise(merge(keyinfo(**before), asked, answer)).record
    assert merged == keyinfo(**after)


def test_a_merge_leaves_its_input_alone() -> None:
    record = keyinfo(entity={"pneumonia": None}, no_entity=["edema"])
    before = json.dumps(record)
    merge(record, Discrepancy("status", "pneumonia"), Answer("absent"))
    assert json.dumps(record) == before


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"status": "present", "findings": [], "quote": "a b"}', "present"),
        ('Sure!\n```json\n{"status": "Not mentioned", "findings": []}\n```', "not_mentioned"),
        ("{'status': 'possible', 'findings': None, 'quote': None,}", "uncertain"),
        ('<think>{"status": "absent"}</think>{"status": "present"}', "present"),
    ],
)
def test_answers_are_read(text: str, status: str) -> None:
    answer = parse_answer(text)
    assert answer is not None and answer.status == status


@pytest.mark.parametrize(
    ("text", "finish"),
    [
        ("", "stop"),
        ("I'm sorry, I cannot help with that.", "stop"),
        ('{"status": "present", "findings": [{"location": "le', "stop"),
        ('{"status": "present"}', "length"),
        ('{"status": "maybe so"}', "stop"),
        ('{"finding": "present"}', "stop"),
        ("[" * 100_000, "stop"),
        ("{" * 100_000, "stop"),
    ],
)
def test_what_is_no_answer_is_none(text: str, finish: str) -> None:
    assert parse_answer(text, finish) is None


def test_attributes_beside_the_status_count() -> None:
    answer = parse_answer('{"status": "present", "location": "left", "level": null}')
    assert answer is not None
    assert answer.findings == ({"location": "left", "level": None, "type": None},)


@pytest.mark.parametrize(
    ("quote", "rests"),
    [
        ("small left pleural effusion", True),
        ("SMALL LEFT  pleural-effusion", True),
        ("large left pleural effusion", False),
        ("effusion", False),
        ("mall left pleural", False),
        ("", False),
    ],
)
def test_a_quotation_must_stand_in_the_report(quote: str, rests: bool) -> None:
    assert Answer("present", quote=quote).rests_on(REPORT) is rests


def test_the_rules_answer_in_the_same_shape() -> None:
    for name, status in (
        ("effusion", "present"),
        ("pneumonia", "uncertain"),
        ("pneumothorax", "absent"),
        ("nodule", "not_mentioned"),
    ):
        answer = parse_answer(json.dumps(answer_by_rules(REPORT, name)))
        assert answer is not None and answer.status == status
        assert status == "not_mentioned" or answer.rests_on(REPORT)
        assert set(answer_by_rules(REPORT, name)) == set(ANSWER_SCHEMA["required"])


def test_statements_are_counted_once() -> None:
    record = keyinfo(entity={"edema": {"level": "mild"}}, no_entity=["pneumothorax", "nodule"])
    assert len(statements(record)) == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.text(max_size=12) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        name: JSON for name in ("opacity_vs_clear", "entity", "uncertain_entity", "no_entity")
    },
)


@settings(max_examples=60)
@given(RECORDS, st.text(max_size=60), st.dictionaries(st.sampled_from(["status", "quote"]), JSON))
def test_any_record_and_answer_can_be_merged(
    raw: dict[str, Any], text: str, said: dict[str, Any]
) -> None:
    record = standardise(raw).record
    answer = parse_answer(json.dumps({"status": "present", **said})) or Answer("absent")
    for one in find_discrepancies(record, RULES, text):
        merged = standardise(merge(record, one, answer)).record
        assert standardise(merged).record == merged
