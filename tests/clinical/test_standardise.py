from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from pipeline.clinical.standardise import Standardised, Standardiser, standardise

SHARED = Path(__file__).parents[2].parent / "shared" / "cases" / "postprocess.jsonl"


def a(
    location: str | None = None, level: str | None = None, type: str | None = None
) -> dict[str, str | None]:
    return {"location": location, "level": level, "type": type}


def entity(value: Any) -> dict[str, Any]:
    record: dict[str, Any] = standardise({"entity": value}).record["entity"]
    return record


def denied(value: Any) -> list[str]:
    record: list[str] = standardise({"no_entity": value}).record["no_entity"]
    return record


def _cases() -> list[Any]:
    if not SHARED.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"no {SHARED.name} beside it"))]
    lines = SHARED.read_text(encoding="utf-8").splitlines()
    return [pytest.param(json.loads(line), id=json.loads(line)["id"]) for line in lines]


@pytest.mark.parametrize("case", _cases())
def test_shared_case(case: dict[str, Any]) -> None:
    record = standardise(case["input"]).record
    wanted = [case["expected"], *case["accept"]]
    assert any(all(record[key] == value for key, value in one.items()) for one in wanted)
    assert standardise(record) == Standardised(record)


@pytest.mark.parametrize(
    "value",
    [
        ["edema"],
        "edema",
        {"edema": None},
        {"edema": {}},
        {"edema": []},
        {"edema": True},
        {"edema": "present"},
        {"Edema ": {"Location": "N/A", "LEVEL": "none", "type": ["-", ""]}},
        [{"name": "edema"}],
        [{"finding": "edema", "location": None}],
        {"description": "edema", "location": None, "level": None, "type": None},
        {"location": None, "level": None, "type": "edema"},
        '{"edema": null}',
        [None, 3, ["edema"]],
        {"edema": {"number": 2}},
    ],
)
def test_every_shape_of_a_bare_finding(value: Any) -> None:
    assert entity(value) == {"edema": a()}


@pytest.mark.parametrize(
    ("value", "attributes"),
    [
        ("right apical", a("right apical")),
        ("mild", a(None, "mild")),
        ("small, left", a("left", "small")),
        (["left", "base"], a("left, base")),
        ({"site": "left", "severity": "mild", "pattern": "patchy"}, a("left", "mild", "patchy")),
        ({"location": ["Left", "left", None], "level": 6}, a("left", "6")),
        ({"location": {"left": None, "right": None}, "level": "mild"}, a("left, right", "mild")),
        ({"location": {"left": {"level": None}}, "level": "small"}, a("left", "small")),
        ({"location": "patchy", "level": "left", "type": "mild"}, a("left", "mild", "patchy")),
        ({"location": "small left base"}, a("left base", "small")),
        ({"level": {"size": "6 mm"}}, a(None, "6 mm")),
        ({"level": "severity: mild"}, a(None, "mild")),
        ({"location": "left", "mild": True}, a("left", "mild")),
        ({"location": "left; right"}, a("left, right")),
    ],
)
def test_attributes_of_any_shape(value: Any, attributes: dict[str, Any]) -> None:
    assert entity({"opacity": value}) == {"opacity": attributes}


@pytest.mark.parametrize(
    "value",
    [
        {"pleural effusion": {"location": {"left": "small", "right": "large"}}},
        {"pleural effusion": {"location": "left: small, right: large"}},
        {"pleural effusion": {"level": {"left": "small", "right": "large"}}},
        {"pleural effusion": {"left": "small", "right": {"level": "large"}}},
        {"pleural effusion": {"location": ["left", "right"], "level": ["small", "large"]}},
        {"pleural effusion": {"location": [{"left": "small"}, {"right": "large"}]}},
        {"small left pleural effusion": None, "large right pleural effusions": {}},
        {"small left and large right pleural effusions": None},
        [
            {"name": "pleural effusion", "location": "left", "level": "small"},
            {"name": "pleural effusion", "location": "right", "level": "large"},
        ],
    ],
)
def test_pairing_of_side_and_degree_is_kept(value: Any) -> None:
    assert entity(value) == {"pleural effusion": [a("left", "small"), a("right", "large")]}


def test_one_place_said_twice_is_one_instance() -> None:
    sets = [a("left", "small"), a("left", None, "calcified")]
    assert entity({"nodule": sets}) == {"nodule": a("left", "small", "calcified")}


