"""Sections of reports, one case per way in which notes differ. All sentences are made up."""

from __future__ import annotations

import pytest

from pipeline.clinical.sections import SectionedReport, extract_sections

RULE = " " + "_" * 78 + "\n"
BANNER = " " * 33 + "FINAL REPORT\n"
BODY = "Lungs are clear. The heart is of normal size."
BASE = f" FINDINGS:  {BODY}\n \n IMPRESSION:  Normal chest.\n"

# name: (text, expected sections, "" for those that must be missing)
CASES: dict[str, tuple[str, dict[str, str]]] = {
    # where and how titles are written
    "indented": (BANNER + BASE, {"findings": BODY, "impression": "Normal chest."}),
    "no_banner_first_line": ("FINDINGS: Clear.\nIMPRESSION: Normal.", {"findings": "Clear."}),
    "title_case": (
        "Indication: Cough\nFindings: Clear lungs\nImpression: Normal",
        {"indication": "Cough", "findings": "Clear lungs", "impression": "Normal"},
    ),
    "lower_case_no_blank_lines": (
        "indication: cough\nfindings: clear lungs\nimpression: normal",
        {"indication": "cough", "findings": "clear lungs", "impression": "normal"},
    ),
    "space_before_colon": (" FINDINGS :  Clear.\n IMPRESSION : Normal.", {"findings": "Clear."}),
    "double_colon": (" FINDINGS:: Clear.\n", {"findings": "Clear."}),
    "markdown": ("**FINDINGS:** Clear.\n\n**IMPRESSION:** Normal.", {"findings": "Clear."}),
    "markdown_heading": ("## Findings\nClear.\n\n## Impression\nNormal.", {"findings": "Clear."}),
    "underlined": (
        "FINDINGS\n--------\nClear.\n\nIMPRESSION\n--------\nNormal.",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "alone_without_colon": (
        " FINDINGS\n Clear.\n \n IMPRESSION\n Normal.\n",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "one_blank_without_colon": (
        " FINDINGS: Clear.\n \n IMPRESSION No acute disease.\n",
        {"findings": "Clear.", "impression": "No acute disease."},
    ),
    "two_blanks_without_colon": (
        " FINDINGS  CLEAR.\n IMPRESSION  NORMAL.\n",
        {"findings": "CLEAR.", "impression": "NORMAL."},
    ),
    "dash": ("Findings - Clear.\nImpression - Normal.\n", {"impression": "Normal."}),
    "long_dash": (
        "FINDINGS — Clear.\nIMPRESSION – Normal.\n",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "close_dash": ("FINDINGS-Clear.\nIMPRESSION-Normal.\n", {"findings": "Clear."}),
    "dash_then_time": (
        " FINDINGS - Tube placed at 10:45 ends high.\n",
        {"findings": "Tube placed at 10:45 ends high."},
    ),
    "dash_then_sub_heading": (" FINDINGS - LUNGS: CLEAR.\n", {"findings": "LUNGS: CLEAR."}),
    "full_stop": ("INDICATION. Cough.\nIMPRESSION. Normal.", {"impression": "Normal."}),
    "full_width_colon": ("FINDINGS：Clear.\nIMPRESSION：Normal.", {"findings": "Clear."}),
    "spaced_letters": ("F I N D I N G S: Clear.\n", {"findings": "Clear."}),
    "chinese": (
        "检查所见：双肺清晰。\n诊断意见：未见异常。\n",
        {"findings": "双肺清晰。", "impression": "未见异常。"},
    ),
    "straight_after_empty_title": (
        " COMPARISON:\n FINDINGS:\n Clear.\n",
        {"comparison": "", "findings": "Clear."},
    ),
    "inside_line": (
        "INDICATION: Pain. COMPARISON: None. FINDINGS: Clear. IMPRESSION: Normal.",
        {
            "indication": "Pain.",
            "comparison": "None.",
            "findings": "Clear.",
            "impression": "Normal.",
        },
    ),
    "inside_line_title_case": (
        "Comparison: None. Findings: Clear. Impression: Normal.",
        {"comparison": "None.", "findings": "Clear.", "impression": "Normal."},
    ),
    "inside_line_no_blank": (
        "FINDINGS: Clear.IMPRESSION: Normal.",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "inside_line_after_blank": (
        "COMPARISON: ___ FINDINGS: Clear.",
        {"comparison": "___", "findings": "Clear."},
    ),
    "inside_line_combined": (
        "COMPARISON: None. FINDINGS AND IMPRESSION: Clear.",
        {"findings_impression": "Clear.", "comparison": "None."},
    ),
    "inside_line_no_full_stop": (
        "Findings: clear lungs Impression: normal",
        {"findings": "clear lungs", "impression": "normal"},
    ),
    "inside_line_after_upper_case_word": (
        "COMPARISON: XXXX, XXXX FINDINGS: The lungs are clear.",
        {"comparison": "XXXX, XXXX", "findings": "The lungs are clear."},
    ),
    "inside_line_upper_case": (
        "COMPARISON: NONE  FINDINGS: CLEAR.  IMPRESSION: NORMAL",
        {"comparison": "NONE", "findings": "CLEAR.", "impression": "NORMAL"},
    ),
    "dated_title": (" IMPRESSION (1/2/2012): Normal.\n", {"impression": "Normal."}),
    "after_the_word_findings": (
        "FINDINGS: No new findings. IMPRESSION: Normal.",
        {"findings": "No new findings.", "impression": "Normal."},
    ),
    "combined_over_two_lines": (
        " COMPARISON: None.\n FINDINGS AND\n IMPRESSION: Clear.\n",
        {"findings_impression": "Clear."},
    ),
    # spelling and synonyms
    "typos": (
        " INDCIATION: Pain.\n FINIDNGS: Clear.\n IMPRSESION: Normal.\n",
        {"indication": "Pain.", "findings": "Clear.", "impression": "Normal."},
    ),
    "first_letter_lost": (
        " OMPARISON: None.\n INDINGS: Clear.\n MPRESSION: Normal.\n",
        {"comparison": "None.", "findings": "Clear.", "impression": "Normal."},
    ),
    "near_words_are_no_typos": (
        " FINDINGS: Clear.\n MEDICATION: Unknown pump.\n COMPRESSION: Mild.\n",
        {"findings": "Clear. MEDICATION: Unknown pump. COMPRESSION: Mild."},
    ),
    "ampersand": (
        " HISTORY & INDICATION: Pain.\n FINDINGS & IMPRESSION: Clear.\n",
        {"history": "Pain.", "findings_impression": "Clear."},
    ),
    "slash": (" FINDINGS/IMPRESSION: Clear.\n", {"findings_impression": "Clear."}),
    "conclusion": (" FINDINGS: Clear.\n CONCLUSION: Normal.\n", {"impression": "Normal."}),
    "opinion": (" FINDINGS: Clear.\n OPINION: Normal.\n", {"impression": "Normal."}),
    "physicians_impression": (" RADIOLOGIST'S IMPRESSION: Normal.\n", {"impression": "Normal."}),
    "reason_for_exam": (" REASON FOR EXAM: Pain.\n FINDINGS: Clear.\n", {"indication": "Pain."}),
    "indication_for_portable": (
        " INDICATION FOR PORTABLE STUDY: Line.\n \n FINDINGS: Clear.\n",
        {"indication": "Line.", "findings": "Clear."},
    ),
    "chest_technique": (
        " CHEST TECHNIQUE: One view.\n \n FINDINGS: Clear.\n",
        {"technique": "One view.", "findings": "Clear."},
    ),
    "recommendations": (
        BASE + " RECOMMENDATION(S): Chest CT in 3 months.\n",
        {"recommendations": "Chest CT in 3 months.", "impression": "Normal chest."},
    ),
    "notification": (
        BASE + " \n NOTIFICATION: Told Dr. ___ by telephone at 2:05 PM.\n",
        {"notification": "Told Dr. ___ by telephone at 2:05 PM."},
    ),
    # what only looks like a title
    "time_of_day": (
        " FINDINGS: The tube seen at 10:45 a.m. is out.\n at 11:30 a.m. it was back.\n",
        {"findings": "The tube seen at 10:45 a.m. is out. at 11:30 a.m. it was back."},
    ),
    "numbered": (
        " IMPRESSION:\n 1. Lines and tubes: in place.\n 2. Lungs: clear.\n",
        {"impression": "1. Lines and tubes: in place. 2. Lungs: clear."},
    ),
    "word_in_prose": (
        " FINDINGS: In view of the earlier findings: no change.\n",
        {"findings": "In view of the earlier findings: no change."},
    ),
    "wrapped_prose": (
        " FINDINGS:\n The size of the left effusion is, in keeping with the earlier\n"
        " findings: unchanged.\n",
        {
            "findings": "The size of the left effusion is, in keeping with the earlier "
            "findings: unchanged."
        },
    ),
    "upper_case_prose": (
        " FINDINGS:\n IN KEEPING WITH THE EARLIER FINDINGS: NO CHANGE OF THE EFFUSION.\n",
        {"findings": "IN KEEPING WITH THE EARLIER FINDINGS: NO CHANGE OF THE EFFUSION."},
    ),
    "upper_case_sentence": (
        " IMPRESSION:\n FINDINGS ARE THOSE OF EDEMA.\n HISTORY IS NOT KNOWN.\n",
        {"impression": "FINDINGS ARE THOSE OF EDEMA. HISTORY IS NOT KNOWN."},
    ),
    "exam_limited": (
        " INDICATION: Pain.\n \n EXAM limited by rotation. Small left effusion.\n",
        {"findings": "EXAM limited by rotation. Small left effusion."},
    ),
    "title_in_title": (
        " INDICATION: HISTORY: old fall, pain.\n FINDINGS: Clear.\n",
        {"indication": "HISTORY: old fall, pain."},
    ),
    # sub-headings, studies, organs
    "sub_headings": (
        " FINDINGS:\n LUNGS: Clear.\n HEART: Large.\n LEFT CHEST TUBE: Gone.\n \n"
        " IMPRESSION: Large heart.\n",
        {
            "findings": "LUNGS: Clear. HEART: Large. LEFT CHEST TUBE: Gone.",
            "impression": "Large heart.",
        },
    ),
    "chest_tube_in_impression": (
        " FINDINGS: Clear.\n \n IMPRESSION: No change.\n LEFT CHEST TUBE: In place.\n",
        {"findings": "Clear.", "impression": "No change. LEFT CHEST TUBE: In place."},
    ),
    "sub_headings_untitled": (
        " COMPARISON: None.\n LUNGS: Clear.\n HEART: Large.\n",
        {"comparison": "None.", "findings": "LUNGS: Clear. HEART: Large."},
    ),
    "study_title": (" CHEST, 2 VIEWS:  Clear.\n \n IMPRESSION: Normal.\n", {"findings": "Clear."}),
    "study_title_time": (" AP CHEST, 9:17 A.M., ___:  Clear.\n", {"findings": "Clear."}),
    "study_titles": (
        " RIGHT SHOULDER, TWO VIEWS: No fracture.\n \n PORTABLE CHEST: Clear.\n",
        {"findings": "No fracture. Clear."},
    ),
    "study_then_findings": (
        " CHEST, TWO VIEWS: PA and lateral views were obtained.\n \n FINDINGS: Clear.\n",
        {"findings": "Clear."},
    ),
    "parts_in_findings": (
        " FINDINGS:\n CHEST: Clear.\n ABDOMEN: No free air.\n",
        {"findings": "CHEST: Clear. ABDOMEN: No free air."},
    ),
    "parts_in_impression": (
        " IMPRESSION:\n \n CHEST: Normal.\n \n ABDOMEN: No free air.\n",
        {"impression": "CHEST: Normal. ABDOMEN: No free air."},
    ),
    "other_organ_after_rule": (
        BASE + RULE + " ABDOMEN:\n \n No free air.\n",
        {"impression": "Normal chest.", "other_study": "No free air."},
    ),
    "other_organ_after_gap": (
        BASE + " \n ABDOMEN, SUPINE: No free air.\n \n IMPRESSION: No ileus.\n",
        {"impression": "Normal chest."},
    ),
    "other_organ_examination": (
        BASE + RULE + " EXAMINATION: KNEE (2 VIEWS)\n \n FINDINGS: No fracture.\n",
        {"findings": BODY},
    ),
    # missing, empty, repeated
    "empty_findings": (
        " FINDINGS:\n \n IMPRESSION: Normal.\n",
        {"findings": "", "impression": "Normal."},
    ),
    "empty_impression": (
        " FINDINGS: Clear.\n \n IMPRESSION:\n",
        {"findings": "Clear.", "impression": ""},
    ),
    "repeated": (
        " FINDINGS: One.\n IMPRESSION: A.\n FINDINGS: Two.\n IMPRESSION: B.\n",
        {"findings": "One. Two.", "impression": "A. B."},
    ),
    "no_title": (
        BANNER + " Lungs are clear.\n \n No effusion.\n",
        {"findings": "Lungs are clear. No effusion."},
    ),
    "upper_case_report": (
        BANNER + " LUNGS ARE CLEAR.\n NO EFFUSION.\n",
        {"findings": "LUNGS ARE CLEAR. NO EFFUSION."},
    ),
    "paragraphs": (
        " FINDINGS:\n \n Clear.\n \n No effusion.\n \n IMPRESSION: Normal.\n",
        {"findings": "Clear. No effusion."},
    ),
    # bodies without a title
    "body_after_comparison": (
        " COMPARISON: ___.\n \n Lungs are clear.\n \n IMPRESSION: Normal.\n",
        {"comparison": "___.", "findings": "Lungs are clear.", "impression": "Normal."},
    ),
    "body_after_indication": (
        " INDICATION: ___F with pain.\n \n The lungs are clear.\n \n IMPRESSION: Normal.\n",
        {"indication": "___F with pain.", "findings": "The lungs are clear."},
    ),
    "body_same_paragraph": (
        " COMPARISON: None.\n The lungs are clear.\n",
        {"comparison": "None.", "findings": "The lungs are clear."},
    ),
    "body_same_line": (
        " COMPARISON: None.  The lungs are clear.\n \n IMPRESSION: Normal.\n",
        {"comparison": "None.", "findings": "The lungs are clear."},
    ),
    "comparison_of_two_sentences": (
        " COMPARISON: ___.  The prior CT showed no effusion.\n \n IMPRESSION: Normal.\n",
        {"comparison": "___. The prior CT showed no effusion.", "findings": ""},
    ),
    "repeated_at_once": (" FINDINGS: FINDINGS: Clear.\n", {"findings": "Clear."}),
    "body_after_empty_comparison": (
        " COMPARISON:\n \n The lungs are clear.\n",
        {"comparison": "", "findings": "The lungs are clear."},
    ),
    "body_starts_with_sentence": (
        " COMPARISON: None.\n \n The apex was cut off.\n \n Lungs are clear.\n",
        {"comparison": "None.", "findings": "The apex was cut off. Lungs are clear."},
    ),
    "long_indication_is_no_body": (
        " INDICATION: ___M after a fall.\n \n Please assess for rib fracture.\n \n"
        " IMPRESSION: No fracture.\n",
        {"indication": "___M after a fall. Please assess for rib fracture.", "findings": ""},
    ),
    "long_history_is_no_body": (
        " HISTORY: Known cancer.\n \n Treated for pneumonia, now with fever.\n \n"
        " FINDINGS: Clear.\n",
        {"history": "Known cancer. Treated for pneumonia, now with fever."},
    ),
    "preamble_body": (
        BANNER + " The lungs are clear.\n \n IMPRESSION: Normal.\n",
        {"findings": "The lungs are clear."},
    ),
    "study_name_first": (
        BANNER + " AP CHEST, ___.\n \n INDICATION: Pain.\n \n Lungs are clear.\n",
        {"examination": "AP CHEST, ___.", "findings": "Lungs are clear."},
    ),
    "study_name_above_body": (
        BANNER + " PA AND LATERAL CHEST\n Lungs are clear.\n \n IMPRESSION: Normal.\n",
        {"examination": "PA AND LATERAL CHEST", "findings": "Lungs are clear."},
    ),
    "study_name_after_indication": (
        " INDICATION: Pain.\n \n PORTABLE CHEST, ___\n \n The lungs are clear.\n",
        {"indication": "Pain.", "findings": "The lungs are clear."},
    ),
    # wet reads and addenda
    "wet_read": (
        " WET READ: ___ ___ 9:02 PM\n  Maybe pneumonia.\n" + RULE + BANNER + BASE,
        {"wet_read": "Maybe pneumonia.", "findings": BODY},
    ),
    "wet_read_one_line": (
        " WET READ: ___ 9:02 PM Maybe pneumonia.\n" + RULE + BASE,
        {"wet_read": "Maybe pneumonia."},
    ),
    "wet_read_versions": (
        " WET READ: ___ 9:02 PM\n  Two.\n WET READ VERSION #1 ___ 7:30 PM\n  One.\n" + RULE + BASE,
        {"wet_read": "Two. One.", "findings": BODY},
    ),
    "wet_read_with_titles": (
        " WET READ: ___ 9:02 PM\n FINDINGS: Maybe pneumonia.\n IMPRESSION: Unsure.\n"
        + RULE
        + BANNER
        + BASE,
        {"wet_read": "FINDINGS: Maybe pneumonia. IMPRESSION: Unsure.", "findings": BODY},
    ),
    "wet_read_no_rule": (
        " WET READ: Maybe pneumonia.\n \n INDICATION: Pain.\n \n" + BASE,
        {"wet_read": "Maybe pneumonia.", "indication": "Pain.", "findings": BODY},
    ),
    "wet_read_then_findings": (
        " WET READ: Maybe pneumonia.\n" + BASE,
        {"wet_read": "Maybe pneumonia.", "findings": BODY},
    ),
    "wet_read_last": (
        BASE + RULE + " WET READ: ___ 9:02 PM\n FINDINGS: Maybe pneumonia.\n",
        {"wet_read": "FINDINGS: Maybe pneumonia.", "findings": BODY},
    ),
    "preliminary_report": (
        " PRELIMINARY REPORT\n Maybe pneumonia.\n" + BANNER + BASE,
        {"wet_read": "Maybe pneumonia.", "findings": BODY},
    ),
    "addendum_first": (
        " FINAL ADDENDUM\n ADDENDUM:\n \n Old rib fracture.\n" + RULE + BANNER + BASE,
        {"addendum": "Old rib fracture.", "findings": BODY},
    ),
    "addendum_last": (
        BASE + " \n ADDENDUM: Old rib fracture.\n",
        {"addendum": "Old rib fracture.", "impression": "Normal chest."},
    ),
    "addendum_after_rule": (
        BASE + RULE + " ADDENDUM: Old rib fracture.\n",
        {"addendum": "Old rib fracture."},
    ),
    "addendum_numbers": (
        " ADDENDUM #2: Two.\n ADDENDUM #1: One.\n" + RULE + BASE,
        {"addendum": "Two. One."},
    ),
    "addendum_untitled": (
        " FINAL ADDENDUM\n Old rib fracture.\n" + RULE + BANNER + BASE,
        {"addendum": "Old rib fracture."},
    ),
    "addendum_with_title": (
        " ADDENDUM: IMPRESSION: Rib fracture.\n" + RULE + BANNER + BASE,
        {"addendum": "IMPRESSION: Rib fracture.", "impression": "Normal chest."},
    ),
    "notification_in_addendum": (
        " ADDENDUM: Rib fracture.\n NOTIFICATION: Told Dr. ___.\n" + RULE + BANNER + BASE,
        {"addendum": "Rib fracture.", "notification": "Told Dr. ___."},
    ),
    # edges of the report
    "signature": (BASE + " \n DR. ___\n", {"impression": "Normal chest.", "signature": "DR. ___"}),
    "dictated_by": (BASE + " \n Dictated by: ___, M.D.\n", {"impression": "Normal chest."}),
    "md": (BASE + " \n ___, M.D.\n", {"impression": "Normal chest."}),
    "md_and_blank": (BASE + " \n ___, MD\n ___\n", {"impression": "Normal chest."}),
    "blank_at_end": (
        " IMPRESSION: As seen on\n ___\n",
        {"impression": "As seen on ___", "signature": ""},
    ),
    "banner_with_text": (
        "FINAL REPORT  HISTORY: Pain.\n FINDINGS: Clear.\n",
        {"history": "Pain.", "findings": "Clear."},
    ),
    "blanks_kept": (" FINDINGS: ___ effusion on ___.\n", {"findings": "___ effusion on ___."}),
    # bytes
    "crlf": (BASE.replace("\n", "\r\n"), {"findings": BODY, "impression": "Normal chest."}),
    "cr": (BASE.replace("\n", "\r"), {"findings": BODY, "impression": "Normal chest."}),
    "tabs": (
        "\tFINDINGS:\tClear.\n\tIMPRESSION\tNormal.\n",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "bom": ("\ufeffFINDINGS: Clear.\n", {"findings": "Clear."}),
    "form_feed": (
        " FINDINGS: Clear.\f IMPRESSION: Normal.\n",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "hard_blanks": (
        "\xa0FINDINGS:\xa0Clear.\n\xa0\n\xa0IMPRESSION:\xa0Normal.",
        {"findings": "Clear.", "impression": "Normal."},
    ),
    "replacement_character": (
        " FINDINGS: Cl\ufffdar \udc80 lungs.\n",
        {"findings": "Cl\ufffdar \udc80 lungs."},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_sections(name: str) -> None:
    text, expected = CASES[name]
    sections = extract_sections(text).sections
    assert {key: sections.get(key, "") for key in expected} == expected


def reading(text: str) -> str:
    return extract_sections(text).reading


def test_reading_is_findings_impression_addendum_and_nothing_else() -> None:
    text = (
        " WET READ: Maybe pneumonia.\n ADDENDUM: Rib fracture.\n"
        + RULE
        + BANNER
        + " EXAMINATION: CHEST\n HISTORY: Fall.\n INDICATION: Pain.\n TECHNIQUE: AP.\n"
        + " COMPARISON: None.\n"
        + BASE
        + " RECOMMENDATION: CT.\n NOTIFICATION: Told Dr. ___.\n"
        + RULE
        + " ABDOMEN: No free air.\n"
    )
    assert reading(text) == f"{BODY}\nNormal chest.\nRib fracture."


def test_reading_of_a_combined_section() -> None:
    assert reading(" INDICATION: Pain.\n FINDINGS/IMPRESSION: Clear.\n") == "Clear."


def test_reading_is_the_wet_read_where_there_is_nothing_else() -> None:
    report = extract_sections(" INDICATION: Pain.\n WET READ: ___ 9:02 PM\n Maybe pneumonia.\n")
    assert report.reading == "Maybe pneumonia."
    assert ("reading", "wet_read") in report.rules


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n\t\n",
        BANNER,
        RULE,
        BANNER + " INDICATION: Pain.\n COMPARISON: ___.\n",
        " FINDINGS: ___\n",
        " FINDINGS:\n IMPRESSION:\n",
        BANNER + " AP CHEST, ___.\n",
        BANNER + " NOTIFICATION: Told Dr. ___.\n",
    ],
)
def test_says_that_there_is_no_findings_text(text: str) -> None:
    report = extract_sections(text)
    assert report.reading == ""
    assert not report.has_reading
    assert report.rules[-1] == ("reading", "no_findings_text")


def test_rules_say_what_fired() -> None:
    report = extract_sections(
        " INDICATION:\n FINIDNGS: Clear.\n CHEST, AP: x\n IMPRESSION - Normal.\n"
    )
    assert report.rules == [
        ("findings", "misspelt"),
        ("impression", "separated"),
        ("indication", "empty"),
        ("reading", "findings+impression"),
    ]


def test_spans_point_into_the_original_text() -> None:
    text = "\ufeff FINDINGS: Clear.\r\n\r\n IMPRESSION： Normal.\r\n FINDINGS: More.\r\n"
    report = extract_sections(text)
    assert [text[a:b] for a, b in report.spans["findings"]] == ["Clear.", "More."]
    assert [text[a:b] for a, b in report.spans["impression"]] == ["Normal."]


def test_result_is_immutable() -> None:
    report = extract_sections(BASE)
    assert isinstance(report, SectionedReport)
    with pytest.raises(AttributeError):
        report.reading = ""  # type: ignore[misc]
