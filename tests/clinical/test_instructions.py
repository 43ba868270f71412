from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.instructing.answers import without_question, wrong_answer
from pipeline.clinical.instructing.by_rules import make_answer, make_instruction
from pipeline.clinical.instructing.contents import compose_report, contents_of, sections_of
from pipeline.clinical.instructing.generated_text import clean_text, is_refusal
from pipeline.clinical.instructing.instructions import wrong_instruction
from pipeline.clinical.instructing.language import is_in_language
from pipeline.clinical.lay_terms import in_clinical_words
from pipeline.prompting.families import family_names

SECTIONS = {
    "examination": "CHEST (PORTABLE AP)",
    "indication": "Cough and fever.",
    "comparison": "None.",
    "findings": "There is a small left pleural effusion with atelectasis at the left base. "
    "No pneumothorax. A right PICC ends in the SVC. The heart is moderately enlarged, and the "
    "mediastinal contours are within normal limits.",
    "impression": "Small left pleural effusion. Follow-up radiograph is recommended.",
}
REPORT = compose_report(SECTIONS, "") or ""


@pytest.mark.parametrize(
    ("raw", "meant"),
    [
        ('"Where is the effusion?"', "Where is the effusion?"),
        ("1. Where is the effusion?", "Where is the effusion?"),
        ("Question: Where is the effusion?", "Where is the effusion?"),
        ("**Instruction:** Where is the effusion?", "Where is the effusion?"),
        ("Here is a new instruction:\n\nWhere is the effusion?", "Where is the effusion?"),
        ("```\nWhere is the effusion?\n```", "Where is the effusion?"),
        ('{"instruction": "Where is the effusion?"}', "Where is the effusion?"),
        ("- “Where is   the effusion?”", "Where is the effusion?"),
        ("Sure! Here it is: Q1: Where is the effusion?", "Where is the effusion?"),
        ("问题：胸腔积液在哪一侧？", "胸腔积液在哪一侧？"),
        ("질문: 흉수는 어느 쪽에 있습니까?", "흉수는 어느 쪽에 있습니까?"),
        ("1. Effusion\n2. Atelectasis", "1. Effusion\n2. Atelectasis"),
        ('"Yes" or "no"?', '"Yes" or "no"?'),
        ("A right PICC is seen.", "A right PICC is seen."),
        ("{broken", "{broken"),
        ("", ""),
    ],
)
def test_cleaning(raw: str, meant: str) -> None:
    assert clean_text(raw) == meant


@settings(max_examples=80)
@given(st.text(max_size=60))
def test_cleaning_never_fails_and_a_json_string_is_its_text(text: str) -> None:
    assert clean_text(json.dumps(text)) == clean_text(text) or text.strip()[:1] in ('"', "{", "")


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I cannot help with that.",
        "As an AI language model, I do not read images.",
        "I cannot create an instruction.",
        "很抱歉，我无法回答。",
        "죄송합니다. 답변할 수 없습니다.",
        "Unfortunately, I do not see a report.",
    ],
)
def test_refusals(text: str) -> None:
    assert is_refusal(text)
    assert wrong_instruction(text, REPORT) == "refusal"


@pytest.mark.parametrize(
    "text",
    [
        "Where is the atelectasis?",
        "Summarise the findings in one sentence.",
        "What does PICC stand for?",
        "Is a pneumothorax visible in the image?",
        "Explain the effusion and its side effects on breathing to the patient.",
        "Which follow-up does the report recommend?",
        "List the devices that the report describes.",
        "Is the heart enlarged, and is it described as moderate?"[:22] + "?",
    ],
)
def test_good_instructions(text: str) -> None:
    assert wrong_instruction(text, REPORT) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("?!", "empty"),
        ("Why?", "too_short"),
        ("word " * 80, "too_long"),
        ("Where is the effusion? How large is it?", "several_questions"),
        ("Where is the effusion, and what is its size?", "several_questions"),
        ("Summarise the report. Then list the devices.", "several_questions"),
        ("1. Where is the effusion 2. Is there a nodule", "several_questions"),
        ("How large is the nodule?", "not_answerable"),
        ("Is there a rib fracture?", "not_answerable"),
        ("What has changed since the previous examination?", "not_answerable"),
        ("Which medication does the patient take?", "not_answerable"),
        ("What is the patient's name?", "not_answerable"),
        ("Is the effusion small? Answer: yes", "leaks_answer"),
        (
            "Given that there is a small left pleural effusion with atelectasis, what follows?",
            "leaks_answer",
        ),
        ("Wo befindet sich der Erguss und wie groß ist er?", "wrong_language"),
        ("左侧有胸腔积液吗？", "wrong_language"),
    ],
)
def test_wrong_instructions(text: str, reason: str) -> None:
    assert wrong_instruction(text, REPORT) == reason


def test_a_localisation_does_not_name_the_place() -> None:
    text = "Where is the left pleural effusion?"
    assert wrong_instruction(text, REPORT, family="localisation") == "leaks_answer"
    assert wrong_instruction(text, REPORT, family="question_answering") is None