@pytest.mark.parametrize(
    ("name", "standard", "attributes"),
    [
        ("Pleural Effusions", "pleural effusion", a()),
        ("pleural_effusion", "pleural effusion", a()),
        ("rib fractures", "rib fracture", a()),
        ("pneumothoraces", "pneumothorax", a()),
        ("bullae", "bulla", a()),
        ("metastases", "metastasis", a()),
        ("masses", "mass", a()),
        ("low lung volumes", "low lung volume", a()),
        ("thickening of the fissures", "thickening of the fissure", a()),
        ("atelectasis", "atelectasis", a()),
        ("right-sided pleural effusion", "pleural effusion", a("right")),
        ("opacity in the right lower lobe", "opacity", a("right lower lobe")),
        ("opacity, right lower lobe", "opacity", a("right lower lobe")),
        ("nodule (left upper lobe)", "nodule", a("left upper lobe")),
        ("atelectasis left base", "atelectasis", a("left base")),
        (
            "left and right lower lobe consolidation",
            "consolidation",
            a("left and right lower lobe"),
        ),
        ("elevation of the right hemidiaphragm", "elevation of the hemidiaphragm", a("right")),
        (
            "blunting of the left costophrenic angle",
            "blunting of the costophrenic angle",
            a("left"),
        ),
        ("large hiatal hernia", "hiatal hernia", a(None, "large")),
        ("mild to moderate edema", "edema", a(None, "mild to moderate")),
        ("new small left layering effusions", "effusion", a("left", "small", "layering")),
        ("worsening areas of consolidation", "consolidation", a()),
        ("healed left rib fracture", "rib fracture", a("left", None, "healed")),
        ("left thymoma", "thymoma", a("left")),
        ("enlarged heart", "cardiomegaly", a()),
        ("hilar congestion", "vascular congestion", a("hilar")),
    ],
)
def test_names_are_taken_apart(name: str, standard: str, attributes: dict[str, Any]) -> None:
    assert entity({name: None}) == {standard: attributes}


@pytest.mark.parametrize(
    "name",
    [
        "central line infection",
        "right heart failure",
        "right-sided aortic arch",
        "absent breast",
        "right middle lobe syndrome",
        "left ventricular hypertrophy",
        "large airway disease",
        "small bowel obstruction",
        "chronic obstructive pulmonary disease",
        "calcified granuloma",
        "enlargement of the cardiac silhouette",
        "tortuosity of the thoracic aorta",
        "enlarged pulmonary artery",
        "foreign body",
        "scoliosis",
        "ascites",
        "__proto__",
        "x" * 4000,
        "心影增大",
    ],
)
def test_names_that_stay(name: str) -> None:
    assert entity({name: None}) == {name: a()}


def test_site_in_the_name_joins_the_site_beside_it() -> None:
    assert entity({"left effusion": {"location": "base"}}) == {"effusion": a("left base")}
    assert entity({"basilar effusion": {"location": "left"}}) == {"effusion": a("left basilar")}
    assert entity({"left effusion": {"location": "left base"}}) == {"effusion": a("left base")}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"volume loss": a("left", "low")}, {"low lung volume": a("left")}),
        ({"atelectasis": a(None, "low")}, {"low lung volume": a()}),
        ({"edema": a(None, None, "mucosal")}, {"mucosal edema": a()}),
        ({"emphysema": a("subcutaneous", "mild")}, {"subcutaneous emphysema": a(None, "mild")}),
        ({"effusion": a(None, "small", "pericardial")}, {"pericardial effusion": a(None, "small")}),
        ({"cardiomegaly": a("left", "mild")}, {"cardiomegaly": a(None, "mild")}),
    ],
)
def test_attribute_that_belongs_to_the_name(value: Any, expected: Any) -> None:
    assert entity(value) == expected


@pytest.mark.parametrize(
    "name",
    [
        "pacemaker",
        "left picc",
        "PICC line tip in the SVC",
        "endotracheal tube and nasogastric tube",
        "sternal wires",
        "surgical clips",
        "orthopedic hardware",
        "medical equipment",
        "vp shunt",
        "chest tubes",
        "right internal jugular line",
        "catheter position",
    ],
)
def test_devices_are_no_findings(name: str) -> None:
    result = standardise({"entity": {name: None}, "uncertain_entity": [name]})
    assert result.record["entity"] == result.record["uncertain_entity"] == {}
    assert "device_dropped" in {change.rule for change in result.changes}


