"""Batch jobs against the local server: whatever happens, each request is paid and answered once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipeline.core.errors import (
    BackendError,
    BudgetExceeded,
    ConfigError,
    GovernanceError,
    Stopped,
)
from pipeline.llm.governance import Gate, StorageOverride
from pipeline.llm.journal import Journal
from pipeline.llm.types import Outcome
from tests.support.attestations import TODAY
from tests.support.batch_bench import TEXTS, Bench
from tests.support.model_server import DEPLOYMENT, KEY, ModelServer
from tests.support.model_server_batch import BatchPlan, LineFate


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    async with ModelServer() as server:
        yield Bench(server, tmp_path)


@pytest.mark.parametrize(
    "surface",
    [
        {},
        {"api_version": "2024-10-21"},
        {"kind": "openai"},
        {"auth": "bearer"},
    ],
)
async def test_all_requests_are_answered_by_a_job(bench: Bench, surface: dict[str, Any]) -> None:
    bench.backend |= surface
    answers = await bench.stage([*TEXTS, TEXTS[0]])
    assert [answer.outcome for answer in answers] == [Outcome.OK] * 8
    assert answers[0].text == answers[7].text
    assert len({answer.text for answer in answers}) == 7
    assert all(count == 1 for count in bench.server.batch.submitted.values())
    assert len(bench.server.batch.submitted) == 7
    assert bench.server.arrivals == []
    assert bench.leftovers() == []
    assert bench.stats["stored_files"] == {"deleted": 3}
    assert bench.server.elsewhere == []


async def test_a_finished_stage_asks_nothing_again(bench: Bench) -> None:
    first = await bench.stage(TEXTS)
    calls = len(bench.server.batch.calls)
    second = await bench.stage(TEXTS)
    assert [answer.text for answer in second] == [answer.text for answer in first]
    assert all(answer.reused for answer in second)
    assert len(bench.server.batch.calls) == calls


async def test_rounds_become_jobs_of_their_own(bench: Bench) -> None:
    answers = await bench.stage(TEXTS, rounds=3)
    assert len(answers) == 7
    assert len(bench.server.batch.batches) == 3
    assert set(bench.server.batch.submitted.values()) == {1}
    assert len(bench.server.batch.submitted) == 21


@pytest.mark.parametrize(
    ("settings", "jobs"),
    [({"max_lines": 3}, 3), ({"max_bytes": 1_000}, 2), ({"enqueued_tokens": 50}, 4)],
)
async def test_files_are_cut_at_the_limits(
    bench: Bench, settings: dict[str, Any], jobs: int
) -> None:
    bench.settings |= settings
    await bench.stage(TEXTS)
    assert len(bench.server.batch.batches) == jobs
    assert set(bench.server.batch.submitted.values()) == {1}
    assert len(bench.server.batch.submitted) == 7


async def test_jobs_wait_until_their_tokens_fit(bench: Bench) -> None:
    bench.settings |= {"enqueued_tokens": 50}
    bench.server.batch.enqueued_limit = 200  # the server's estimate is 4 bytes of JSON per token
    await bench.stage(TEXTS)
    assert "token_limit_exceeded" not in str(
        [b.errors for b in bench.server.batch.batches.values()]
    )


@pytest.mark.parametrize("fail_fast", [False, True])
async def test_a_refused_job_is_submitted_again_later(bench: Bench, fail_fast: bool) -> None:
    bench.settings |= {"max_lines": 4}
    bench.server.batch.enqueued_limit = 300
    bench.server.batch.fail_fast = fail_fast
    answers = await bench.stage(TEXTS)
    assert [answer.outcome for answer in answers] == [Outcome.OK] * 7
    assert set(bench.server.batch.submitted.values()) == {1}
    assert max(bench.clock.sleeps) <= 3600
    assert bench.leftovers() == []


async def test_a_job_that_never_fits_stops_the_run_and_can_be_cut_smaller(bench: Bench) -> None:
    bench.server.batch.enqueued_limit = 200
    with pytest.raises(Stopped, match=r"batch\.enqueued_tokens"):
        await bench.stage(TEXTS)
    bench.settings |= {"max_lines": 2}
    answers = await bench.stage(TEXTS)
    assert len(answers) == 7
    assert set(bench.server.batch.submitted.values()) == {1}
    assert bench.leftovers() == []


async def test_missing_and_failed_lines_are_sent_again(bench: Bench) -> None:
    fates: Counter[str] = Counter()

    def fate(custom_id: str) -> LineFate:
        fates[custom_id] += 1
        if fates[custom_id] > 1:
            return "ok"
        choices: list[LineFate] = ["ok", "error", "lost"]
        return choices[int(custom_id[:4], 16) % 3]

    bench.server.batch.default_plan = BatchPlan(fate=fate)
    answers = await bench.stage([f"t{n}" for n in range(40)])
    assert [answer.outcome for answer in answers] == [Outcome.OK] * 40
    assert Counter(bench.server.batch.submitted.values()).keys() == {1, 2}
    assert bench.stats["requests"] == 40
    assert bench.leftovers() == []


async def test_lines_that_fail_every_time_are_failed_replies(bench: Bench) -> None:
    bench.server.batch.default_plan = BatchPlan(
        fate=lambda custom_id: "error" if int(custom_id[0], 16) < 8 else "ok"
    )
    answers = await bench.stage([f"t{n}" for n in range(30)])
    outcomes = Counter(answer.outcome for answer in answers)
    assert outcomes.keys() == {Outcome.OK, Outcome.FAILED}
    assert max(bench.server.batch.submitted.values()) == 3
    assert {a.detail for a in answers if a.outcome is Outcome.FAILED} == {"http_500"}
    again = await bench.stage([f"t{n}" for n in range(30)])
    assert Counter(answer.outcome for answer in again) == outcomes
    assert max(bench.server.batch.submitted.values()) == 3


async def test_filtered_lines_are_outcomes_and_not_sent_again(bench: Bench) -> None:
    bench.server.batch.default_plan = BatchPlan(fate=lambda _: "filtered")
    answers = await bench.stage(TEXTS)
    assert {(a.outcome, a.detail) for a in answers} == {(Outcome.CONTENT_FILTER, "violence")}
    assert set(bench.server.batch.submitted.values()) == {1}


async def test_an_expired_job_keeps_what_it_finished(bench: Bench) -> None:
    bench.server.batch.plans.append(BatchPlan(outcome="expired"))
    answers = await bench.stage(TEXTS)
    assert len(answers) == 7
    assert Counter(bench.server.batch.submitted.values()) == {1: 3, 2: 4}


async def test_a_cancelled_job_is_not_submitted_again_unasked(bench: Bench) -> None:
    bench.server.batch.plans.append(BatchPlan(outcome="cancelled"))
    with pytest.raises(Stopped, match="cancelled"):
        await bench.stage(TEXTS)
    assert bench.leftovers() == []
    assert len(bench.server.batch.batches) == 1
    assert len(await bench.stage(TEXTS)) == 7
    assert Counter(bench.server.batch.submitted.values()) == {1: 3, 2: 4}


async def test_a_completed_job_without_output_file(bench: Bench) -> None:
    bench.server.batch.plans.append(BatchPlan(output_file=False))
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {2}


async def test_a_job_that_fails_in_validation_is_an_error_and_leaves_nothing(
    bench: Bench,
) -> None:
    bench.server.batch.plans.append(BatchPlan(outcome="failed", error_code="model_not_found"))
    with pytest.raises(BackendError, match="batch type"):
        await bench.stage(TEXTS)
    assert bench.leftovers() == []
    assert len(await bench.stage(TEXTS)) == 7


async def test_a_wrong_key_ends_at_once(bench: Bench) -> None:
    bench.server.keys = {"other"}
    with pytest.raises(BackendError):
        await bench.stage(TEXTS)
    bench.server.keys = {KEY}
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {1}


async def test_a_service_that_is_away_for_a_while(bench: Bench) -> None:
    bench.server.batch.faults.extend([503, 0, 429, 503, 0, 500, 0, 0, 429, 0, 503, 503])
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {1}
    assert bench.leftovers() == []


async def test_a_service_that_stays_away_stops_the_run(bench: Bench) -> None:
    bench.server.batch.faults.extend([503] * 1000)
    with pytest.raises(Stopped, match="no answer"):
        await bench.stage(TEXTS)
    bench.server.batch.faults.clear()
    assert len(await bench.stage(TEXTS)) == 7


async def test_a_file_that_is_not_ready_is_waited_for(bench: Bench) -> None:
    bench.server.batch.pending_polls = 3
    assert len(await bench.stage(TEXTS)) == 7
    assert sum(call == "POST batches" for call in bench.server.batch.calls) == 1


async def test_a_stored_file_that_expired_is_stored_anew(bench: Bench) -> None:
    bench.server.batch.faults.extend([0, *[503] * 1000])
    with pytest.raises(Stopped):
        await bench.stage(TEXTS)
    bench.server.batch.faults.clear()
    bench.server.batch.files.clear()
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {1}


async def test_a_job_never_sent_may_go_elsewhere(bench: Bench) -> None:
    bench.server.keys = {"other"}
    with pytest.raises(BackendError):
        await bench.stage(TEXTS)
    async with ModelServer() as other:
        bench.backend["url"] = other.url
        assert len(await bench.stage(TEXTS)) == 7
        assert bench.leftovers() == []
        assert set(other.batch.submitted.values()) == {1}


async def test_polls_grow_rarer(bench: Bench) -> None:
    bench.server.batch.default_plan = BatchPlan(steps=("in_progress",) * 50)
    await bench.stage(TEXTS)
    assert bench.clock.sleeps[:3] == [60, 90, 135]
    assert max(bench.clock.sleeps) == 600


async def test_files_may_be_kept_for_other_data_but_not_for_credentialed(bench: Bench) -> None:
    bench.settings |= {"delete_files": False}
    await bench.stage(TEXTS)
    assert len(bench.server.batch.files) == 3
    override = StorageOverride(by="Jane Doe", reason="price", date=TODAY)
    bench.gate = Gate("credentialed", override=override)
    await bench.stage(["another"])
    assert len(bench.server.batch.files) == 3
    assert bench.stats["stored_files"] == {"deleted": 3}


async def test_stored_files_expire_by_themselves(bench: Bench) -> None:
    bench.settings |= {"delete_files": False}
    await bench.stage(TEXTS)
    assert 1_209_600 in [file.expires_after for file in bench.server.batch.files.values()]


async def test_credentialed_data_needs_the_override(bench: Bench) -> None:
    bench.gate = Gate("credentialed")
    with pytest.raises(GovernanceError, match="provider_storage"):
        await bench.stage(TEXTS)
    assert bench.server.batch.calls == []
    assert bench.leftovers() == []


async def test_an_override_that_is_withdrawn_keeps_prepared_jobs_here(bench: Bench) -> None:
    bench.server.batch.faults.extend([503] * 1000)
    with pytest.raises(Stopped):
        await bench.stage(TEXTS)
    bench.server.batch.faults.clear()
    bench.gate = Gate("credentialed")
    with pytest.raises(GovernanceError):
        await bench.stage(TEXTS)
    assert bench.server.batch.submitted == {}


async def test_the_budget_is_never_exceeded(bench: Bench) -> None:
    bench.backend |= {
        "prices": {"prompt": 1.0, "completion": 2.0},
        "budget": {"requests": 5},
    }
    with pytest.raises(BudgetExceeded, match="5 requests"):
        await bench.stage(TEXTS)
    assert len(bench.server.batch.submitted) == 5
    bench.backend["budget"] = {"requests": 7}
    assert len(await bench.stage(TEXTS)) == 7


async def test_batch_prices_are_half(bench: Bench) -> None:
    bench.backend |= {"prices": {"prompt": 1e6, "completion": 1e6}}
    await bench.stage(["one"])
    journal = Journal(bench.replies, "run-1")
    spent = journal.spent["keyinfo"]
    await journal.close()
    assert spent.money == pytest.approx(spent.tokens / 2)


async def test_two_deployments_share_the_jobs(bench: Bench) -> None:
    async with ModelServer() as other:
        places = [{"url": bench.server.url}, {"url": other.url}]
        for place in places:
            place |= {"key_env": "TEST_KEY"}
        bench.backend = {
            "kind": "azure",
            "model": DEPLOYMENT,
            "mode": "batch",
            "deployments": places,
        }
        bench.settings |= {"max_lines": 2}
        assert len(await bench.stage(TEXTS)) == 7
        assert len(bench.server.batch.batches) == len(other.batch.batches) == 2


async def test_a_deployment_with_a_job_must_stay_in_the_recipe(bench: Bench) -> None:
    bench.server.batch.faults.extend([0, 0, 0, *[503] * 1000])
    with pytest.raises(Stopped):
        await bench.stage(TEXTS)
    bench.server.batch.faults.clear()
    url = bench.backend["url"]
    bench.backend["url"] = "http://127.0.0.1:1"
    with pytest.raises(ConfigError, match="put it back"):
        await bench.stage(TEXTS)
    bench.backend["url"] = url
    assert len(await bench.stage(TEXTS)) == 7
    assert set(bench.server.batch.submitted.values()) == {1}


async def test_an_address_without_a_batch_api(bench: Bench) -> None:
    bench.backend |= {"kind": "openai", "url": f"{bench.server.url}/v2", "auth": "bearer"}
    with pytest.raises(BackendError, match="mode: live"):
        await bench.stage(["one"])
    assert bench.server.batch.calls == []


async def test_the_environment_neither_moves_a_request_nor_adds_to_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "OPENAI_BASE_URL"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "from-the-environment")
    assert len(await bench.stage(["one"])) == 1
    seen = bench.server.headers_seen
    assert not any(name.startswith(("openai-", "x-stainless-")) for name in seen)
    assert "api-key" in seen


async def test_a_line_too_large_for_any_file_fails_alone(bench: Bench) -> None:
    bench.settings |= {"max_bytes": 1_000}
    answers = await bench.stage(["one", "x" * 2_000, "two"])
    assert [answer.outcome for answer in answers] == [Outcome.OK, Outcome.FAILED, Outcome.OK]
    assert answers[1].detail == "too_large"


async def test_files_are_for_the_owner_alone(bench: Bench) -> None:
    bench.server.batch.faults.extend([503] * 1000)
    with pytest.raises(Stopped):
        await bench.stage(TEXTS)
    modes = {
        path.name.split("-")[0]: path.stat().st_mode & 0o777 for path in bench.batches.iterdir()
    }
    assert modes == {"cxr": 0o600, "jobs.jsonl": 0o600}
    assert bench.batches.stat().st_mode & 0o777 == 0o700


async def test_lines_hold_no_ids_and_no_wish_to_store(bench: Bench) -> None:
    bench.settings |= {"delete_files": False}
    await bench.stage(["one"])
    stored = next(f for f in bench.server.batch.files.values() if f.purpose == "batch")
    body = orjson.loads(stored.content)["body"]
    assert body.keys() == {"model", "messages", "max_tokens", "store"}
    assert body["store"] is False


async def test_another_file_of_the_folder_is_never_removed(bench: Bench) -> None:
    bench.batches.mkdir(parents=True)
    (bench.batches / "notes.txt").write_text("mine")
    await bench.stage(TEXTS)
    assert (bench.batches / "notes.txt").read_text() == "mine"


async def test_a_missing_input_file_is_said(bench: Bench) -> None:
    bench.server.batch.faults.extend([503] * 1000)
    with pytest.raises(Stopped):
        await bench.stage(TEXTS)
    for path in bench.batches.glob("cxr-*"):
        path.unlink()
    with pytest.raises(ConfigError, match="is missing"):
        await bench.stage(TEXTS)
