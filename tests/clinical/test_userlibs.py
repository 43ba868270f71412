from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.clinical.dictionaries import TermCounter
from pipeline.clinical.reviewed import standardiser_for
from pipeline.clinical.standardise import standardise
from pipeline.clinical.userlibs import load_user_libs
from pipeline.core.errors import ConfigError
from pipeline.exports.dictionaries import write_libraries


def write(folder: Path, **files: Any) -> Path:
    for name, content in files.items():
        path = folder / name.replace("__", ".")
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def entity(folder: Path, record: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = standardiser_for(str(folder)).standardise(record).record["entity"]
    return found


def test_terms_are_counted_as_published() -> None:
    counter = TermCounter()
    counter.add(
        {
            "entity": {
                "edema": {"location": "left, right", "level": "mild", "type": None},
                "effusion": [{"location": "left"}, {"location": "right"}],
            },
            "uncertain_entity": ["edema"],
            "no_entity": ["nodule"],
        }
    )
    counter.add({"entity": None, "opacity_vs_clear": {"clear": {"location": ["lung", 3]}}})
    assert dict(counter.tables()) == {
        "entity": {"edema": 2, "clear": 1, "effusion": 1},
        "location": {"left": 2, "right": 2, "lung": 1},
        "level": {"mild": 1},
        "type": {},
    }


def test_a_refused_name_goes_and_says_so(tmp_path: Path) -> None:
    write(
        tmp_path, entity_dict_checked__csv="Term,Freq,Comment\nhistory,12,not a finding\nedema,9,\n"
    )
    result = standardiser_for(str(tmp_path)).standardise(
        {"entity": {"history": None, "edema": None}, "no_entity": ["nodule"]}
    )
    assert list(result.record["entity"]) == ["edema"]
    assert result.record["no_entity"] == ["nodule"]
    assert [(c.rule, c.name) for c in result.changes if c.rule == "rejected_term"] == [
        ("rejected_term", "history")
    ]


def test_a_refused_attribute_moves_to_where_it_is_approved_or_goes(tmp_path: Path) -> None:
    write(
        tmp_path,
        location_dict_checked__csv="Term,Comment\nfluffy,this is a type\nnonsense,no place\n",
        type_dict_checked__csv="Term,Comment\nfluffy,OK\n",
    )
    record = {"entity": {"edema": {"location": "fluffy"}, "opacity": {"location": "nonsense"}}}
    assert entity(tmp_path, record) == {
        "edema": {"location": None, "level": None, "type": "fluffy"},
        "opacity": {"location": None, "level": None, "type": None},
    }


def test_a_refused_attribute_moves_by_frequency_and_never_becomes_a_place(tmp_path: Path) -> None:
    write(
        tmp_path,
        type_dict_checked__csv="Term,Comment\nwoolly,not a type\nsouthern,not a type\n",
        level_dict__json={"woolly": 40},
        location_dict__json={"woolly": 900, "southern": 500},
    )
    record = {"entity": {"edema": {"type": "woolly"}, "opacity": {"type": "southern"}}}
    found = entity(tmp_path, record)
    assert found["edema"] == {"location": None, "level": "woolly", "type": None}
    assert found["opacity"] == {"location": None, "level": None, "type": None}


def test_published_libraries_add_and_do_not_overrule(tmp_path: Path) -> None:
    write(
        tmp_path,
        disease_lib_llm__csv=(
            "id,report_name,official_name,location\n"
            "0,pleural effusions;pleural fluid,pleural effusion,pleural\n"
            "1,gizmo lung;gizmo disease,gizmo disease,lung\n"
        ),
        level_lib__csv="level\nhumongous\nmoderate to large\nmoderate to large\nacute\n",
    )
    record = {
        "entity": {
            "humongous gizmo lung": None,
            "gizmo disease": {"location": "left"},
            "edema": {"type": "acute"},
        }
    }
    found = entity(tmp_path, record)
    assert set(found) == {"gizmo disease", "edema"}
    assert found["edema"]["type"] == "acute"
    gizmo = found["gizmo disease"]
    assert "humongous" in json.dumps(gizmo) and "left" in json.dumps(gizmo)


def test_unreviewed_dictionaries_of_a_set_change_nothing_in_it(tmp_path: Path) -> None:
    records = [
        standardise(raw).record
        for raw in (
            {"entity": {"small left effusions": None, "old thymoma": {"type": "chronic"}}},
            {"uncertain_entity": {"patchy opacity": {"location": "left base", "level": "mild"}}},
            {"opacity_vs_clear": {"clear": {"location": "lungs"}}, "no_entity": ["pneumothorax"]},
        )
    ]
    counter = TermCounter()
    for record in records * 1200:
        counter.add(record)
    assert write_libraries(counter, tmp_path)["entity"] == 4
    for record in records:
        assert standardiser_for(str(tmp_path)).standardise(record).record == record


def test_reviewed_standardisation_is_idempotent(tmp_path: Path) -> None:
    write(
        tmp_path,
        disease_lib_llm__csv="report_name,official_name\nwet thing;damp thing,wetness\n",
        entity_dict_checked__csv="Term,Comment\nnoise,drop\n",
    )
    standardiser = standardiser_for(str(tmp_path))
    raw = {"entity": {"wet thing": {"location": "left"}, "damp things": None, "noise": None}}
    once = standardiser.standardise(raw).record
    assert "wetness" in once["entity"] and "noise" not in once["entity"]
    assert standardiser.standardise(once).record == once


def test_comments_survive_a_new_build(tmp_path: Path) -> None:
    counter = TermCounter()
    counter.add({"entity": {"edema": None, "noise": None}})
    write_libraries(counter, tmp_path)
    sheet = tmp_path / "entity_dict_checked.csv"
    sheet.write_text(sheet.read_text().replace("noise,1,", "noise,1,not a finding"))
    counter = TermCounter()
    counter.add({"entity": {"edema": None}})
    write_libraries(counter, tmp_path)
    assert sheet.read_text() == "Term,Freq,Comment\nedema,1,\nnoise,0,not a finding\n"
    assert load_user_libs(tmp_path).rejected == {"noise"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("entity_dict_checked__csv", "Word,Comment\nedema,OK\n", "column Term is missing"),
        ("disease_lib_llm__csv", "report_name\nedema\n", "column official_name is missing"),
        ("level_lib__csv", "", "column level is missing"),
        ("level_dict__json", "[1, 2]", "must be an object"),
        ("level_dict__json", "{", "cannot be read as JSON"),
        ("level_dict__json", '{"mild": "many"}', "must be an object"),
        ("disease_lib_llm__csv", "report_name,official_name\na;b,one\nb,two\n", "belongs to"),
        ("type_dict_checked__csv", "Term,Comment\na,OK\na,no\n", "different comments"),
    ],
)
def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, name: str, content: str, message: str
) -> None:
    write(tmp_path, **{name: content})
    with pytest.raises(ConfigError, match=message) as caught:
        load_user_libs(tmp_path)
    assert name.replace("__", ".") in str(caught.value)


def test_a_folder_without_libraries_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no library"):
        load_user_libs(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        load_user_libs(tmp_path / "nowhere")


def test_repeated_terms_and_odd_headers_do_no_harm(tmp_path: Path) -> None:
    write(
        tmp_path,
        level_lib__csv="Level \nsmall\nsmall\n\n",
        entity_dict_checked__csv="\ufeffterm,freq,COMMENT\nEdema,3,\nedema,3,ok\n",
    )
    assert load_user_libs(tmp_path).rejected == frozenset()
