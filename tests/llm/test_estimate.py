"""A plan says what a run will take, and a run takes that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.llm.config import parse_backend
from pipeline.llm.estimate import Estimate, estimate
from pipeline.llm.open import open_engine
from pipeline.llm.types import Message, Request
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer

PRICES = {"prompt": 2.0, "completion": 10.0, "currency": "EUR"}


def config(url: str = "http://localhost:1", **fields: Any) -> Any:
    return parse_backend(
        {"kind": "openai", "model": "m", "url": url, "deployment": DEPLOYMENT, "key_env": "K"}
        | {"prices": PRICES, "params": {"max_tokens": 100}, **fields}
    )


def requests(count: int) -> list[Request]:
    return [Request("t", (Message("user", f"{n:03d}" + "x" * 717),)) for n in range(count)]


@pytest.fixture(autouse=True)
def no_tables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path / "none"))


def test_nothing_known_yet(tmp_path: Path) -> None:
    plan = estimate(iter([*requests(10), *requests(2)]), config(rpm=60), tmp_path / "replies")
    assert (plan.requests, plan.repeated, plan.reused, plan.to_send) == (12, 2, 0, 10)
    assert plan.prompt_tokens == 10 * (720 / 3.6 + 1)
    assert plan.most_output_tokens == 1_000
    assert plan.most_money == pytest.approx((2_010 * 2 + 1_000 * 10) / 1e6)
    assert plan.money is None
    assert plan.seconds == 10
    assert plan.currency == "EUR"
    assert plan.counted == "estimate"
    assert not (tmp_path / "replies").exists()


def test_time_follows_the_tighter_limit_of_the_pool(tmp_path: Path) -> None:
    pool = [
        {"url": "http://localhost:1", "rpm": 600, "tpm": 10_000},
        {"url": "http://localhost:2", "rpm": 600, "tpm": 20_000},
    ]
    both = parse_backend({"kind": "openai", "model": "m", "deployments": pool})
    plan = estimate(requests(10), both, tmp_path)
    assert plan.seconds == pytest.approx((plan.prompt_tokens + plan.most_output_tokens) / 500)
    assert estimate(requests(10), config(), tmp_path).seconds is None
    assert estimate(requests(10), config(rpm=60, mode="batch"), tmp_path).seconds is None


def test_batch_costs_half(tmp_path: Path) -> None:
    live, batch = (estimate(requests(5), config(mode=m), tmp_path) for m in ("live", "batch"))
    assert live.most_money is not None
    assert batch.most_money == pytest.approx(live.most_money / 2)


def test_rules_send_nothing(tmp_path: Path) -> None:
    assert estimate(requests(5), parse_backend({"kind": "rules"}), tmp_path) == Estimate(requests=5)


async def test_the_journal_sharpens_the_plan_and_the_run_keeps_to_it(tmp_path: Path) -> None:
    def long_answer(messages: Any, params: Any) -> str:
        return "y" * 79

    async with ModelServer(answer=long_answer) as server:
        backend = config(server.url)
        async with open_engine(backend, tmp_path, lambda _: None, environ={"K": KEY}) as engine:
            ask = engine.for_stage("s")
            for request in requests(25):
                await ask(request)
        plan = estimate(requests(100), backend, tmp_path)
        assert (plan.reused, plan.to_send, plan.counted) == (25, 75, "journal")
        async with open_engine(backend, tmp_path, lambda _: None, environ={"K": KEY}) as engine:
            ask = engine.for_stage("s")
            for request in requests(100):
                await ask(request)
            stats = engine.stats()
    assert stats["sent"] == 75
    spent = stats["spent"]["s"]
    assert plan.output_tokens is not None
    assert plan.output_tokens == pytest.approx(spent["completion_tokens"] * 75 / 100, rel=0.01)
    assert plan.prompt_tokens == pytest.approx(spent["prompt_tokens"] * 75 / 100, rel=0.02)
    assert plan.money == pytest.approx(spent["money"] * 75 / 100, rel=0.02)
