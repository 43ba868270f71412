from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import LCSseq

from benchmarks.bench_dedupe import instructions
from pipeline.clinical.near_duplicates import NearDuplicates, find_near_duplicates
from pipeline.clinical.rouge import THRESHOLD, f_measure, rouge_l, tokens_of


def common_subsequence(first: list[str], second: list[str]) -> int:
    """The textbook table."""
    row = [0] * (len(second) + 1)
    for token in first:
        diagonal = 0
        for column, other in enumerate(second, start=1):
            above = row[column]
            row[column] = diagonal + 1 if token == other else max(above, row[column - 1])
            diagonal = above
    return row[-1]


def plain_rule(texts: list[str], threshold: float = THRESHOLD) -> list[bool]:
    """The published loop: every candidate against every kept one; True where it is kept."""
    kept: list[list[str]] = []
    decisions = []
    for text in texts:
        tokens = tokens_of(text)
        best = max(
            (
                f_measure(LCSseq.similarity(tokens, other), len(other), len(tokens))
                for other in kept
            ),
            default=0.0,
        )
        decisions.append(best <= threshold)
        if best <= threshold:
            kept.append(tokens)
    return decisions


def decisions(texts: list[str], threshold: float = THRESHOLD) -> list[bool]:
    return [twin is None for twin in find_near_duplicates(texts, threshold)]


def test_decisions_are_those_of_the_plain_rule_on_5000_instructions() -> None:
    texts = instructions(5_000, seed=41)
    made = decisions(texts)
    assert 1_000 < sum(made) < 4_000
    assert made == plain_rule(texts)


words = st.sampled_from(["is", "the", "a", "lung", "left", "right", "of", "opacity", "no", "what"])


@settings(max_examples=150)
@given(
    st.lists(st.lists(words, max_size=12).map(" ".join), max_size=30),
    st.sampled_from([0.3, 0.5, 0.7, 0.75, 0.9, 0.99]),
)
def test_decisions_are_those_of_the_plain_rule(texts: list[str], threshold: float) -> None:
    assert decisions(texts, threshold) == plain_rule(texts, threshold)


@given(st.lists(words, max_size=15), st.lists(words, max_size=15))
def test_rouge_l_is_the_f_measure_of_the_longest_common_subsequence(
    first: list[str], second: list[str]
) -> None:
    common = common_subsequence(first, second)
    expected = 2 * common / (len(first) + len(second)) if common else 0.0
    assert rouge_l(first, second) == pytest.approx(expected)


def test_exactly_at_the_threshold_the_arithmetic_of_rouge_score_decides() -> None:
    for length in range(1, 60):
        for common in range(1, length + 1):
            other = round(20 * common / 7) - length
            if other < common or 7 * (length + other) != 20 * common:
                continue
            shared = [f"s{i}" for i in range(common)]
            texts = [
                " ".join([*shared, *(f"a{i}" for i in range(length - common))]),
                " ".join([*shared, *(f"b{i}" for i in range(other - common))]),
            ]
            assert decisions(texts) == plain_rule(texts)


def test_the_earlier_one_that_it_is_like_is_named() -> None:
    texts = ["Where is the nodule?", "Summarise the findings.", "Where is the nodule, please?"]
    assert find_near_duplicates(texts) == [None, None, 0]
    assert find_near_duplicates([texts[0], texts[0].upper(), texts[0]]) == [None, 0, 0]


def test_counts_given_beforehand_change_no_decision() -> None:
    texts = instructions(400, seed=3)
    bare = NearDuplicates()
    assert [bare.add(text) is None for text in texts] == decisions(texts)


def test_tokens() -> None:
    assert tokens_of("Is the PICC-line (5 French) OK?") == [
        *["is", "the", "picc", "line", "5", "french", "ok"]
    ]
    assert tokens_of("左侧 pleural 积液？") == ["左", "侧", "pleural", "积", "液"]
    assert tokens_of("흉수가 있습니까?") == [*"흉수가있습니까"]
    assert tokens_of("где узел") == ["где", "узел"]
    assert tokens_of(" ?!… ") == []


def test_texts_without_words_are_like_nothing() -> None:
    assert decisions(["", "?", ""]) == [True, True, True]


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.0, 1.5])
def test_a_threshold_that_makes_no_sense(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicates(threshold=threshold)


def test_long_texts_of_few_words() -> None:
    rng = random.Random(5)
    texts = [" ".join(rng.choices("ab", k=rng.randint(20, 80))) for _ in range(120)]
    assert decisions(texts) == plain_rule(texts)
