"""What is counted of records: numbers and listed words, whatever a reply put into a record."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.clinical.vocabulary import vocabulary
from pipeline.run.counts.captions import count_captions
from pipeline.run.counts.keyinfo import count_keyinfo
from pipeline.run.counts.labels import count_labels
from pipeline.run.counts.questions import count_questions
from pipeline.run.counts.samples import count_samples
from pipeline.run.counts.studies import count_studies


def attributes(**given: str) -> dict[str, str | None]:
    return {"location": None, "level": None, "type": None, **given}


def record(**given: Any) -> dict[str, Any]:
    return {"opacity_vs_clear": {}, "entity": {}, "uncertain_entity": {}, "no_entity": [], **given}


@pytest.mark.parametrize(
    "phrase", ["pleural effusion", "left lung base", "8 mm", "left 8th rib", "Old healed"]
)
def test_words_of_the_libraries_may_be_shown(phrase: str) -> None:
    assert vocabulary().knows(phrase)


@pytest.mark.parametrize(
    "phrase", ["", "Mr Miller's effusion", "effusion 19341", "small " * 6, "seen on 12/03/1950"]
)
def test_other_words_may_not(phrase: str) -> None:
    assert not vocabulary().knows(phrase)


def test_findings_by_status_and_attributes_of_instances() -> None:
    two = [attributes(location="left", level="small"), attributes(location="right, apical")]
    counts = count_keyinfo(
        [
            record(entity={"pleural effusion": two}, no_entity=["edema"]),
            record(
                uncertain_entity={"pleural effusion": attributes()},
                entity={"quartz of Mr X": attributes(location="zebrafinch")},
                changes=[{"rule": "singular"}],
                flags=["entity/no_entity"],
            ),
            record(),
        ],
        {},
    )
    found = counts["findings"]
    assert found["names"]["pleural effusion"] == {"present": 1, "uncertain": 1, "absent": 0}
    assert found["unknown"] == {"names": 1, "present": 1, "uncertain": 0, "absent": 0}
    assert found["statements"] == {"present": 2, "uncertain": 1, "absent": 1}
    places = counts["values"]["location"]
    assert places["most"] == {"apical": 1, "left": 1, "right": 1}
    assert places["unknown"] == {"values": 1, "times": 1}
    assert (counts["records"], counts["changed"], counts["empty"]) == (3, 1, 1)
    assert counts["rules"] == {"singular": 1} and counts["flags"] == {"entity/no_entity": 1}
    assert "quartz" not in str(counts) and "zebrafinch" not in str(counts)


def test_labels_of_readers_and_their_agreement() -> None:
    def reading(*labels: str) -> dict[str, Any]:
        return {"labels": list(labels) or ["Normal"], "uncertain": [], "negated": ["Fracture"]}

    counts = count_labels(
        [
            {
                "readers": {"rules": reading("Edema"), "model": {**reading(), "reply": "repaired"}},
                **reading(),
                "disputed": ["Edema"],
                "phrases": [
                    {"code": "J81.0", "exists": "code", "in_text": True, "certain": True},
                    {"code": "J90.77", "exists": "category", "in_text": False, "certain": False},
                    {"code": "words", "exists": "unknown"},
                ],
            }
        ],
        {},
    )
    assert counts["readers"]["rules"]["classes"]["Edema"]["present"] == 1
    assert counts["readers"]["combined"]["normal"] == 1
    assert counts["disputes"]["Edema"] == counts["disputed"] == 1
    edema = next(pair for pair in counts["pairs"] if pair["class"] == "Edema")
    assert (edema["only_a"], edema["agreement"]) == (1, 0)
    assert counts["codes"] == {"J81.0": 1, "J90": 1}
    assert (counts["phrases"], counts["in_text"], counts["uncertain_phrases"]) == (3, 1, 1)
    assert counts["replies"] == {"model": {"repaired": 1}}


def test_patients_in_two_splits_are_counted() -> None:
    rows = [
        {"id": f"{number}/s/0", "subject_id": patient, "split": split, "view": view}
        for number, (patient, split, view) in enumerate(
            [("p", "train", "PA"), ("p", "test", "LL"), ("q", "train", ""), (None, "", "words")]
        )
    ]
    studies = count_studies(rows, {})
    assert studies["in_two_splits"] == count_samples(rows, {})["in_two_splits"] == 1
    assert (studies["patients"], studies["unknown_patient"]) == (2, 1)
    assert studies["views"] == {"other": 2, "PA": 1, "unknown": 1}
    assert studies["splits"]["train"] == {"studies": 2, "patients": 2}
    questions = [
        {**row, "study_id": row["id"], "question_type": "view", "answer": "yes"} for row in rows
    ]
    assert count_questions(questions, {})["in_two_splits"] == 1


def test_captions_by_length_and_mark() -> None:
    counts = count_captions(
        [
            {"caption": "Small effusion.", "flags": [{"of": "caption", "kind": "addition"}, "cut"]},
            {"caption": "No effusion at all.", "translation": "无积液", "language": "Chinese",
             "image_paths": ["a.png", "b.png"], "image_views": ["pa", "ap"]},
        ],
        {},
    )  # fmt: skip
    assert counts["words"] == {"median": 2, "95 % below": 4, "longest": 4}
    assert counts["characters"]["longest"] == 3 and counts["images"] == 2
    assert counts["flags"] == {"caption: addition": 1, "cut": 1}


def test_nothing_gives_zeros() -> None:
    for count in (
        count_captions,
        count_keyinfo,
        count_labels,
        count_questions,
        count_samples,
        count_studies,
    ):
        assert count([], {})
