from __future__ import annotations

from pipeline.core.records import child_id, identity, parent_id


def test_a_child_leads_back_to_its_parent() -> None:
    child = child_id("50000001", "questions", 2)
    assert child == "50000001/questions/2"
    assert parent_id(child) == "50000001"
    assert parent_id(child_id(child, "answers", 0)) == child


def test_identity_keeps_what_is_there_in_a_fixed_order() -> None:
    record = {"text": "x", "view": None, "id": "1", "study_id": "1"}
    assert identity(record) == {"id": "1", "study_id": "1", "view": None}
    assert list(identity(record)) == ["id", "study_id", "view"]
