"""Question rows: each template by hand, each mistake of the published generators, each option."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.clinical.questions import COLUMNS, TYPES, generate_questions
from pipeline.core.errors import ConfigError


def one(location: str | None = None, level: str | None = None, type: str | None = None) -> Any:
    return {"location": location, "level": level, "type": type}


def record(
    entity: Any = None,
    uncertain: Any = None,
    no: Any = None,
    clear: Any = None,
    opacity: Any = None,
    **more: Any,
) -> dict[str, Any]:
    opacity_vs_clear = {}
    if clear is not None:
        opacity_vs_clear["clear"] = clear
    if opacity is not None:
        opacity_vs_clear["opacity"] = opacity
    return {
        "study_id": "50000001",
        "subject_id": "10000001",
        "opacity_vs_clear": opacity_vs_clear,
        "entity": entity or {},
        "uncertain_entity": uncertain or {},
        "no_entity": no or [],
        **more,
    }


def asked(
    rec: dict[str, Any], reference: dict[str, Any] | None = None, *, seeds: int = 60, **options: Any
) -> set[tuple[str, str]]:
    """All (question, answer) pairs that some seed gives, with several questions of each type."""
    options = {"per_type": 9, "keep": {}, **options}
    return {
        (row["question"], row["answer"])
        for seed in range(seeds)
        for row in generate_questions(rec, reference, seed=seed, **options)
    }


def questions(pairs: set[tuple[str, str]]) -> set[str]:
    return {question for question, _ in pairs}


def test_rows_have_the_columns_and_the_identity() -> None:
    rec = record(
        {"pleural effusion": one("left", "small")},
        dicom_id="d-1",
        view="postero-anterior",
        split="train",
        evidence={"pleural effusion": "A small effusion is on the left."},
    )
    rows = generate_questions(rec, types=("level", "view"))
    assert [tuple(row) for row in rows] == [COLUMNS, COLUMNS]
    level, view = rows
    assert level == {
        "study_id": "50000001",
        "subject_id": "10000001",
        "question_type": "level",
        "question": "what level is the pleural effusion?",
        "answer": "small",
        "dicom_id": "d-1",
        "view": "postero-anterior",
        "split": "train",
        "ref_id": "",
        "template_id": "level.what",
        "evidence": "A small effusion is on the left.",
    }
    assert view["evidence"] == ""


def test_every_published_wording_is_asked() -> None:
    rec = record(
        {"edema": one("left", "mild", "interstitial"), "nodule": one("bilateral")},
        no=["pneumothorax"],
        view="PA",
    )
    assert asked(rec) == {
        ("what abnormalities are seen in this image?", "edema, nodule"),
        ("what abnormalities are seen in the left lung?", "edema, nodule"),
        ("is there evidence of any abnormalities in this image?", "yes"),
        ("is there evidence of edema in this image?", "yes"),
        ("is there edema?", "yes"),
        ("is there evidence of nodule in this image?", "yes"),
        ("is there nodule?", "yes"),
        ("is there evidence of pneumothorax in this image?", "no"),
        ("is there pneumothorax?", "no"),
        ("is there edema in the left lung area?", "yes"),
        ("is there edema in the right lung area?", "no"),
        ("is the nodule bilateral?", "yes"),
        ("which view is this image taken?", "PA view"),
        ("is this PA view?", "yes"),
        ("is this AP view?", "no"),
        ("where in the image is the edema located?", "left area"),
        ("where is the edema?", "left area"),
        ("is the edema located on the left side or right side?", "left side"),
        ("where in the image is the nodule located?", "bilateral area"),
        ("where is the nodule?", "bilateral area"),
        ("what level is the edema?", "mild"),
        ("what type is the edema?", "interstitial"),
    }


def test_at_most_one_question_of_each_type_by_default() -> None:
    rec = record(
        {"edema": one("left", "mild", "acute"), "nodule": one("right", "small", "solid")},
        no=["pneumothorax"],
        view="PA",
    )
    for seed in range(30):
        kinds = [row["question_type"] for row in generate_questions(rec, seed=seed)]
        assert len(kinds) == len(set(kinds))


# --- mistakes of the published generators ------------------------------------------------------


def test_a_finding_without_location_is_not_asked_about_with_the_place_of_another() -> None:
    rec = record({"edema": one(), "nodule": one("left upper lobe")})
    places = {question for question in questions(asked(rec)) if "area?" in question}
    assert places == {
        "is there nodule in the left upper lobe area?",
        "is there nodule in the right upper lobe area?",
    }


@pytest.mark.parametrize(
    ("positive", "asked_name"),
    [
        ("pericardial effusion", "pleural effusion"),
        ("subcutaneous emphysema", "emphysema"),
        ("enlarged mediastinum", "cardiomegaly"),
    ],
)
def test_names_are_not_matched_by_parts(positive: str, asked_name: str) -> None:
    found = asked(record({positive: one()}))
    assert not any(asked_name in question.replace(positive, "") for question, _ in found)


def test_uncertain_findings_are_not_answered_yes_or_no() -> None:
    rec = record(uncertain={"pneumonia": one("left")}, no=["pneumothorax"])
    assert asked(rec) == {
        ("is there evidence of pneumothorax in this image?", "no"),
        ("is there pneumothorax?", "no"),
    }


def test_uncertain_findings_can_have_an_answer_of_their_own() -> None:
    found = asked(record(uncertain={"pneumonia": one("left")}), uncertain="uncertain")
    assert found == {
        ("is there evidence of pneumonia in this image?", "uncertain"),
        ("is there pneumonia?", "uncertain"),
        ("is there evidence of any abnormalities in this image?", "uncertain"),
    }


def test_no_abnormality_needs_a_reading_without_any_finding() -> None:
    question = "is there evidence of any abnormalities in this image?"
    assert (question, "no") in asked(record(clear=one("lungs")))
    assert (question, "no") in asked(record(no=["edema"]))
    assert (question, "yes") in asked(record(opacity=one("left base")))
    assert question not in questions(asked(record(uncertain={"edema": one()}, no=["nodule"])))


def test_an_empty_record_is_no_normal_study() -> None:
    assert asked(record()) == set()
    assert asked(record(), closed_world=True, types=("abnormality",)) == {
        ("is there evidence of any abnormalities in this image?", "no")
    }


def test_opacity_joins_the_findings() -> None:
    found = asked(record({"edema": one()}, opacity=one("right base", "hazy")))
    assert ("what abnormalities are seen in this image?", "edema, opacity") in found
    assert ("what level is the opacity?", "hazy") in found


def test_names_of_two_categories_are_not_asked_about() -> None:
    rec = record(
        {"edema": one(), "pneumonia": one()}, uncertain={"nodule": one()}, no=["edema", "infection"]
    )
    assert asked(rec) == set()


def test_a_negated_name_is_not_asked_about_beside_a_kind_of_it() -> None:
    rec = record(
        {"rib fracture": one("left rib")}, {"small mass": one()}, ["fracture", "mass", "edema"]
    )
    noes = {question for question, answer in asked(rec) if answer == "no"}
    assert noes == {
        "is there edema?",
        "is there evidence of edema in this image?",
        "is there rib fracture in the right rib area?",
    }


def test_all_findings_of_a_place_are_listed() -> None:
    rec = record(
        {
            "edema": one("right lower lobe"),
            "nodule": one("left apex"),
            "consolidation": one("right base"),
            "atelectasis": one("bibasilar"),
            "effusion": one("lower lobes"),
        }
    )
    found = dict(asked(rec, types=("abnormality",)))
    region = "what abnormalities are seen in the {}?"
    assert found[region.format("right lower lobe")] == "edema, consolidation, atelectasis, effusion"
    assert found[region.format("left apex")] == "nodule"
    # The wider places leave in doubt whether they reach the base.
    assert region.format("right base") not in found


def test_a_side_alone_is_a_lung_only_where_the_finding_can_be_in_one() -> None:
    found = questions(asked(record({"rib fracture": one("left"), "edema": one("left")})))
    assert "is there edema in the left lung area?" in found
    assert "is there rib fracture in the left lung area?" not in found
    pairs = dict(asked(record({"rib fracture": one("left"), "edema": one("left")})))
    assert pairs["what abnormalities are seen in the left lung?"] == "edema"
    assert pairs["where is the rib fracture?"] == "left area"


def test_places_read_as_english() -> None:
    rec = record(
        {
            "edema": one("right hilar"),
            "opacity": one("both lung bases"),
            "nodule": one("bilateral ribs"),
        }
    )
    found = questions(asked(rec))
    assert "is there nodule in the ribs area?" in found
    assert "what abnormalities are seen in the right hilar area?" in found
    assert "what abnormalities are seen in the lung bases?" in found
    assert "is there opacity in the lung bases area?" in found


def test_the_other_side_is_denied_only_where_certain() -> None:
    def noes(rec: dict[str, Any]) -> set[str]:
        return {question for question, answer in asked(rec) if answer == "no"}

    assert noes(record({"nodule": one("left base")})) == {"is there nodule in the right base area?"}
    assert noes(record({"nodule": one("bibasilar")})) == set()
    assert noes(record({"nodule": one("lower lobe")})) == set()
    assert noes(record({"nodule": [one("left base"), one("right apex")]})) == set()
    assert noes(record({"nodule": [one("left base"), one()]})) == set()
    assert noes(record({"nodule": one("left base")}, {"lung nodule": one("right")})) == set()
    assert noes(record({"effusion": one("left and right base")})) == set()


def test_upper_and_lower_are_not_flipped() -> None:
    found = asked(record({"nodule": one("upper lobes")}))
    assert not any("lower" in question for question in questions(found))


def test_names_that_no_library_knows_are_asked_about() -> None:
    assert ("is there zorblax?", "yes") in asked(record({"zorblax": one()}))


def test_names_with_a_place_inside_keep_their_meaning() -> None:
    found = asked(record({"air in the stomach": one("left")}), types=("presence",))
    assert found == {("is there evidence of air in the stomach in this image?", "yes")}


@pytest.mark.parametrize(
    "name", ["__proto__" * 800, "a\nb", "", "  ", "{name}", "{0.__class__}", "%s", "1234", "\ud800"]
)
def test_odd_names_do_no_harm(name: str) -> None:
    rec = record(
        {name: one(name, name, name), "edema": one()}, {name + "x": one()}, [name, 3, None]
    )
    for row in generate_questions(rec, rec | {"study_id": 5}, per_type=5, scene=True):
        assert len(row["question"]) < 300
        assert "\n" not in row["question"]


def test_quotes_commas_and_braces_in_names_are_kept() -> None:
    name = 'so-called "ground glass", {x}'
    assert (f"is there {name}?", "yes") in asked(record({name: one()}))


# --- lists of attribute sets -------------------------------------------------------------------


def test_instances_that_differ_are_asked_about_one_by_one() -> None:
    rec = record({"effusion": [one("left", "small", "free"), one("right", "large", "free")]})
    found = asked(rec)
    assert ("what level is the left effusion?", "small") in found
    assert ("what level is the right effusion?", "large") in found
    assert ("what type is the effusion?", "free") in found
    assert ("where is the effusion?", "left, right area") in found
    assert ("is there effusion in the left lung area?", "yes") in found
    assert ("is there effusion in the right lung area?", "yes") in found
    assert "what level is the effusion?" not in questions(found)


def test_an_instance_without_a_place_of_its_own_has_no_level_question() -> None:
    rec = record({"nodule": [one("left", "small"), one(None, "large"), one("right")]})
    found = asked(rec)
    assert {pair for pair in found if "level" in pair[0]} == {
        ("what level is the left nodule?", "small")
    }
    assert not any(question.startswith("where") for question in questions(found))


# --- views, identity ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("postero-anterior", "PA view"),
        ("PA", "PA view"),
        ("AP AXIAL", "AP view"),
        ("antero-posterior", "AP view"),
        ("Posteroanterior", "PA view"),
    ],
)
def test_view_names(view: str, expected: str) -> None:
    rec = record({"edema": one()}, view=view)
    assert ("which view is this image taken?", expected) in asked(rec, ap_view_rate=1.0)


@pytest.mark.parametrize("view", [None, "", "Frontal", "nan", float("nan")])
def test_frontal_and_unknown_views_have_questions_but_none_about_the_view(view: Any) -> None:
    kinds = {
        row["question_type"] for row in generate_questions(record({"edema": one()}, view=view))
    }
    assert kinds == {"abnormality", "presence"}


@pytest.mark.parametrize("view", ["lateral", "LL", "Lateral", "left lateral", "swimmers"])
def test_other_views_have_no_questions(view: str) -> None:
    rec = record({"edema": one()}, view=view)
    assert generate_questions(rec) == []
    assert generate_questions(rec, views="any")


def test_an_image_whose_view_metadata_do_not_tell_is_not_asked_about() -> None:
    assert generate_questions(record({"edema": one()}, view="", dicom_id="d-1")) == []


def test_strict_views_are_pa_and_ap() -> None:
    assert generate_questions(record({"edema": one()}, view="frontal"), views="strict") == []
    assert generate_questions(record({"edema": one()}, view="AP"), views="strict")


def test_ap_studies_rarely_have_a_view_question() -> None:
    count = sum(
        bool(generate_questions(record(view="AP", study_id=str(n)), types=("view",)))
        for n in range(2000)
    )
    assert 60 <= count <= 140


@pytest.mark.parametrize(
    ("given", "expected"),
    [(50000001, "50000001"), (5.0, "5"), (None, ""), ("s1", "s1"), (float("nan"), "")],
)
def test_ids_of_any_kind(given: Any, expected: str) -> None:
    rec = record({"edema": one()}, study_id=given, subject_id=given)
    for row in generate_questions(rec):
        assert (row["study_id"], row["subject_id"]) == (expected, expected)


def test_a_record_needs_no_identity() -> None:
    assert generate_questions({"entity": {"edema": one()}})


# --- options -----------------------------------------------------------------------------------


def test_closed_world_denies_what_is_not_mentioned() -> None:
    rec = record({"pleural effusion": one()}, {"nodule": one()})
    counts = {"pleural effusion": 50, "effusion": 50, "nodule": 50, "edema": 50, "mass": 2}
    noes = {
        question
        for question, answer in asked(rec, closed_world=True, frequencies=counts)
        if answer == "no"
    }
    assert noes == {"is there edema?", "is there evidence of edema in this image?"}


def test_closed_world_knows_the_lexicon() -> None:
    found = asked(record({"pleural effusion": one()}), closed_world=True, types=("presence",))
    assert sum(answer == "no" for _, answer in found) > 10


def test_rare_names_and_values_are_not_asked_about_but_still_count() -> None:
    counts = {
        "entity": {"edema": 99, "nodule": 3},
        "location": {"left": 2},
        "level": {"mild": 99},
        "type": {},
    }
    rec = record({"edema": one("left", "mild", "odd"), "nodule": one()}, no=["mass"])
    assert asked(rec, frequencies=counts) == {
        ("is there evidence of any abnormalities in this image?", "yes"),
        ("is there evidence of edema in this image?", "yes"),
        ("is there edema?", "yes"),
        ("what level is the edema?", "mild"),
    }
    rare_only = record({"nodule": one()}, no=["edema"])
    assert ("is there evidence of any abnormalities in this image?", "no") not in asked(
        rare_only, frequencies=counts
    )


def test_paraphrases_keep_the_meaning() -> None:
    rec = record({"edema": one("left", "mild", "acute")}, no=["mass"], view="PA")
    plain = [generate_questions(rec, seed=seed) for seed in range(40)]
    other = [generate_questions(rec, seed=seed, paraphrases=True) for seed in range(40)]
    wordings = set()
    for rows, reworded in zip(plain, other, strict=True):
        assert [row["answer"] for row in rows] == [row["answer"] for row in reworded]
        for row, again in zip(rows, reworded, strict=True):
            assert again["template_id"].startswith(row["template_id"])
            wordings.add(again["question"])
    assert len(wordings) > len({row["question"] for rows in plain for row in rows})


def test_multiple_choice_offers_only_wrong_answers_that_are_certain() -> None:
    rec = record(
        {"edema": one("left lower lobe", "mild", "acute")}, no=["mass", "nodule"], view="PA"
    )
    found = asked(rec, multiple_choice=1.0, seeds=80)
    by_stem: dict[str, set[str]] = {}
    for question, answer in found:
        stem, _, offered = question.partition(" choices: ")
        if offered:
            options = offered.split("; ")
            assert answer in options
            by_stem.setdefault(stem, set()).update(
                option.partition(". ")[2] for option in options if option != answer
            )
    assert by_stem["which of these findings is seen in this image?"] == {"mass", "nodule"}
    assert by_stem["what level is the edema?"] == {"moderate", "severe"}
    assert by_stem["which view is this image taken?"] == {"AP view"}
    assert not any("area area" in question for question in questions(found))
    wrong = by_stem["where is the edema?"]
    assert "right lower lobe area" in wrong
    assert not wrong & {"left lower lobe area", "left lung base area", "left retrocardiac area"}


@pytest.mark.parametrize(
    ("level", "wrong"),
    [
        ("mild to moderate", {"minimal", "mild", "severe"}),
        ("small", {"moderate", "large"}),
        ("moderate to large", {"tiny", "small"}),
        ("6 mm", set()),
    ],
)
def test_wrong_levels_are_of_the_same_scale(level: str, wrong: set[str]) -> None:
    found = asked(record({"edema": one(None, level)}), types=("level",), multiple_choice=1)
    offered = {
        option.partition(". ")[2]
        for question, _ in found
        for option in question.partition(" choices: ")[2].split("; ")
        if option
    }
    assert offered - {level} == wrong


def test_balance_gives_as_many_yes_as_no() -> None:
    both = record({"edema": one("left"), "mass": one()}, no=["nodule"])
    for seed in range(20):
        rows = generate_questions(both, seed=seed, types=("presence",), balance=True)
        assert sorted(row["answer"] for row in rows) == ["no", "yes"]
    assert generate_questions(record({"edema": one()}), types=("presence",), balance=True) == []


def test_keep_thins_out_rows_of_a_type_or_an_answer() -> None:
    rec = record({"edema": one("left")}, no=["nodule"])
    kept = {
        (row["question_type"], row["answer"])
        for seed in range(60)
        for row in generate_questions(rec, seed=seed, keep={"presence:yes": 0, "location": 0})
    }
    assert kept == {("presence", "no"), ("abnormality", "yes"), ("abnormality", "edema")}


def test_split_shares_keep_a_patient_together() -> None:
    splits: dict[str, set[str]] = {}
    for n in range(400):
        rec = record({"edema": one()}, study_id=str(n), subject_id=str(n // 4))
        for row in generate_questions(rec, split_shares=(0.8, 0.1, 0.1)):
            splits.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(found) == 1 for found in splits.values())
    assert {next(iter(found)) for found in splits.values()} == {"train", "validate", "test"}


def test_a_given_split_stays() -> None:
    rec = record({"edema": one()}, split="test")
    assert generate_questions(rec, split_shares=(1.0, 0.0, 0.0))[0]["split"] == "test"


@pytest.mark.parametrize(
    "options",
    [
        {"typo": 1},
        {"types": ("presents",)},
        {"per_type": -1},
        {"views": "all"},
        {"uncertain": "maybe"},
        {"multiple_choice": 2},
        {"keep": {"presence": 3}},
        {"keep": {"nothing": 0.5}},
        {"split_shares": (0.5, 0.2, 0.2)},
    ],
)
def test_options_that_cannot_work_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        generate_questions(record(), **options)


def test_types_are_independent_of_each_other() -> None:
    rec = record(
        {"edema": one("left", "mild", "acute"), "mass": one("right", "large")},
        no=["nodule"],
        view="PA",
    )
    earlier = record({"edema": one("left", "severe")}, study_id="1")
    together = generate_questions(rec, earlier, seed=3)
    for kind in TYPES:
        alone = generate_questions(rec, earlier, seed=3, types=(kind,))
        assert alone == [row for row in together if row["question_type"] == kind]


def test_more_per_type_begin_with_the_same_question() -> None:
    rec = record({"edema": one("left"), "mass": one("right")}, no=["nodule"], view="PA")
    for seed in range(20):
        first = generate_questions(rec, seed=seed, keep={})
        more = generate_questions(rec, seed=seed, keep={}, per_type=4)
        assert all(row in more for row in first)
        assert len(more) > len(first)


def test_questions_are_the_same_on_every_machine() -> None:
    rec = record({"edema": one("left", "mild")}, no=["mass"], view="PA")
    assert [(r["question"], r["answer"]) for r in generate_questions(rec, seed=7)] == GOLDEN


GOLDEN = [
    ("what abnormalities are seen in the left lung?", "edema"),
    ("is there evidence of edema in this image?", "yes"),
    ("is this PA view?", "yes"),
    ("where is the edema?", "left area"),
    ("what level is the edema?", "mild"),
]


def test_what_the_name_says_is_not_asked() -> None:
    record = {
        "study_id": "1",
        "entity": {
            "calcified granuloma": {"location": None, "level": None, "type": "calcified"},
            "aortic calcification": {"location": None, "level": None, "type": "calcified"},
        },
    }
    assert not [r for r in generate_questions(record, types=["type"]) if r]
    record["entity"] = {"opacity": {"location": None, "level": None, "type": "calcified"}}
    (row,) = generate_questions(record, types=["type"], keep={})
    assert row["answer"] == "calcified"
