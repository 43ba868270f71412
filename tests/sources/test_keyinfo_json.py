from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError, DataError
from pipeline.run.folder import RunFolder
from pipeline.run.job import run_job
from pipeline.run.recipe import load_recipe
from pipeline.sources import SourceConfig, open_source

RECORD = {"study_id": 50000001, "subject_id": "p-one", "entity": {"edema": None}, "no_entity": []}


def write(path: Path, *records: Any) -> Path:
    text = ",\n".join(one if isinstance(one, str) else json.dumps(one) for one in records)
    path.write_text(f"[\n{text}\n]")
    return path


def read(path: Path, **config: Any) -> list[dict[str, Any] | str]:
    source = open_source(SourceConfig(path=str(path), **config))
    found: list[dict[str, Any] | str] = []
    for locator in source.locators():
        try:
            found.append(source.read(locator))
        except DataError as error:
            found.append(f"{locator['id']}: {error.reason}")
    return found


def test_a_published_file_becomes_records(tmp_path: Path) -> None:
    path = write(tmp_path / "all_diseases.json", RECORD)
    (record,) = read(path)
    assert isinstance(record, dict)
    assert record["id"] == record["study_id"] == "50000001" and record["subject_id"] == "p-one"
    assert record["keyinfo"]["entity"] == {"edema": None}
    source = open_source(SourceConfig(path=str(path)))
    assert (source.kind, source.data_class) == ("keyinfo-json", "credentialed")
    assert [one["role"] for one in source.inputs()] == ["keyinfo"]


def test_one_bad_record_is_one_reject(tmp_path: Path) -> None:
    deep = '{"study_id": "4", "entity": ' + '{"a": ' * 400 + "1" + "}" * 401
    path = write(
        tmp_path / "k.json",
        RECORD,
        '{"study_id": "2", "entity": {"edema" null}}',
        {"study_id": None, "entity": {}},
        {"study_id": "3", "text": "no KeyInfo"},
        deep,
        '{"study_id": "5", "entity": {"\\ud800": null}}',
        7,
        {**RECORD, "study_id": 6},
        {**RECORD, "study_id": 6},
    )
    found = read(path)
    ids = [one if isinstance(one, str) else one["id"] for one in found]
    assert ids == [
        "50000001",
        "record-1: bad_json",
        "record-2: no_id",
        "3: no_keyinfo",
        "record-4: not_storable",
        "record-5: not_storable",
        "record-6: not_an_object",
        "6",
        "6#2: duplicate_id",
    ]


def test_metadata_beside_the_file_are_joined(tmp_path: Path) -> None:
    path = write(tmp_path / "all_diseases.json", {**RECORD, "view": "antero-posterior"})
    (tmp_path / "mimic_all.csv").write_text(
        "subject_id,study_id,dicom_id,view,split,study_date,study_order\n"
        "10000001,50000001,abc,postero-anterior,train,2150-01-01,2.0\n"
    )
    (record,) = read(path)
    assert isinstance(record, dict)
    assert (record["dicom_id"], record["split"], record["study_order"]) == ("abc", "train", "2")
    assert record["view"] == "antero-posterior"  # what the file says itself stands
    assert record["subject_id"] == "p-one"


def test_selection_works_as_for_reports(tmp_path: Path) -> None:
    records = [{**RECORD, "study_id": str(number)} for number in range(20)]
    path = write(tmp_path / "k.json", *records)
    assert len(read(path, sample=5)) == 5
    assert len(read(path, limit=3)) == 3


@pytest.mark.parametrize("text", ['{"study_id": 1}', "", "nothing"])
def test_what_is_no_list_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "k.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match="no KeyInfo file"):
        read(path)


def test_a_folder_is_no_keyinfo_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no keyinfo-json"):
        open_source(SourceConfig(path=str(tmp_path), kind="keyinfo-json"))


def run(tmp_path: Path, *sets: str) -> Path:
    recipe = load_recipe(
        "keyinfo-questions",
        source={"path": str(tmp_path / "k.json"), "data_class": "synthetic"},
        sets=sets,
    )
    run_job(RunFolder(tmp_path / "run"), recipe, workers=1)
    return tmp_path / "run"


def test_keyinfo_in_questions_out(tmp_path: Path) -> None:
    attributes = {"location": ["left", "right"], "level": ["small", "large"], "type": [None, None]}
    entity = {"pleural effusion": attributes}
    write(
        tmp_path / "k.json",
        *(
            {
                **RECORD,
                "study_id": str(n),
                "study_order": n,
                "entity": entity,
            }
            for n in (1, 2)
        ),
        "{broken",
    )
    folder = run(tmp_path)
    rows = (folder / "exports" / "questions.csv").read_text()
    assert "the level of" in rows or "nothing has changed." in rows
    again = json.loads((folder / "exports" / "all_diseases.json").read_text())
    assert again[0]["entity"]["pleural effusion"] == attributes
    manifest = json.loads((folder / "stages" / "ingest" / "manifest.json").read_text())
    assert manifest["counts"]["reasons"] == {"bad_json": 1}


def test_rare_terms_are_not_asked_about_and_a_changed_library_makes_stale(tmp_path: Path) -> None:
    entity = {"edema": {"level": "mild"}, "thymoma": {"location": "left"}}
    records = ({**RECORD, "study_id": str(n), "entity": entity} for n in range(12))
    write(tmp_path / "k.json", *records)
    libs = tmp_path / "libs"
    libs.mkdir()
    (libs / "entity_dict.json").write_text('{"edema": 12, "thymoma": 1}')
    sets = (f"stages.questions.libs={libs}",)
    rows = (run(tmp_path, *sets) / "exports" / "questions.csv").read_text()
    assert "edema" in rows and "thymoma" not in rows
    (libs / "entity_dict.json").write_text('{"edema": 12, "thymoma": 12}')
    with pytest.raises(Exception, match="a file of yours"):
        run(tmp_path, *sets)
