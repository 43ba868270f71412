"""Our own sentences, by phenomenon: status and attributes of what they mention."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.clinical.extract import read_report

_SENTENCES = Path(__file__).with_name("rule_sentences.psv")
_EXPECTED = re.compile(
    r"(?P<name>[^=@]+)=(?P<status>\w+)"
    r"(?:@(?P<location>[^/#~]+))?(?:/(?P<level>[^#~]+))?(?:#(?P<type>[^~]+))?(?:~(?P<change>\w+))?$"
)


@dataclass(frozen=True)
class Case:
    phenomenon: str
    sentence: str
    expected: tuple[str, ...]


def _cases() -> list[Case]:
    lines = _SENTENCES.read_text(encoding="utf-8").splitlines()
    rows = (line.split(" | ") for line in lines if line and not line.startswith("#"))
    return [Case(p, s, tuple(e.strip() for e in x.split(";"))) for p, s, x in rows]


CASES = _cases()


def _agrees(expected: re.Match[str], mention: object) -> bool:
    for key in ("location", "level", "type", "change"):
        wanted = expected[key]
        if wanted is None:
            continue
        value = getattr(mention, key)
        found = value if isinstance(value, str) else ", ".join(value)
        if found != ("" if wanted == "-" else wanted):
            return False
    return True


@pytest.mark.parametrize("case", CASES, ids=[f"{c.phenomenon}: {c.sentence}" for c in CASES])
def test_sentence(case: Case) -> None:
    mentions = read_report(case.sentence).mentions
    for item in case.expected:
        if item.startswith("!"):
            assert item[1:] not in {m.name for m in mentions if m.status == "present"}
            continue
        expected = _EXPECTED.match(item)
        assert expected is not None, item
        same = [m for m in mentions if m.name == expected["name"]]
        assert expected["status"] in {m.status for m in same}, (item, mentions)
        assert any(_agrees(expected, m) for m in same), (item, mentions)


def test_there_are_two_hundred() -> None:
    assert len(CASES) >= 200


def test_spans_hold_the_words_that_prove_a_mention() -> None:
    text = "Heart is normal. There is a small left pleural effusion."
    found = {m.name: text[m.span[0] : m.span[1]] for m in read_report(text).mentions}
    assert found["pleural effusion"] == "left pleural effusion"[5:]
    assert found["cardiomegaly"] == "Heart is normal"