def test_conclusion_is_uncertain_and_takes_the_place_only() -> None:
    value = {"patchy opacity suspicious for pneumonia": a("left", "mild")}
    record = standardise({"entity": value}).record
    assert record["entity"] == {"opacity": a("left", "mild", "patchy")}
    assert record["uncertain_entity"] == {"pneumonia": a("left")}


def test_denial_in_a_name_is_denied() -> None:
    record = standardise({"entity": {"mild cardiomegaly without edema": None}}).record
    assert record["entity"] == {"cardiomegaly": a(None, "mild")}
    assert record["no_entity"] == ["edema"]


@pytest.mark.parametrize(
    "value",
    [
        {"possible pneumonia": a("left")},
        {"pneumonia?": a("left")},
        {"pneumonia": a("left", "possible")},
        {"pneumonia": {"location": "left", "certainty": "probable"}},
        {"pneumonia cannot be excluded": "left"},
    ],
)
def test_hedge_makes_a_finding_uncertain(value: Any) -> None:
    record = standardise({"entity": value}).record
    assert record["entity"] == {}
    assert record["uncertain_entity"] == {"pneumonia": a("left")}


@pytest.mark.parametrize("value", [{"edema": False}, {"edema": "absent"}, {"no edema": None}])
def test_false_is_a_denial(value: Any) -> None:
    record = standardise({"entity": value}).record
    assert record["entity"] == {}
    assert record["no_entity"] == ["edema"]


def test_joined_findings_are_split_if_they_are_findings() -> None:
    assert list(entity("pneumonia, effusions")) == ["pneumonia", "effusion"]
    assert list(entity({"nodules and masses": None})) == ["nodule", "mass"]
    assert list(entity({"pleural and pericardial effusion": None})) == [
        "pleural effusion",
        "pericardial effusion",
    ]
    either = standardise({"entity": {"left base atelectasis or pneumonia": None}}).record
    assert either["entity"] == {}
    assert either["uncertain_entity"] == {
        "atelectasis": a("left base"),
        "pneumonia": a("left base"),
    }
    assert list(entity({"bread and butter heart": None})) == ["bread and butter heart"]


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (None, []),
        ("none", []),
        ("pneumothorax, pleural effusions, or focal consolidation", 3),
        ({"pneumothorax": None, "edema": a("left")}, ["pneumothorax", "edema"]),
        ([{"name": "edema", "location": "left"}], ["edema"]),
        (["Pneumothorax", "pneumothoraces", "new pneumothorax"], ["pneumothorax"]),
        (["left", "bilateral", "edema"], ["edema"]),
        (["no evidence of edema"], ["edema"]),
        (["large right pleural effusion", "acute fracture"], ["pleural effusion", "fracture"]),
        ([["edema"], [None, ["mass"]]], ["edema", "mass"]),
        ({"names": ["edema", "mass"]}, ["edema", "mass"]),
    ],
)
def test_denied_findings(value: Any, names: Any) -> None:
    found = denied(value)
    assert len(found) == names if isinstance(names, int) else found == names


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("clear", {"clear": a()}),
        (["clear"], {"clear": a()}),
        ({"clear": None, "opacity": False}, {}),
        ({"clear": {}, "opacity": False}, {"clear": a()}),
        ({"clear": "right lung"}, {"clear": a("right lung")}),
        ({"right lung": "clear"}, {"clear": a("right lung")}),
        ({"status": "clear", "location": "lungs"}, {"clear": a("lungs")}),
        ({"opacities": {"location": "Left"}}, {"opacity": a("left")}),
        ({"left opacity": {}}, {"opacity": a("left")}),
        ({"location": None, "level": None}, {}),
        ({"clear": {}, "opacity": {}}, {"opacity": a()}),
    ],
)
def test_clear_and_opaque_lungs(value: Any, expected: Any) -> None:
    assert standardise({"opacity_vs_clear": value}).record["opacity_vs_clear"] == expected


def test_finding_among_the_lung_statements_moves() -> None:
    record = standardise({"opacity_vs_clear": {"consolidation": {"location": "left"}}}).record
    assert record["entity"] == {"consolidation": a("left")}


