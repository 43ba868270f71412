"""The limiter on a clock of its own: never above a limit, settled once, slowed down with sense."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.llm.backends.base import RateHeaders
from pipeline.llm.config import DeploymentConfig
from pipeline.llm.limiter import EPISODE, Ending, Limiter, Permit


def limiter(**fields: Any) -> Limiter:
    return Limiter(
        DeploymentConfig.model_validate(
            {"kind": "openai", "url": "http://localhost:1", "deployment": "d", **fields}
        )
    )


def start(one: Limiter, now: float, tokens: int = 1) -> tuple[Permit, float]:
    """The next permit as soon as there is one, and when that was."""
    now = one.ready_at(now, tokens)
    return one.take(now, tokens), now


amounts = st.integers(min_value=1, max_value=3_000)
delays = st.floats(min_value=0, max_value=3, allow_nan=False)


@settings(max_examples=150)
@given(
    rpm=st.sampled_from([6.0, 30.0, 90.0, 600.0, 6_000.0]),
    tpm=st.sampled_from([None, 1_000.0, 20_000.0, 200_000.0]),
    refund=st.booleans(),
    steps=st.lists(st.tuples(amounts, delays, st.sampled_from(Ending)), min_size=1, max_size=60),
)
def test_no_window_ever_holds_more_than_the_limit(
    rpm: float, tpm: float | None, refund: bool, steps: list[tuple[int, float, Ending]]
) -> None:
    one = limiter(rpm=rpm, tpm=tpm, concurrency=10_000, refund_tokens=refund)
    now, starts = 0.0, []
    for tokens, idle, ending in steps:
        permit, now = start(one, now, tokens)
        starts.append((now, tokens))
        permit.settle(now, ending)
        now += idle if idle > 1 else 0.0
    for seconds in (1.0, 10.0):
        for index, (begin, _) in enumerate(starts):
            inside = [t for when, t in starts[index:] if when < begin + seconds]
            assert len(inside) <= max(1, rpm * seconds / 60 + 1e-6)
            if tpm is not None and len(inside) > 1:
                assert sum(inside) <= tpm * seconds / 60 + 1e-6
    assert one.in_flight == 0


def test_the_allowed_rate_is_used() -> None:
    one = limiter(rpm=6_000, concurrency=10_000)
    now = 0.0
    for _ in range(2_001):
        permit, now = start(one, now)
        permit.settle(now, Ending.ANSWERED)
    assert 20.0 <= now <= 20.4


def test_tokens_are_paced_by_what_is_reserved() -> None:
    one = limiter(tpm=60_000, concurrency=100)
    times = []
    now = 0.0
    for _ in range(5):
        _, now = start(one, now, 500)
        times.append(now)
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert all(0.49 < gap < 0.54 for gap in gaps)


def test_unused_tokens_come_back_only_where_the_service_gives_them_back() -> None:
    for refund, expected in ((False, 10.0), (True, 1.0)):
        one = limiter(tpm=60_000, refund_tokens=refund)
        permit, now = start(one, 0.0, 10_000)
        permit.settle(now, Ending.ANSWERED, used_tokens=1_000)
        assert one.ready_at(now, 1) == pytest.approx(expected, rel=0.1)


def test_a_permit_is_settled_exactly_once() -> None:
    one = limiter()
    permit, now = start(one, 0.0)
    permit.settle(now, Ending.ABANDONED)
    with pytest.raises(RuntimeError):
        permit.settle(now, Ending.ABANDONED)
    assert one.in_flight == 0


def test_a_permit_counts_from_when_the_attempt_really_started() -> None:
    one = limiter(rpm=60, windows_s=[1.0])
    permit, _ = start(one, 0.0)
    permit.start(0.5)
    assert one.ready_at(0.6, 1) > 1.5


def test_every_slot_taken_means_wait_for_ever() -> None:
    one = limiter(concurrency=2)
    permits = [start(one, 0.0)[0] for _ in range(2)]
    assert one.ready_at(9.0, 1) == math.inf
    permits[0].settle(9.0, Ending.ANSWERED)
    assert one.ready_at(9.0, 1) == pytest.approx(9.0)


def test_idle_time_is_not_saved_up_for_a_burst() -> None:
    one = limiter(rpm=60, windows_s=[10.0])
    start(one, 0.0)
    _, now = start(one, 100.0)
    assert now == 100.0
    assert start(one, now)[1] == pytest.approx(101.0)


def test_a_small_lateness_is_made_up_for() -> None:
    one = limiter(rpm=600)
    now = 0.0
    for _ in range(100):
        now = one.ready_at(now, 1) + 0.004
        one.take(now, 1).settle(now, Ending.ANSWERED)
    assert now < 99 * 0.1 * 1.03


def test_the_limit_the_service_reports_holds_and_never_exceeds_the_recipe() -> None:
    one = limiter(rpm=600)
    one.learn(RateHeaders(requests=60, tokens=9_000))
    assert (one.rpm, one.tpm) == (60, 9_000)
    one.learn(RateHeaders(requests=100_000))
    assert one.rpm == 600
    _, now = start(one, 0.0, 9_000)
    assert one.ready_at(now, 1) == pytest.approx(60, rel=0.02)


def answers(one: Limiter, now: float, endings: list[Ending]) -> float:
    for ending in endings:
        permit, now = start(one, now)
        permit.settle(now, ending)
    return now


def test_scattered_429s_do_not_slow_the_others_down() -> None:
    one = limiter(rpm=6_000, concurrency=100)
    pattern = [Ending.RATE_LIMITED] + [Ending.ANSWERED] * 19
    answers(one, 0.0, pattern * 50)
    assert one.pace == 1.0
    assert one.concurrency == 100
    assert one.stats.episodes == 0


def test_one_cut_per_episode_however_many_429s_it_has() -> None:
    one = limiter(concurrency=100)
    now = 0.0
    permits = []
    for _ in range(100):
        permit, now = start(one, now)
        permits.append(permit)
    for permit in permits:
        permit.settle(now, Ending.RATE_LIMITED)
    assert one.stats.episodes == 1
    assert one.pace == pytest.approx(0.7)
    assert one.concurrency == pytest.approx(0.7 * 88, abs=1)


def test_concurrency_grows_back_only_while_it_is_used() -> None:
    one = limiter(concurrency=50)
    now = answers(one, 0.0, [Ending.RATE_LIMITED] * EPISODE)
    low = one.concurrency
    assert low < 50
    now = answers(one, now + 1, [Ending.ANSWERED] * 20)  # one at a time
    assert one.concurrency <= max(low, 2.5)
    for _ in range(200):
        permits = []
        while one.ready_at(now, 1) < math.inf:
            permit, now = start(one, now)
            permits.append(permit)
        now += 0.1
        for permit in permits:
            permit.settle(now, Ending.ANSWERED)
    assert one.concurrency == 50
    assert one.pace == 1.0


def test_a_429_widens_the_margin_and_costs_one_interval() -> None:
    one = limiter(rpm=60, windows_s=[10.0])
    permit, now = start(one, 0.0)
    permit.settle(0.3, Ending.RATE_LIMITED)
    assert one.ready_at(now, 1) == pytest.approx(2.0)


def test_a_dead_deployment_rests_and_comes_back() -> None:
    one = limiter(concurrency=100)
    now = answers(one, 0.0, [Ending.FAULT] * 8)
    assert one.ready_at(now, 1) == pytest.approx(now + 0.5)
    for _ in range(20):
        now = answers(one, now, [Ending.FAULT])
    assert one.ready_at(now, 1) == pytest.approx(now + 30)
    now = answers(one, now, [Ending.ANSWERED])
    assert one.ready_at(now, 1) < now + 0.01


def test_one_outage_counts_once_for_all_it_caught() -> None:
    one = limiter(concurrency=100)
    now = 0.0
    permits = []
    for _ in range(100):
        permit, now = start(one, now)
        permits.append(permit)
    for permit in permits:
        permit.settle(now, Ending.FAULT)
    assert one.ready_at(now, 1) == pytest.approx(now + 0.5)
