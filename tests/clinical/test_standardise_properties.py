"""Any JSON value becomes a standard record that stays as it is."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.keyinfo import (
    ATTRIBUTES,
    CATEGORIES,
    FINDING_CATEGORIES,
    empty_keyinfo,
    instances,
)
from pipeline.clinical.standardise import standardise

WORDS = (
    "left right bilateral small large mild patchy layering pleural pericardial effusion effusions"
    " opacity opacities clear edema pneumonia no possible concerning for and or , ; : / ( ) ? in"
    " the of base lower lobe central line catheter low volume loss new none null error n/a true"
    " location level type name entity no_entity uncertain 6 mm - _ . calcified nodule hilar"
    " congestion cardiomegaly mucosal without with vs fracture kerley's lungs"
)
phrases = st.lists(st.sampled_from(WORDS.split()), max_size=6).map(" ".join)
keys = st.one_of(
    phrases,
    st.sampled_from(("location", "level", "type", "name", "status", "left", "clear", *CATEGORIES)),
    st.text(max_size=8),
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    phrases,
    st.text(max_size=8),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(keys, inner, max_size=4)),
    max_leaves=14,
)
optional: dict[Any, st.SearchStrategy[Any]] = dict.fromkeys((*CATEGORIES, "study_id"), values)
records = st.one_of(values, st.fixed_dictionaries({}, optional=optional))


@settings(max_examples=500)
@given(records)
def test_any_json_becomes_standard_and_stays(value: Any) -> None:
    result = standardise(value)
    again = standardise(result.record)
    assert again.record == result.record
    assert again.changes == ()
    assert again.conflicts == ()
    for category in FINDING_CATEGORIES:
        for name, sets in result.record[category].items():
            assert name
            for one in instances(sets):
                assert tuple(one) == ATTRIBUTES
                for text in (one["location"], one["level"], one["type"]):
                    assert text is None or (text == " ".join(text.lower().split()) != "")
    denied = result.record["no_entity"]
    assert len(set(denied)) == len(denied)


@settings(max_examples=200)
@given(st.dictionaries(st.text(max_size=12), values, max_size=3))
def test_other_keys_pass_through(extra: dict[str, Any]) -> None:
    extra = {f"x_{key}": value for key, value in extra.items()}
    record = standardise({**extra, "entity": {}}).record
    assert {key: record[key] for key in extra} == extra


def nested(key: str, leaf: Any) -> Any:
    for _ in range(900):
        leaf = {key: leaf}
    return leaf


HOSTILE: dict[str, Any] = {
    "finding in finding": {"entity": nested("edema", None)},
    "category in category": {"entity": nested("entity", {})},
    "place in place": {"entity": {"edema": nested("left", None)}},
    "deep location": {"entity": {"edema": {"location": nested("left", None)}}},
    "deep identity": {"study_id": nested("left", None)},
    "long name": {"entity": {"y " * 200_000: None}},
    "long value": {"entity": {"edema": {"location": "a, " * 100_000}}},
    "many values": {"entity": {"edema": {"location": [str(n) for n in range(50_000)]}}},
    "many names": {"no_entity": [f"x{n}" for n in range(10_000)]},
    "many conflicts": {"entity": [f"x{n}" for n in range(5_000)], "no_entity": ["x1"] * 5_000},
    "brackets": {"entity": {"edema": "(" * 300_000}},
    "json in a string": {"entity": "{" * 100_000},
    "odd vocabulary": {"_vocabulary": {"left": 5, "mild": {"a": 1}}, "entity": {"edema": "left"}},
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_record_is_read_in_linear_time(value: Any) -> None:
    start = time.process_time()
    result = standardise(value)
    assert time.process_time() - start < 5
    assert set(CATEGORIES) <= set(result.record)


@pytest.mark.parametrize("value", [None, 5, "text", True, [], [1, 2]])
def test_what_is_no_record_says_so(value: Any) -> None:
    result = standardise(value)
    assert result.record == empty_keyinfo()
    assert [change.rule for change in result.changes] == ["not_a_record"]
