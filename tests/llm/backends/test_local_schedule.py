"""Which rows are generated together: alike in length, within limits, nobody for ever waiting."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.llm.backends.local.prompt import Wishes
from pipeline.llm.backends.local.rows import Job, Row
from pipeline.llm.backends.local.schedule import Limits, next_group
from pipeline.llm.types import Request


def row(prompt: int, most: int = 10) -> Row:
    wishes = Wishes(most, 0.0, 1.0, 0, (), random.Random(0))
    job = Job(Request("t"), lambda attempt: None, lambda error: None)
    return Row([1] * prompt, wishes, frozenset({0}), lambda tokens: "", job)


def test_those_next_to_the_oldest_in_length_start_with_it() -> None:
    waiting = [row(50), row(900), row(55), row(10), row(48), row(400)]
    group = next_group(waiting, [], Limits(3, 100_000))
    assert [len(one.prompt) for one in group] == [55, 50, 48]


def test_the_oldest_is_always_among_them() -> None:
    waiting = [row(900), *(row(10) for _ in range(20))]
    assert waiting[0] in next_group(waiting, [], Limits(4, 100_000))


def test_what_does_not_fit_beside_the_others_waits() -> None:
    running = [row(100, 100) for _ in range(3)]
    assert next_group([row(500, 300)], running, Limits(8, 1_000)) == []
    assert len(next_group([row(100, 100)], running, Limits(8, 1_000))) == 1


def test_one_alone_always_starts() -> None:
    assert len(next_group([row(5_000)], [], Limits(8, 1_000, 100))) == 1


def test_rows_join_when_an_eighth_of_the_places_is_free() -> None:
    many = [row(10) for _ in range(30)]
    running = [row(10) for _ in range(60)]
    limits = Limits(64, 1_000_000)
    assert next_group(many, running, limits) == []
    assert len(next_group(many, running[:56], limits)) == 8
    assert len(next_group(many[:2], running, limits)) == 2, "few are started as they come"


@given(
    st.lists(st.tuples(st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=30),
    st.integers(1, 16),
    st.integers(1, 4_000),
)
def test_limits_hold(sizes: list[tuple[int, int]], sequences: int, tokens: int) -> None:
    waiting = [row(*size) for size in sizes]
    group = next_group(waiting, [], Limits(sequences, tokens))
    assert 1 <= len(group) <= sequences
    if len(group) > 1:
        assert len(group) * max(one.total for one in group) <= tokens


def test_out_of_memory_halves_what_was_tried() -> None:
    limits = Limits(64, 1_000_000, 16_384)
    limits.shrink(40, 500)
    assert (limits.sequences, limits.tokens, limits.prefill) == (20, 10_000, 8_192)
