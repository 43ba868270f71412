"""Several readers become one; agreement beyond chance; balance; examples."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from pipeline.clinical.agreement import PairCounts
from pipeline.clinical.balance import make_balance
from pipeline.clinical.combine_labels import Policy, combine_labels, decide
from pipeline.clinical.icd10_reply import parse_phrases_reply
from pipeline.clinical.label_examples import draw_examples, load_examples
from pipeline.clinical.label_reply import parse_labels_reply
from pipeline.clinical.support import find_sentence
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import canonical_json

P, U, A = "present", "uncertain", "absent"


@pytest.mark.parametrize(
    ("votes", "policy", "vetoes", "expected"),
    [
        ([P, P], "majority", (), P),
        ([P, A], "majority", (), U),
        ([P, P, A], "majority", (), P),
        ([A, P, A], "majority", (), A),
        ([P, U, A], "majority", (), U),
        ([P, P, A], "veto", [A], A),
        ([P, P, U], "veto", [U], P),
        ([P, A], "any", (), P),
        ([U, A], "any", (), U),
        ([A, A], "any", (), A),
    ],
)
def test_policies(votes: list[str], policy: Policy, vetoes: list[str], expected: str) -> None:
    assert decide(votes, policy, vetoes) == expected


RULES = {"labels": ["Edema"], "uncertain": [], "negated": ["Pneumothorax"]}
MODEL = {
    "labels": ["Edema", "Pneumonia"],
    "uncertain": [],
    "negated": [],
    "evidence": {"Edema": "There is edema.", "Pneumonia": "Pneumonia."},
}


def test_silence_and_denial_agree() -> None:
    labels, differing = combine_labels({"rules": RULES, "model": MODEL}, "majority")
    assert labels.states == {"Edema": P, "Pneumonia": U, "Pneumothorax": A}
    assert differing == ["Pneumonia"]
    assert labels.evidence == {"Edema": "There is edema."}


def test_a_named_reader_may_veto() -> None:
    labels, _ = combine_labels({"rules": RULES, "model": MODEL}, "veto", ["rules"])
    assert labels.states["Pneumonia"] == A
    labels, _ = combine_labels({"rules": RULES, "model": MODEL}, "veto", ["model"])
    assert labels.states["Pneumonia"] == U


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_kappa_is_that_of_scikit_learn(pairs: list[tuple[bool, bool]]) -> None:
    counts = PairCounts()
    for a, b in pairs:
        counts.add(a, b)
    same = len({value for pair in pairs for value in pair}) == 1
    if same:
        assert counts.kappa is None
    else:
        first, second = zip(*pairs, strict=True)
        expected = cohen_kappa_score(first, second, labels=[False, True])
        assert counts.kappa == pytest.approx(expected, abs=1e-9)


def test_balance_keeps_the_share_of_normal_reports() -> None:
    sets = [["Normal"]] * 800 + [["Edema"]] * 190 + [["Fracture", "Edema"]] * 10
    balance = make_balance(sets, 0.5, 0.05)
    kept = sum(balance.times(f"n{i}", ["Normal"]) for i in range(800))
    assert 150 < kept < 250
    assert balance.times("x", ["Edema"]) == 1
    rare = [balance.times(f"f{i}", ["Fracture"]) for i in range(200)]
    assert set(rare) == {2, 3} and 2.0 < sum(rare) / 200 < 2.5  # sqrt(0.05 / 0.01) = 2.24


def test_without_wishes_nothing_is_changed() -> None:
    balance = make_balance([["Normal"], ["Edema"]], None, None)
    assert [balance.times("a", ["Normal"]), balance.times("a", ["Edema"])] == [1, 1]


def test_every_example_follows_its_own_rules() -> None:
    for one in load_examples():
        labels = parse_labels_reply(
            canonical_json({"labels": list(one.labels)}).decode(), "stop", one.report
        )
        assert labels.status == "ok" and labels.labels is not None
        assert not labels.labels.unsupported
        phrases = parse_phrases_reply(
            canonical_json({"phrases": list(one.phrases)}).decode(), "stop", one.report
        )
        assert phrases.phrases is not None
        assert all(p["in_text"] and p["exists"] == "code" for p in phrases.phrases)


def test_examples_are_drawn_with_a_seed_and_one_is_normal() -> None:
    assert draw_examples(4, 1) == draw_examples(4, 1) != draw_examples(4, 2)
    assert all(draw_examples(2, seed)[0].normal for seed in range(5))
    assert draw_examples(0, 0) == ()
    with pytest.raises(ConfigError):
        draw_examples(10_000, 0)


@pytest.mark.parametrize(
    ("quoted", "found"),
    [
        ("small left effusion", "There is a SMALL, left effusion."),
        ("There is a small left  effusion; no edema", "There is a small left effusion; no edema"),
        ("There is a smal left effusion.", "There is a SMALL, left effusion."),
        ("A large mass.", None),
        ("", None),
    ],
)
def test_quoted_sentences_are_found_in_the_report(quoted: str, found: str | None) -> None:
    assert find_sentence("There is a SMALL, left effusion. No edema.", quoted) == found
