"""KeyInfo of whole reports: merging, standard form, hostile input."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.extract import extract_keyinfo, forget_sentences, read_report
from pipeline.clinical.lexicon import load_lexicon
from pipeline.clinical.rulebook import load_rulebook

WORDS = sorted({w for phrase in load_lexicon().wordings for w in phrase.split()})[:400]
GLUE = [
    "no",
    "not",
    "and",
    "or",
    ",",
    ".",
    "may",
    "is",
    "of",
    "in",
    "the",
    "left",
    "XXXX",
    "/",
    "\n",
]


def entity(text: str) -> dict[str, Any]:
    record: dict[str, Any] = extract_keyinfo(text)["entity"]
    return record


def test_standard_form() -> None:
    record = extract_keyinfo("Small left pleural effusion. Possible pneumonia. No pneumothorax.")
    assert record == {
        "opacity_vs_clear": {},
        "entity": {"pleural effusion": {"location": "left", "level": "small", "type": None}},
        "uncertain_entity": {"pneumonia": {"location": None, "level": None, "type": None}},
        "no_entity": ["pneumothorax"],
    }


def test_stated_beats_doubted_beats_denied() -> None:
    text = "No effusion. Possible effusion. Effusion on the left. No edema. Edema is possible."
    record = extract_keyinfo(text)
    assert list(record["entity"]) == ["pleural effusion"]
    assert list(record["uncertain_entity"]) == ["pulmonary edema"]
    assert record["no_entity"] == []


def test_attributes_of_repeated_mentions_are_joined_once() -> None:
    text = "Streaky opacity in the left base. Mild streaky left base opacity."
    assert entity(text)["opacity"] == {"location": "left base", "level": "mild", "type": "streaky"}


def test_instances_that_differ_by_side_and_degree_stay_apart() -> None:
    found = entity("Large right effusion. Small left effusion.")["pleural effusion"]
    assert found == [
        {"location": "right", "level": "large", "type": None},
        {"location": "left", "level": "small", "type": None},
    ]


def test_clear_lungs_are_kept() -> None:
    record = extract_keyinfo("Both lungs are clear.")
    assert list(record["opacity_vs_clear"]) == ["clear"]
    assert record["entity"] == {}


def test_general_words_and_artefacts_are_no_findings() -> None:
    record = extract_keyinfo("No acute cardiopulmonary abnormality. Nipple shadows are seen.")
    assert record["entity"] == {}
    assert record["no_entity"] == []


def test_the_reason_for_the_image_is_no_finding() -> None:
    text = "HISTORY: Pneumonia and effusion.\nCOMPARISON: Edema then.\nFINDINGS: Clear lungs."
    record = extract_keyinfo(text)
    assert record["entity"] == {}
    assert record["uncertain_entity"] == {}


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "....", "XXXX XXXX.", "12 34", "\x00\ufffd", "İİİ"]
)
def test_nothing_to_read(text: str) -> None:
    assert extract_keyinfo(text)["entity"] == {}


def test_wrapped_lines_and_capitals_make_no_difference() -> None:
    plain = extract_keyinfo("There is a small left pleural effusion with adjacent atelectasis.")
    wrapped = extract_keyinfo(
        "THERE IS A SMALL LEFT\n PLEURAL EFFUSION WITH\r\n ADJACENT ATELECTASIS."
    )
    assert plain == wrapped


@given(st.text(max_size=400))
@settings(max_examples=150)
def test_no_text_crashes(text: str) -> None:
    check(text)


@given(st.lists(st.sampled_from(WORDS + GLUE * 8), max_size=60))
@settings(max_examples=250)
def test_no_mixture_of_known_words_crashes(words: list[str]) -> None:
    check(" ".join(words))


def check(text: str) -> None:
    by_name = load_rulebook().lexicon.by_name
    for mention in read_report(text).mentions:
        first, last = mention.span
        assert 0 <= first < last <= len(text)
    record = extract_keyinfo(text)
    assert list(record) == ["opacity_vs_clear", "entity", "uncertain_entity", "no_entity"]
    assert not set(record["entity"]) & set(record["uncertain_entity"])
    assert not set(record["entity"]) & set(record["no_entity"])
    assert len(set(record["no_entity"])) == len(record["no_entity"])
    assert set(record["entity"]) <= set(by_name)


HOSTILE = {
    "negations": "no " * 3_000,
    "findings": "opacity and " * 800,
    "places": "opacity in the left base of the " * 300,
    "commas": "effusion, " * 1_000,
    "states": "enlarged heart is " * 600,
    "dots": "." * 10_000 + "a",
    "blanks": "1." + " " * 10_000 + "a",
    "colons": "LUNGS: " * 1_500,
    "measures": "8 mm x 9 mm x " * 800,
    "distances": "5 cm above the " * 700,
    "digits": "1 x 2 - 3 to " * 800 + "mm",
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_time_is_linear_in_the_length(name: str) -> None:
    text = HOSTILE[name]

    def seconds(times: int) -> float:
        """The fastest of three readings, none of them from memory."""
        taken = []
        for _ in range(3):
            forget_sentences()
            start = time.process_time()
            extract_keyinfo(text * times)
            taken.append(time.process_time() - start)
        return min(taken)

    # Eight times the text: eight times the work where it is linear, sixty-four where quadratic.
    assert seconds(16) < 32 * max(seconds(2), 0.002)


def test_a_report_of_a_megabyte() -> None:
    text = "No effusion or pneumothorax. Mild cardiomegaly with a small left effusion. " * 13_500
    start = time.process_time()
    assert set(extract_keyinfo(text)["entity"]) == {"cardiomegaly", "pleural effusion"}
    assert time.process_time() - start < 5
