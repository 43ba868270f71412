"""Open-ended phrases: ways of matching, one to one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.evaluation.phrases import PhraseOptions, PhraseScore, read_phrases, score_phrases


def score(folder: Path, gold: list[Any], said: list[Any], **options: Any) -> PhraseScore:
    chosen = PhraseOptions(replicates=20, **options)
    paths = []
    for name, phrases in (("gold", gold), ("said", said)):
        path = folder / f"{name}.jsonl"
        path.write_text(json.dumps({"study_id": "1", "phrases": phrases}))
        paths.append(path)
    return score_phrases(read_phrases(paths[0], chosen), read_phrases(paths[1], chosen), chosen)


def f1(found: PhraseScore) -> dict[str, float]:
    return {way: round(measures["f1"].value, 3) for way, measures in found.matches.items()}


def test_ways_of_matching(tmp_path: Path) -> None:
    gold = ["pleural effusion", "rib fracture", "pulmonary edema", "scoliosis"]
    said = ["pleural effusion", "Fractures of the ribs", "Pulmonary oedema", "nodule"]
    found = f1(score(tmp_path, gold, said))
    assert found == {"exact": 0.25, "normalised": 0.5, "fuzzy": 0.5}
    loose = score(tmp_path, gold, said, threshold=60)
    assert f1(loose)["fuzzy"] == 0.75 and loose.as_json()["fuzzy_threshold"] == 60


def test_codes_and_their_categories(tmp_path: Path) -> None:
    gold = [{"phrase": "effusion", "code": "J90"}, {"phrase": "collapse", "code": "J98.11"}]
    said = [{"phrase": "fluid", "code": "j90"}, {"phrase": "atelectasis", "code": "J98.19"}]
    found = f1(score(tmp_path, gold, said))
    assert (found["code"], found["category"], found["exact"]) == (0.5, 1, 0)


def test_a_phrase_is_matched_once(tmp_path: Path) -> None:
    found = score(tmp_path, ["edema"], ["edema", "Edema"])
    assert round(found.matches["normalised"]["precision"].value, 3) == 0.5


def test_hedged_phrases_count_only_if_wished(tmp_path: Path) -> None:
    said = [{"phrase": "edema", "certain": False}]
    assert score(tmp_path, ["edema"], said).predicted_phrases == 0
    assert score(tmp_path, ["edema"], said, hedged=True).predicted_phrases == 1


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"study_id": "1"}, "no list 'phrases'"),
        ({"phrases": []}, "no study id"),
        ({"study_id": "1", "phrases": [1]}, "has no 'phrase'"),
    ],
)
def test_rows_that_make_no_sense(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(json.dumps(row))
    with pytest.raises(ConfigError, match=message):
        read_phrases(path, PhraseOptions())