def test_a_family_that_explains_may_quote() -> None:
    text = "Explain “There is a small left pleural effusion with atelectasis at the left base.”"
    assert wrong_instruction(text, REPORT, quotes=True) is None
    assert wrong_instruction(text, REPORT) == "leaks_answer"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("报告中是否提到胸腔积液？", "Chinese"),
        ("보고서에 흉수가 적혀 있습니까?", "Korean"),
        ("报告是如何描述 pleural effusion 的？", "Chinese"),
        ("報告の所見を要約してください。", "Japanese"),
        ("Où se trouve le nodule dans le poumon ?", "French"),
        ("Anything goes here", "Esperanto"),
        ("报告写道：“There is a small left pleural effusion.”", "Chinese"),
    ],
)
def test_languages(text: str, language: str) -> None:
    assert is_in_language(text, language)
    other = "English" if not text.isascii() else "Chinese"
    assert not is_in_language(text, other)


def test_chinese_and_korean_instructions_are_held_to_the_report() -> None:
    assert wrong_instruction("是否有气胸？", REPORT, language="Chinese") is None
    assert wrong_instruction("是否有骨折？", REPORT, language="Chinese") == "not_answerable"
    assert wrong_instruction("흉수가 있습니까?", REPORT, language="Korean") is None
    assert wrong_instruction("Is there an effusion?", REPORT, language="Korean") == "wrong_language"


@pytest.mark.parametrize(
    ("text", "facts", "reason"),
    [
        ("A small left pleural effusion.", {}, None),
        ("Left", {}, None),
        ("", {}, "empty"),
        (" … ", {}, "empty"),
        ("There is a small left", {"finish_reason": "length"}, "truncated"),
        ("There is a small left pleural effusion, atelectasis, and", {}, "truncated"),
        ("I'm sorry, I cannot answer.", {}, "refusal"),
        ("Where is the effusion?", {}, "question_repeated"),
        ("word " * 40 + ".", {"max_words": 20}, "too_long"),
        ("左侧有少量胸腔积液。", {}, "wrong_language"),
        ("左侧有少量胸腔积液。", {"language": "Chinese"}, None),
    ],
)
def test_answers(text: str, facts: dict[str, object], reason: str | None) -> None:
    assert wrong_answer(text, "Where is the effusion?", **facts) == reason  # type: ignore[arg-type]


def test_the_question_at_the_start_of_an_answer_is_taken_off() -> None:
    assert without_question("Where is it? On the left.", "Where is it?") == "On the left."
    assert without_question("Where is it?", "Where is it?") == "Where is it?"


def test_a_report_is_composed_of_titled_sections() -> None:
    assert list(sections_of(REPORT)) == [
        "EXAMINATION",
        "INDICATION",
        "COMPARISON",
        "FINDINGS",
        "IMPRESSION",
    ]
    assert compose_report({}, "Clear lungs.\nNormal heart.") == "REPORT: Clear lungs. Normal heart."
    assert compose_report({"comparison": "None."}, "Clear.") == "COMPARISON: None.\nREPORT: Clear."


def test_a_long_report_loses_whole_sections_the_impression_last() -> None:
    long = {**SECTIONS, "findings": "Clear. " * 5_000}
    assert compose_report(long, "", 100) == (
        "EXAMINATION: CHEST (PORTABLE AP)\nINDICATION: Cough and fever.\nCOMPARISON: None.\n"
        "IMPRESSION: Small left pleural effusion. Follow-up radiograph is recommended."
    )
    assert compose_report({"findings": "Clear. " * 5_000}, "", 100) is None


def test_what_a_report_offers() -> None:
    contents = contents_of(REPORT)
    assert contents.needs == {"finding", "abnormal", "place", "advice", "abbreviation", "long"}
    assert contents.abbreviations == ("AP", "PICC", "SVC")
    assert contents_of("FINDINGS: Unchanged.").needs == {"change"}


@pytest.mark.parametrize("family", family_names())
@pytest.mark.parametrize("language", ["English", "Chinese", "Korean"])
def test_rules_ask_and_answer_what_passes_the_checks(family: str, language: str) -> None:
    report = REPORT.replace("COMPARISON: None.", "COMPARISON: ___.") + " The effusion is unchanged."
    for seed in range(12):
        asked = make_instruction(report, family, language, str(seed))
        if not asked:
            continue
        quotes = family in ("abbreviation", "lay_paraphrase")
        wrong = wrong_instruction(asked, report, family=family, language=language, quotes=quotes)
        assert wrong is None, asked
        answer = make_answer(report, asked, family, language)
        assert wrong_answer(answer, asked, language=language) is None, answer


def test_answers_by_rules_quote_the_report() -> None:
    assert make_answer(REPORT, "Is there a pneumothorax?", "question_answering", "English") == (
        "No. The report says: “No pneumothorax.”"
    )
    assert make_answer(REPORT, "Is there a hernia?", "question_answering", "English") == (
        "The report does not say."
    )
    assert "peripherally inserted" in make_answer(REPORT, "Expand PICC", "abbreviation", "English")


def test_lay_words_are_read_as_findings() -> None:
    text = "You have fluid around your left lung and a big heart."
    clinical = in_clinical_words(text)
    assert clinical.text == "You have left pleural effusion and a cardiomegaly."
    start = clinical.text.index("left pleural")
    span = clinical.before((start, start + len("left pleural effusion")))
    assert text[slice(*span)] == "fluid around your left lung"
