from __future__ import annotations

from typing import Any

import pytest

from pipeline.clinical.keyinfo import (
    ATTRIBUTES,
    CATEGORIES,
    KEYINFO_SCHEMA,
    empty_attributes,
    empty_keyinfo,
    from_published,
    instances,
    split_values,
    to_published,
)
from pipeline.clinical.standardise import standardise

SMALL_LEFT = {"location": "left", "level": "small", "type": None}
LARGE_RIGHT = {"location": "right", "level": "large", "type": None}


def test_empty_parts_hold_every_key() -> None:
    assert tuple(empty_attributes()) == ATTRIBUTES
    assert tuple(empty_keyinfo()) == CATEGORIES


def test_helpers_of_a_standard_record() -> None:
    assert instances(empty_attributes()) == [empty_attributes()]
    assert split_values("left, base") == ["left", "base"]
    assert split_values(None) == []


def test_published_layout_keeps_the_pairing_by_position() -> None:
    record = {
        "study_id": "1",
        "opacity_vs_clear": {},
        "entity": {"pleural effusion": [SMALL_LEFT, LARGE_RIGHT], "edema": SMALL_LEFT},
        "uncertain_entity": {},
        "no_entity": ["pneumothorax"],
    }
    published = to_published(record)
    assert published["entity"]["pleural effusion"] == {
        "location": ["left", "right"],
        "level": ["small", "large"],
        "type": [None, None],
    }
    assert published["entity"]["edema"] == SMALL_LEFT
    assert from_published(published) == record
    assert standardise(published).record == record


def test_published_uncertain_findings_may_be_a_list() -> None:
    record = from_published({"entity": {}, "uncertain_entity": ["pneumonia"], "no_entity": []})
    assert record["uncertain_entity"] == {"pneumonia": empty_attributes()}
    assert record["opacity_vs_clear"] == {}


@pytest.mark.parametrize("odd", [5, "x", ["a", None], {"edema": 3}])
def test_odd_categories_are_left_for_the_standardisation(odd: Any) -> None:
    assert from_published({"entity": odd})["entity"] == odd


def _objects(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [found for item in schema for found in _objects(item)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for item in schema.values() for found in _objects(item)]


def test_schema_stays_inside_the_strict_subset() -> None:
    objects = _objects(dict(KEYINFO_SCHEMA))
    assert len(objects) == 4
    for item in objects:
        assert item["additionalProperties"] is False
        assert item["required"] == list(item["properties"])
    text = str(KEYINFO_SCHEMA)
    for keyword in ("pattern", "minItems", "maxItems", "uniqueItems", "format", "maxLength"):
        assert f"'{keyword}'" not in text


def test_answer_in_the_shape_of_the_schema_becomes_standard() -> None:
    answer = {
        "opacity_vs_clear": [
            {"name": "clear", "location": "right lung", "level": None, "type": None}
        ],
        "entity": [
            {"name": "pleural effusion", **SMALL_LEFT},
            {"name": "pleural effusion", **LARGE_RIGHT},
        ],
        "uncertain_entity": [{"name": "pneumonia", **empty_attributes()}],
        "no_entity": ["pneumothorax"],
    }
    assert standardise(answer).record == {
        "opacity_vs_clear": {"clear": {"location": "right lung", "level": None, "type": None}},
        "entity": {"pleural effusion": [SMALL_LEFT, LARGE_RIGHT]},
        "uncertain_entity": {"pneumonia": empty_attributes()},
        "no_entity": ["pneumothorax"],
    }