@pytest.mark.parametrize(
    ("record", "kept", "flag"),
    [
        (
            {"entity": ["mass"], "uncertain_entity": ["mass"]},
            "uncertain_entity",
            "uncertain_entity",
        ),
        ({"entity": ["mass"], "no_entity": ["masses"]}, "entity", "no_entity"),
        ({"uncertain_entity": ["mass"], "no_entity": ["mass"]}, "uncertain_entity", "no_entity"),
        ({"entity": ["pleural effusion"], "no_entity": ["effusion"]}, "entity", "no_entity"),
    ],
)
def test_contradictions_are_resolved_and_flagged(record: Any, kept: str, flag: str) -> None:
    result = standardise(record)
    held = [
        category
        for category in ("entity", "uncertain_entity", "no_entity")
        if result.record[category]
    ]
    assert held == [kept]
    assert len(result.conflicts) == 1
    assert result.conflicts[0].kept == kept
    assert result.flags[0].endswith(flag)


def test_different_places_are_no_contradiction() -> None:
    record = {"entity": {"mass": a("left")}, "uncertain_entity": {"mass": a("right")}}
    result = standardise(record)
    assert result.conflicts == ()
    assert result.record["entity"] == record["entity"]


@pytest.mark.parametrize(
    "value", ["error", {"error": "content filter"}, "error: no answer", "None"]
)
def test_error_markers_are_no_findings(value: Any) -> None:
    result = standardise({"entity": value})
    assert result.record["entity"] == {}
    assert result.changes


def test_identity_passes_through_and_comes_first() -> None:
    record = {"entity": {}, "study_id": "5", "subject_id": 7, "view": ["AP"], "No Entity": ["mass"]}
    result = standardise(record).record
    assert list(result)[:3] == ["study_id", "subject_id", "view"]
    assert (result["view"], result["no_entity"]) == (["AP"], ["mass"])
    assert "No Entity" not in result


def test_vocabulary_decides_before_the_lexicon() -> None:
    vocabulary = {"patchy": ["location"], "zebra": ["type"], "mild": []}
    record = {"entity": {"edema": a("zebra", "mild", "patchy")}}
    assert standardise(record, vocabulary).record["entity"] == {"edema": a("patchy", None, "zebra")}
    own = standardise({**record, "_vocabulary": vocabulary})
    assert own.record["entity"] == {"edema": a("patchy", None, "zebra")}
    assert "_vocabulary" not in own.record
    assert Standardiser(vocabulary).standardise(record).record["entity"] == own.record["entity"]


def test_finding_inside_a_finding_is_lifted() -> None:
    value = {"opacity": {**a("left"), "atelectasis": {"location": "right"}}}
    assert entity(value) == {"opacity": a("left"), "atelectasis": a("right")}


def test_changes_say_what_happened() -> None:
    result = standardise({"entity": {"left effusions": {"level": "small", "odd": 1}}})
    rules = {change.rule for change in result.changes}
    assert {"location_from_name", "singular", "attributes", "unknown_key"} <= rules
    spoken = next(change for change in result.changes if change.rule == "location_from_name")
    assert (spoken.before, spoken.after) == ("left effusions", "effusion")
    assert json.dumps([change.as_json() for change in result.changes])


def test_standard_record_has_no_changes() -> None:
    record = {
        "study_id": "1",
        "opacity_vs_clear": {"clear": a("lung")},
        "entity": {"pleural effusion": [a("left", "small"), a("right", "large")]},
        "uncertain_entity": {},
        "no_entity": ["pneumothorax"],
    }
    assert standardise(record) == Standardised(record)


def lines_run(function: Callable[[], object]) -> int:
    """How many lines of Python a call executes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
    return count


def test_cost_does_not_grow_with_the_vocabulary() -> None:
    record = {"entity": {"left zebra effusion": a("base", "mild")}}
    costs = []
    for size in (10, 20_000):
        vocabulary = {f"term {number}": ["type"] for number in range(size)}
        standardise(record, vocabulary)  # what is prepared once for a vocabulary is not counted
        costs.append(lines_run(lambda: standardise(record, vocabulary)))  # noqa: B023
    assert costs[1] < 1.1 * costs[0]  # a loop over all terms would add tens of thousands
