"""KeyInfo against gold: names, synonyms, attributes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.evaluation.findings import read_findings
from pipeline.evaluation.keyinfo import KeyInfoOptions, KeyInfoScore, score_keyinfo
from pipeline.evaluation.synonyms import Names, read_synonyms

NOTHING = {"location": None, "level": None, "type": None}


def record(study: str, entity: dict[str, Any], **others: Any) -> dict[str, Any]:
    filled = {name: {**NOTHING, **values} for name, values in entity.items()}
    made = {"study_id": study, "opacity_vs_clear": {}, "entity": filled}
    return {**made, "uncertain_entity": {}, "no_entity": [], **others}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def score(
    folder: Path,
    gold: list[dict[str, Any]],
    said: list[dict[str, Any]],
    names: Names | None = None,
    options: KeyInfoOptions | None = None,
) -> KeyInfoScore:
    names = names or Names()
    truth = read_findings(write(folder / "gold.jsonl", gold), names)
    predicted = read_findings(write(folder / "said.jsonl", said), names)
    return score_keyinfo(truth, predicted, names, options or KeyInfoOptions(replicates=20))


def values(found: KeyInfoScore, category: str) -> list[float]:
    return [round(one.value, 3) for one in found.categories[category].values()]


def test_the_same_record_is_right(tmp_path: Path) -> None:
    rows = [
        record(
            "1",
            {"pleural effusion": {"location": "left", "level": "small"}},
            uncertain_entity={"pneumonia": NOTHING},
            no_entity=["pneumothorax"],
        )
    ]
    found = score(tmp_path, rows, rows)
    for category in ("entity", "entity, relaxed", "uncertain", "negated"):
        assert values(found, category) == [1, 1, 1]
    assert found.aspects["side"].equal == found.aspects["degree"].equal == 1
    assert not found.missing


def test_wordings_of_the_lexicon_are_one_name(tmp_path: Path) -> None:
    found = score(
        tmp_path, [record("1", {"effusion": {}})], [record("1", {"pleural effusion": {}})]
    )
    assert values(found, "entity") == [1, 1, 1]


def test_errors_are_counted_by_name_with_ids(tmp_path: Path) -> None:
    gold = [record("1", {"fracture": {}, "edema": {}}), record("2", {})]
    said = [record("1", {"edema": {}}), record("2", {"nodule": {}})]
    found = score(tmp_path, gold, said)
    assert values(found, "entity") == [0.5, 0.5, 0.5]
    assert found.names["fracture"].missed_ids == ["1"]
    assert found.names["nodule"].wrong_ids == ["2"]
    assert (found.empty_gold, found.empty_wrong) == (1, 1)


def test_a_study_without_prediction_has_nothing(tmp_path: Path) -> None:
    gold = [record("1", {"edema": {}}), record("2", {"edema": {}})]
    found = score(tmp_path, gold, [record("1", {"edema": {}})])
    assert values(found, "entity") == [1, 0.5, 0.667] and found.missing == ("2",)


def test_uncertain_findings_can_count_as_present(tmp_path: Path) -> None:
    gold = [record("1", {"edema": {}})]
    said = [record("1", {}, uncertain_entity={"edema": NOTHING})]
    assert values(score(tmp_path, gold, said), "entity") == [0, 0, 0]
    present = KeyInfoOptions(uncertain="present", replicates=0)
    assert values(score(tmp_path, gold, said, options=present), "entity") == [1, 1, 1]


@pytest.mark.parametrize(
    ("gold", "said", "aspect", "outcome"),
    [
        ({"location": "left"}, {"location": "left lower lobe"}, "side", "equal"),
        ({"location": "bilateral"}, {"location": "left"}, "side", "overlapping"),
        ({"location": "left"}, {"location": "right"}, "side", "contradicted"),
        ({"location": "left"}, {}, "side", "silent"),
        ({}, {"location": "left"}, "side", "added"),
        ({"location": "right lower lobe"}, {"location": "right lower lobe"}, "region", "equal"),
        ({"level": "mild"}, {"level": "small"}, "degree", "equal"),
        ({"level": "severe"}, {"level": "mild"}, "degree", "contradicted"),
        ({"level": "moderate"}, {"level": "mild to moderate"}, "degree", "overlapping"),
        ({"type": "patchy"}, {"type": "patchy, hazy"}, "kind", "overlapping"),
    ],
)
def test_attributes(
    tmp_path: Path, gold: dict[str, str], said: dict[str, str], aspect: str, outcome: str
) -> None:
    found = score(tmp_path, [record("1", {"opacity": gold})], [record("1", {"opacity": said})])
    counts = found.aspects[aspect]
    seen = {
        "equal": counts.equal,
        "overlapping": counts.overlapping - counts.equal,
        "contradicted": counts.contradicted,
        "silent": counts.silent,
        "added": counts.added,
    }
    assert {name for name, count in seen.items() if count} == {outcome}


def test_what_the_name_says_is_no_merit(tmp_path: Path) -> None:
    rows = [record("1", {"aortic calcification": {"location": "aorta"}})]
    assert score(tmp_path, rows, rows).aspects["region"].in_gold == 0


LIST = {
    "names": {"aortic calcification": ["calcified aorta"], "shadow": ["dark spot"], "nodule": []},
    "groups": [["shadow", "nodule"]],
    "ignore": ["shadow"],
}


def test_a_users_list_decides_and_relates(tmp_path: Path) -> None:
    path = tmp_path / "synonyms.json"
    path.write_text(json.dumps(LIST))
    names = Names(read_synonyms(path))
    assert names.canonical("Calcification", "aortic") == "aortic calcification"
    assert names.canonical("dark spots") == "shadow"
    assert names.canonical("large dark spot of age") == "shadow"
    found = score(tmp_path, [record("1", {"nodule": {}})], [record("1", {"dark spot": {}})], names)
    assert values(found, "entity") == [0, 0, 0]
    assert values(found, "entity, relaxed")[1] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "not JSON"), ("[]", "must hold"), ('{"names": {"a": ["x"], "b": ["x"]}}', "two names")],
)
def test_a_broken_list_is_said_to_be(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "synonyms.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_synonyms(path)


def test_index_terms_are_gold_too(tmp_path: Path) -> None:
    gold = [
        {
            "uid": 1,
            "scorable": True,
            "entities": [
                {"name": "opacity", "laterality": ["left"], "region": ["lower lobe"], "type": []},
                {"name": "nodule", "optional": True},
            ],
        },
        {"uid": 2, "scorable": False, "entities": []},
    ]
    said = [record("1", {"opacity": {"location": "left lower lobe"}, "nodule": {}})]
    found = score(tmp_path, gold, said)
    assert values(found, "entity") == [1, 1, 1] and found.studies == 1
    assert found.aspects["side"].equal == found.aspects["region"].equal == 1


def test_other_layouts_are_brought_into_standard_form(tmp_path: Path) -> None:
    gold = [record("1", {"edema": {"level": "mild"}})]
    said = [{"study_id": "1", "keyinfo": {"entity": [{"name": "Edema", "level": "mild"}]}}]
    found = score(tmp_path, gold, said)
    assert values(found, "entity") == [1, 1, 1] and found.aspects["degree"].equal == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([record("1", {}), record("1", {})], "second time"),
        ([{"entity": {}}], "no study id"),
        ([{"study_id": "1"}], "is no KeyInfo"),
        ([], "no record"),
    ],
)
def test_files_that_make_no_sense(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_findings(write(tmp_path / "g.jsonl", rows), Names())
