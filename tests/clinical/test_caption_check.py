"""Captions of reports: checked against them, and made without a model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.caption_check import check_caption
from pipeline.clinical.caption_rules import make_caption
from tests.clinical.test_translation_check import pairs

REPORT = (
    "FINDINGS: Small left pleural effusion, unchanged since ___. No pneumothorax. An 8 mm nodule "
    "in the right upper lobe, possibly a granuloma. The heart is normal in size. IMPRESSION: "
    "Stable small left effusion. CT is recommended."
)
CAPTION = (
    "There is a small left pleural effusion. No pneumothorax. An 8 mm nodule in the right upper "
    "lobe may be a granuloma. The heart size is normal."
)


def test_a_good_caption_passes_without_a_flag() -> None:
    found = check_caption(REPORT, CAPTION)
    assert found.ok, found
    assert not found.flags


@pytest.mark.parametrize(
    "name", ["caption_pairs.psv", "caption_pairs_unseen.psv", "caption_pairs_free.psv"]
)
def test_nine_in_ten_of_the_wrong_are_caught_and_hardly_any_right_ones_rejected(name: str) -> None:
    found = pairs(name)
    assert len(found) >= 40
    missed = [pair for pair in found if check_caption(pair.source, pair.wrong).ok]
    rejected = [pair for pair in found if not check_caption(pair.source, pair.right).ok]
    assert len(missed) <= 0.1 * len(found), missed
    assert len(rejected) <= 0.03 * len(found), rejected


def test_other_wordings_of_right_captions_pass() -> None:
    path = Path(__file__).with_name("caption_right.psv")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [tuple(line.split("|")) for line in lines if line[:1] not in "#"]
    assert len(found) >= 30
    rejected = [line for line in found if not check_caption(*line).ok]
    assert len(rejected) <= 0.03 * len(found), rejected


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("left", "right", "side"),
        ("No pneumothorax", "There is a pneumothorax", "negation"),
        ("a small left pleural effusion", "no pleural effusion", "negation"),
        ("size is normal", "is enlarged", "negation"),
        ("No pneumothorax.", "A rib fracture is seen.", "finding"),
        ("small", "large", "degree"),
        ("8 mm", "18 mm", "number"),
        ("8 mm", "8 cm", "number"),
        ("upper", "lower", "place"),
        ("may be a granuloma", "is a granuloma", "certainty"),
        ("effusion.", "effusion, unchanged.", "comparison"),
        ("effusion.", "effusion as on ___.", "blank"),
        ("effusion.", "effusion since March 3.", "date"),
        ("normal.", "normal. CT is recommended.", "advice"),
    ],
)
def test_what_a_caption_must_not_say(old: str, new: str, reason: str) -> None:
    assert reason in check_caption(REPORT, CAPTION.replace(old, new)).reasons


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("", "empty"),
        ("I'm sorry, I cannot help with that.", "refusal"),
        ("左侧少量胸腔积液，未见气胸，心影大小正常。", "wrong_language"),
        ("There is a small left pleural effusion and the", "truncated"),
    ],
)
def test_what_is_no_caption(caption: str, reason: str) -> None:
    assert check_caption(REPORT, caption).reason == reason


def test_a_finding_that_is_left_out_is_flagged() -> None:
    found = check_caption(REPORT, "No pneumothorax. The heart size is normal.")
    assert found.ok
    kinds = [(flag.kind, flag.finding) for flag in found.flags]
    assert ("omitted", "pleural effusion") in kinds
    assert ("doubt_omitted", "granuloma") in kinds


@pytest.mark.parametrize(
    ("findings", "impression", "caption"),
    [
        (
            "The heart is normal in size. Unchanged small left pleural effusion.",
            "Small left effusion.",
            "The heart is normal in size. Small left pleural effusion.",
        ),
        ("There are no XXXX of a pleural effusion.", "", "No pleural effusion."),
        ("Interval increase in the moderate right effusion.", "",
         "Moderate right pleural effusion."),
        ("The scar in the lingula is unchanged.", "", "Scarring in the lingula."),
        ("", "Recommend CT for the 5 mm nodule in the left lower lobe.", ""),
        ("Compared to ___.", "Discussed with Dr. ___ at 10:30.", ""),
        ("___", "", ""),
    ],
)  # fmt: skip
def test_captions_without_a_model(findings: str, impression: str, caption: str) -> None:
    assert make_caption(findings, impression) == caption


@settings(max_examples=60)
@given(st.text(max_size=100), st.text(max_size=60))
def test_whatever_the_report_the_caption_of_the_rules_passes_the_check(
    findings: str, impression: str
) -> None:
    caption = make_caption(findings, impression)
    assert not caption or check_caption(f"{findings} {impression}", caption).ok
