"""The vocabulary: wordings, plurals, kinds, and what is refused."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from pipeline.clinical.lexicon import CLASSES, load_lexicon, normalise, plural, read_rows
from pipeline.clinical.rulebook import load_rulebook
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

LEXICON = load_lexicon()


@pytest.mark.parametrize(
    ("term", "name"),
    [
        ("pleural effusions", "pleural effusion"),
        ("Pleural  Effusion", "pleural effusion"),
        ("air-space disease", "airspace disease"),
        ("bullae", "bulla"),
        ("masses", "mass"),
        ("metastases", "metastasis"),
        ("enlarged heart", "cardiomegaly"),
        ("PICC line", "picc"),
        ("unheard-of thing", None),
    ],
)
def test_canonical_names(term: str, name: str | None) -> None:
    assert LEXICON.canonical(term) == name


def test_every_name_is_its_own_canonical_name() -> None:
    for finding in LEXICON.findings:
        assert LEXICON.canonical(finding.name) == finding.name


def test_the_library_is_broad() -> None:
    assert len(LEXICON.findings) >= 240
    assert {c for f in LEXICON.findings for c in f.classes} == set(CLASSES)
    assert LEXICON.is_device("pacemaker leads")
    assert not LEXICON.is_device("pneumonia")
    assert LEXICON.kind("no such word") is None


def test_codes_look_like_icd_10_cm() -> None:
    code = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?$")
    assert all(code.match(f.icd10) for f in LEXICON.findings if f.icd10)
    assert sum(1 for f in LEXICON.findings if f.icd10) >= 180


@pytest.mark.parametrize(
    ("word", "several"),
    [
        ("opacity", "opacities"),
        ("mass", "masses"),
        ("apex", "apices"),
        ("atelectasis", None),
        ("arthritis", None),
        ("lung volumes", None),
    ],
)
def test_plurals(word: str, several: str | None) -> None:
    assert plural(word) == several


def test_normalise() -> None:
    assert normalise(" T-Spine,  (upper) ") == "t spine upper"


def _copy(tmp_path: Path) -> Path:
    root = tmp_path / "libs"
    shutil.copytree(resource_path("libs"), root, ignore=shutil.ignore_patterns("zh"))
    return root


def test_a_wording_with_two_names_is_refused(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    with (root / "disease_lib.csv").open("a", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerow([999, "effusion", "another finding", "", "finding", "", "", ""])
    with pytest.raises(ConfigError, match="effusion belongs to"):
        load_lexicon(root)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("triggers.csv", ["perchance", "wishful", "", ""]),
        ("composition_lib.csv", ["heart", "enlarged", "no such finding", "replace", ""]),
        ("composition_lib.csv", ["heart", "sad", "cardiomegaly", "no such mode", ""]),
        ("disease_lib.csv", ["999", "a b", "a b", "", "finding", "No Such Class", "", ""]),
    ],
)
def test_rules_that_name_something_unknown_are_refused(
    tmp_path: Path, name: str, row: list[str]
) -> None:
    root = _copy(tmp_path)
    with (root / name).open("a", encoding="utf-8", newline="") as handle:
        csv.writer(handle).writerow(row)
    with pytest.raises(ConfigError):
        load_rulebook(root)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    root = _copy(tmp_path)
    (root / "level_lib.csv").write_text("level,rank\nmild,1\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="canonical"):
        load_lexicon(root)


@pytest.mark.parametrize("folder", [(), ("zh",)])
def test_every_degree_has_one_rank(folder: tuple[str, ...]) -> None:
    rows = list(read_rows(resource_path("libs", *folder, "level_lib.csv"), ("canonical", "rank")))
    assert len({(r["canonical"], r["rank"]) for r in rows}) == len({r["canonical"] for r in rows})
