"""The backend without a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.llm.backends import rules
from pipeline.llm.config import parse_backend
from pipeline.llm.open import open_engine
from pipeline.llm.types import Outcome, Request

REQUEST = Request("keyinfo", payload={"text": "There is a small left pleural effusion."})


def test_a_task_is_answered_from_its_payload() -> None:
    reply = rules.answer(REQUEST)
    assert reply.outcome is Outcome.OK
    assert "pleural effusion" in json.loads(reply.text)["entity"]


@pytest.mark.parametrize("payload", [{}, {"text": ""}, {"text": None}, {"text": 3}])
def test_odd_payloads_are_answered(payload: dict[str, object]) -> None:
    assert rules.answer(Request("keyinfo", payload=payload)).outcome is Outcome.OK


def test_a_task_without_rules_is_a_matter_of_configuration() -> None:
    with pytest.raises(ConfigError, match="cannot answer task instruction"):
        rules.answer(Request("instruction"))


async def test_the_engine_of_the_rules_keeps_and_costs_nothing(tmp_path: Path) -> None:
    async with open_engine(
        parse_backend({"kind": "rules"}), tmp_path / "replies", lambda _: None
    ) as engine:
        reply = await engine.for_stage("s")(REQUEST)
        assert reply == rules.answer(REQUEST)
        assert engine.stats()["requests"] == 1
        engine.seal()
    assert not (tmp_path / "replies").exists()
