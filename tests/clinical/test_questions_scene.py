"""Scene questions and quality grades."""

from __future__ import annotations

from typing import Any

from pipeline.clinical.questions import COLUMNS, generate_questions
from tests.clinical.test_questions import one, record


def scene(rec: dict[str, Any], reference: Any = None, **options: Any) -> dict[str, str]:
    return {
        row["question"]: row["answer"]
        for seed in range(40)
        for row in generate_questions(rec, reference, seed=seed, scene=True, types=(), **options)
    }


def test_full_sentences_quote_the_report() -> None:
    rec = record(
        {"effusion": one("left base", "small", "free"), "cardiomegaly": one()},
        {"pneumonia": one("right")},
        ["pneumothorax"],
        evidence={
            "effusion": "Some fluid is at the left base.",
            "pneumothorax": ["No air leak."],
        },
    )
    found = scene(rec)
    assert found["what does the image show about effusion?"] == (
        "the image shows small free effusion (left base). "
        'the report states: "Some fluid is at the left base."'
    )
    assert found["does the image show any pneumothorax?"] == (
        'no, the image shows no pneumothorax. the report states: "No air leak."'
    )
    assert found["what is said about pneumonia?"] == "pneumonia is possible but not certain."
    assert found["what is seen in the left base?"].startswith(
        "in the left base, the image shows effusion."
    )
    assert found["what is the severity of the effusion?"].startswith(
        "the effusion is graded as small."
    )


def test_clear_places() -> None:
    rec = record({"nodule": one("left apex")}, clear=one("right lung"))
    assert (
        scene(rec)["what is seen in the right lung?"]
        == "the report describes the right lung as clear."
    )
    doubtful = record({"nodule": one("left apex")}, {"edema": one()}, clear=one("right lung"))
    assert "what is seen in the right lung?" not in scene(doubtful)


def test_comparison() -> None:
    old = record({"edema": one()}, study_id="9")
    found = scene(record({"edema": one(), "mass": one()}), old)
    assert found["how does this study compare with the earlier one?"] == (
        "compared with the earlier study: "
        "the main image has an additional finding of mass than the reference image."
    )


def test_scene_rows_leave_the_others_as_they_are() -> None:
    rec = record({"edema": one("left", "mild")}, no=["mass"], view="PA")
    plain = generate_questions(rec, seed=5)
    both = generate_questions(rec, seed=5, scene=True)
    others = [row for row in both if row["question_type"] != "scene"]
    assert [{key: row[key] for key in COLUMNS} for row in others] == plain
    assert all("quality" in row for row in both)


def test_grades_compare_two_readings() -> None:
    rec = record({"edema": one("left", "mild"), "mass": one()}, no=["nodule"], view="PA")

    def grades(second: dict[str, Any]) -> dict[str, str]:
        rows = generate_questions(rec, second_reading=second, per_type=9)
        return {row["question"]: row["quality"] for row in rows}

    same = grades(rec)
    assert set(same.values()) == {"A", ""}
    assert same["which view is this image taken?"] == ""
    other = grades(record({"edema": one("right", "mild")}, no=["mass"]))
    assert other["what level is the edema?"] == "B"
    assert other["what abnormalities are seen in this image?"] == "C"
    negative = [grade for question, grade in other.items() if "nodule" in question]
    assert set(negative) == {"C"}
