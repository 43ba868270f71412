"""Difference questions between a study and an earlier one."""

from __future__ import annotations

from typing import Any

from pipeline.clinical.questions import generate_questions
from tests.clinical.test_questions import asked, one, record

IMAGE = "what has changed compared to the reference image?"


def changes(new: dict[str, Any], old: dict[str, Any], **options: Any) -> dict[str, str]:
    return dict(asked(new, old, types=("difference",), **options))


def test_rows_name_the_reference() -> None:
    old = record({"mass": one()}, study_id="7", evidence={"mass": "Old."})
    new = record({"mass": one(), "edema": one()}, evidence={"mass": "New.", "edema": "Wet."})
    rows = generate_questions(new, old)
    assert {row["ref_id"] for row in rows if row["question_type"] == "difference"} == {"7"}
    assert {row["ref_id"] for row in rows if row["question_type"] != "difference"} == {""}
    (row,) = generate_questions(new, old, types=("difference",))
    assert row["evidence"] == "Wet."


def test_additional_missing_and_level_in_the_published_words() -> None:
    old = record({"edema": one("left", "mild"), "mass": one(), "cyst": one()})
    new = record(
        {"edema": one("left", "severe"), "nodule": one(), "hernia": one(), "scar": one()}, no=["x"]
    )
    assert changes(new, old)[IMAGE] == (
        "the level of edema has changed from mild to severe. "
        "the main image has additional findings of nodule, hernia, and scar than the reference "
        "image. the main image is missing the findings of mass, and cyst than the reference image."
    )
    one_more = record({"edema": one("left", "mild"), "mass": one()})
    fewer = record({"edema": one("left", "mild")})
    assert changes(one_more, fewer)[IMAGE] == (
        "the main image has an additional finding of mass than the reference image."
    )
    assert changes(fewer, one_more)[IMAGE] == (
        "the main image is missing the finding of mass than the reference image."
    )


def test_nothing_has_changed() -> None:
    same = record({"edema": one("left", "mild")})
    assert changes(same, same) == {IMAGE: "nothing has changed."}
    assert changes(record(no=["edema"]), record(clear=one("lungs"))) == {
        IMAGE: "nothing has changed."
    }


def test_pneumonia_and_infection_are_one_thing() -> None:
    assert changes(record({"pneumonia": one()}), record({"infection": one()})) == {
        IMAGE: "nothing has changed."
    }


def test_uncertain_findings_are_neither_additional_nor_missing() -> None:
    sure, unsure = record({"edema": one()}), record(uncertain={"edema": one()})
    assert changes(sure, unsure) == {}
    assert changes(unsure, sure) == {}
    more = record({"edema": one(), "mass": one()})
    assert changes(more, unsure)[IMAGE] == (
        "the main image has an additional finding of mass than the reference image."
    )


def test_a_new_doubt_is_not_nothing() -> None:
    assert changes(record({"mass": one()}, {"edema": one()}), record({"mass": one()})) == {}


def test_a_kind_of_a_finding_is_neither_additional_nor_missing() -> None:
    assert changes(record({"pleural effusion": one()}), record({"effusion": one()})) == {}


def test_unread_studies_are_not_compared() -> None:
    assert changes(record({"mass": one()}), record()) == {}
    assert changes(record(), record({"mass": one()})) == {}


def test_a_level_that_changed_in_one_place_can_be_asked_about_there() -> None:
    found = changes(
        record({"edema": one("left base", "mild"), "mass": one("right apex")}),
        record({"edema": one("left lower lobe", "severe")}),
    )
    assert found["what has changed in the left base area?"] == (
        "the level of edema has changed from severe to mild."
    )


def test_a_place_with_another_change_is_not_asked_about() -> None:
    found = changes(
        record({"edema": one("left base", "mild"), "mass": one("left base")}),
        record({"edema": one("left base", "severe")}),
    )
    assert set(found) == {IMAGE}
    assert set(
        changes(
            record({"edema": one("bilateral", "mild")}),
            record({"edema": one("bilateral", "severe")}),
        )
    ) == {IMAGE}


def test_a_finding_that_moved_is_no_change_of_level() -> None:
    found = changes(
        record({"nodule": one("left apex", "small")}),
        record({"nodule": one("right base", "large")}),
    )
    assert found == {IMAGE: "the location of nodule has changed from right base to left apex."}


def test_instances_are_compared_side_by_side() -> None:
    old = record({"effusion": [one("left", "small"), one("right", "large")]})
    new = record({"effusion": [one("left", "large"), one("right", "large")]})
    assert changes(new, old)[IMAGE] == "the level of left effusion has changed from small to large."
    assert changes(old, old)[IMAGE] == "nothing has changed."
    assert IMAGE not in changes(record({"effusion": one("left", "small")}), old)


def test_values_in_another_order_are_no_change() -> None:
    old = record({"nodule": one("left, right", "small, large")})
    new = record({"nodule": one("right, left", "large, small")})
    assert changes(new, old) == {IMAGE: "nothing has changed."}


def test_explicit_differences_need_a_negation() -> None:
    new = record({"mass": one(), "edema": one()})
    old = record({"nodule": one()}, no=["mass"])
    assert changes(new, old, explicit_difference=True) == {
        IMAGE: "the main image has an additional finding of mass than the reference image."
    }


def test_a_lateral_reference_is_not_used() -> None:
    old = record({"mass": one()}, view="lateral")
    assert changes(record({"edema": one()}), old) == {}
