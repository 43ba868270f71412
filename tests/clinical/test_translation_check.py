"""Translations of captions: what is wrong with them is caught, what is right passes."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.claims import claims_of
from pipeline.clinical.glossary import load_glossary
from pipeline.clinical.translation_check import check_translation
from pipeline.core.errors import ConfigError


class Pair(NamedTuple):
    kind: str
    source: str
    right: str
    wrong: str


def pairs(name: str) -> list[Pair]:
    """Captions, each with a right translation and one that is wrong in one thing."""
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [
        Pair(*(part.strip() for part in line.split("|"))) for line in lines if line[:1] not in "#"
    ]


@pytest.mark.parametrize("name", ["translation_pairs.psv", "translation_pairs_unseen.psv"])
def test_nine_in_ten_of_the_wrong_are_caught_and_hardly_any_right_ones_rejected(name: str) -> None:
    found = pairs(name)
    assert len(found) >= 80
    missed = [pair for pair in found if check_translation(pair.source, pair.wrong).ok]
    rejected = [pair for pair in found if not check_translation(pair.source, pair.right).ok]
    assert len(missed) <= 0.1 * len(found), missed
    assert len(rejected) <= 0.03 * len(found), rejected


def test_other_wordings_of_right_translations_pass() -> None:
    path = Path(__file__).with_name("translation_right.psv")
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [tuple(line.split("|")) for line in lines if line[:1] not in "#"]
    assert len(found) >= 80
    rejected = [
        line
        for line in found
        if not check_translation(*line[:2], script=(*line, "simplified")[2]).ok
    ]
    assert len(rejected) <= 0.01 * len(found), rejected


@pytest.mark.parametrize(
    ("source", "right", "wrong"),
    [
        ("Bilateral effusions, left greater than right.", "双侧胸腔积液，左侧较多。",
         "双侧胸腔积液，右侧较多。"),
        ("Small left and moderate right effusions.", "左侧少量、右侧中量胸腔积液。",
         "左侧中量、右侧少量胸腔积液。"),
    ],
)  # fmt: skip
def test_the_side_that_has_more_is_kept(source: str, right: str, wrong: str) -> None:
    assert check_translation(source, right).ok
    assert "side" in check_translation(source, wrong).reasons


def test_every_finding_of_the_glossary_is_read_under_its_own_name() -> None:
    """Glossary and Chinese rules are two files; what one writes the other must know."""
    wrong = []
    for term in load_glossary().terms:
        if term.kind not in ("finding", "disease", "device", "procedure"):
            continue
        for word in term.chinese:
            names = {n for c in claims_of(f"可见{word}。") for n in (c.name, *c.also)}
            if not any(n == term.english or term.english.endswith(f" {n}") for n in names):
                wrong.append((term.english, word, names))
    assert len(load_glossary().terms) >= 300
    assert not wrong


@pytest.mark.parametrize(
    ("translation", "reason"),
    [
        ("右侧少量胸腔积液。未见气胸。", "side"),
        ("左侧少量胸腔积液。可见气胸。", "negation"),
        ("左侧少量胸腔积液。未见骨折。", "finding"),
        ("左侧少量pleural effusion。未见气胸。", "untranslated"),
        ("左侧少量胸腔积液，约5 mm。未见气胸。", "number"),
        ("左側少量胸腔積液。未見氣胸。", "script"),
        ("左侧大量胸腔积液。未见气胸。", "degree"),
        ("Small left pleural effusion. No pneumothorax.", "wrong_language"),
        ("抱歉，我无法翻译。", "refusal"),
        ("", "empty"),
    ],
)
def test_each_reason_has_a_name(translation: str, reason: str) -> None:
    source = "Small left pleural effusion. No pneumothorax."
    assert reason in check_translation(source, translation).reasons
    assert check_translation(source, "左侧少量胸腔积液。未见气胸。").ok


def test_traditional_characters_by_parameter() -> None:
    source = "Small left pleural effusion. No pneumothorax."
    assert check_translation(source, "左側少量胸腔積液。未見氣胸。", script="traditional").ok
    found = check_translation(source, "左侧少量胸腔积液。未见气胸。", script="traditional")
    assert found.reasons == ("script",)


def test_a_language_without_rules_says_which_checks_were_made() -> None:
    source = "An 8 mm nodule is seen in the right upper lobe of the lung."
    german = "Im rechten Oberlappen der Lunge zeigt sich ein Rundherd von 8 mm Größe."
    found = check_translation(source, german, "German")
    assert found.ok
    assert found.checks == ("form", "language", "untranslated", "numbers", "length")
    assert check_translation(source, german.replace("8", "9"), "German").reasons == ("number",)
    assert check_translation(source, source, "German").reasons[0] == "wrong_language"
    copied = "Im rechten Oberlappen: nodule is seen in the right upper lobe, 8 mm, der Lunge."
    assert "untranslated" in check_translation(source, copied, "German").reasons


def test_the_glossary_is_extended_by_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("english,chinese,kind,source\nscimitar sign,弯刀征,finding,own\n")
    glossary = load_glossary(path)
    source = "Scimitar sign on the right."
    assert [term.english for term in glossary.select(source)] == ["scimitar sign", "right"]
    assert check_translation(source, "右侧弯刀征。", glossary=glossary).flags == ()
    flags = check_translation(source, "右侧征象。", glossary=glossary).flags
    assert [(flag.kind, flag.finding) for flag in flags] == [("glossary", "scimitar sign")]
    path.write_text("english,chinese,kind,source\nscimitar sign,弯刀征,sign,own\n")
    load_glossary.cache_clear()
    with pytest.raises(ConfigError, match="unknown kind 'sign'"):
        load_glossary(path)


@settings(max_examples=60)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_judged_and_spans_lie_in_it(source: str, translation: str) -> None:
    found = check_translation(source, translation)
    for issue in (*found.rejects, *found.flags):
        assert 0 <= issue.span[0] <= issue.span[1] <= len(translation)
