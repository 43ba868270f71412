"""The request engine beside a bare aiohttp loop, against the same local server in the same run.

    python -m benchmarks.bench_engine [cpu] [rpm] [tpm] [faults] [kill] [memory]

Without names all but ``memory`` are run. Each request goes through the whole path: journal with
fsync, limiter, budget, the answer parsed, a record written. CPU is that of the client process
alone; on a shared machine look at CPU and ratios, not at seconds.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from pipeline.core.jsonl import dump_line, iter_objects
from pipeline.llm.config import parse_backend
from pipeline.llm.journal import Journal
from pipeline.llm.open import open_engine
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.model_server import DEPLOYMENT, KEY

INSTRUCTION = (
    "You read one chest radiograph report and answer with a JSON object of its findings. " * 6
)
REPORT = (
    "The cardiac silhouette is of normal size. There is a small effusion at the left base with "
    "some loss of volume beside it. No air is seen outside the lungs. " * 3
)
MAX_TOKENS = 300
BUFFER = 64
"""Workers beyond the concurrency: they parse and write while others wait for the service."""


def make_request(number: int) -> Request:
    return Request(
        "bench",
        (Message("system", INSTRUCTION), Message("user", f"Study {number}. {REPORT}")),
        params={"temperature": 0, "max_tokens": MAX_TOKENS},
    )


@asynccontextmanager
async def serve(*options: str) -> AsyncIterator[str]:
    """The test server in a process of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.model_server", *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()


def server_stats(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/_stats") as answer:
        return orjson.loads(answer.read())


async def run_workers(count: int, workers: int, work: Callable[[int], Awaitable[None]]) -> None:
    numbers: Iterator[int] = iter(range(count))

    async def worker() -> None:
        for number in numbers:
            await work(number)

    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, count)):
            group.create_task(worker())


async def bare_loop(url: str, count: int, concurrency: int) -> tuple[float, float]:
    """Seconds and CPU seconds of the least that can be done: POST, read, parse."""
    connector = aiohttp.TCPConnector(limit=0)
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def work(number: int) -> None:
            request = make_request(number)
            body = {"model": DEPLOYMENT, "messages": [m.as_json() for m in request.messages]}
            data = orjson.dumps({**body, **request.params})
            async with session.post(f"{url}/v1/chat/completions", data=data) as response:
                orjson.loads(await response.read())

        begun, cpu = time.perf_counter(), time.process_time()
        await run_workers(count, concurrency, work)
        return time.perf_counter() - begun, time.process_time() - cpu


async def engine_loop(
    url: str, count: int, concurrency: int, folder: Path, **config: Any
) -> tuple[float, float, dict[str, Any]]:
    """Seconds, CPU seconds and statistics of the engine with parsing and records."""
    backend = parse_backend(
        {
            "kind": "openai",
            "model": "bench",
            "url": url,
            "deployment": DEPLOYMENT,
            "key_env": "KEY",
            "concurrency": concurrency,
            **config,
        }
    )
    records = folder / "records.jsonl"
    begun, cpu = time.perf_counter(), time.process_time()
    async with open_engine(
        backend, folder / "replies", lambda _: None, environ={"KEY": KEY}
    ) as engine:
        ask = engine.for_stage("bench")
        with records.open("ab") as file:

            async def work(number: int) -> None:
                reply: Reply = await ask(make_request(number))
                value = orjson.loads(reply.text) if reply.outcome is Outcome.OK else None
                file.write(dump_line({"id": number, "outcome": reply.outcome, "value": value}))

            await run_workers(count, concurrency + BUFFER, work)
        stats = engine.stats()
    return time.perf_counter() - begun, time.process_time() - cpu, stats


def row(name: str, **figures: object) -> None:
    print(f"{name:8}", "  ".join(f"{key} {value}" for key, value in figures.items()), flush=True)


async def bench_cpu(folder: Path) -> None:
    """5,000 requests at 300 ms latency and concurrency 512 (ideal 3.0 s)."""
    count = 5_000
    async with serve("--latency", "0.3") as url:
        await bare_loop(url, 500, 512)
        bare, bare_cpu = await bare_loop(url, count, 512)
        took, cpu, _ = await engine_loop(url, count, 512, folder)
    row(
        "cpu",
        bare_s=f"{bare:.2f}",
        engine_s=f"{took:.2f}",
        ratio=f"{took / bare:.2f}",
        bare_cpu_ms=f"{bare_cpu / count * 1e3:.2f}",
        engine_cpu_ms=f"{cpu / count * 1e3:.2f}",
        cpu_ratio=f"{cpu / bare_cpu:.2f}",
    )


async def bench_rpm(folder: Path) -> None:
    """6,000 requests per minute enforced over 1 s; perfect pacing takes 20.3 s."""
    async with serve("--rpm", "6000", "--window", "1", "--latency", "0.3") as url:
        took, cpu, stats = await engine_loop(url, 2_000, 512, folder, rpm=6_000)
    row(
        "rpm",
        seconds=f"{took:.2f}",
        of_allowed=f"{20.3 / took:.1%}",
        limited=stats["rate_limited"],
        cpu_ms=f"{cpu / 2_000 * 1e3:.2f}",
    )


async def bench_tpm(folder: Path) -> None:
    """4 M tokens per minute enforced over 1 s, prompt plus maximum output."""
    count, tpm = 2_000, 4_000_000
    characters = sum(len(str(m.content)) for m in make_request(1_000).messages)
    per_request = characters // 4 + 1_200
    ideal = count * per_request / tpm * 60 + 0.3
    params = {"temperature": 0, "max_tokens": 1_200}
    async with serve("--tpm", str(tpm), "--window", "1", "--latency", "0.3") as url:
        begun = time.perf_counter()
        backend = {"tpm": tpm}
        stats = await _with_params(url, count, folder, params, backend)
        took = time.perf_counter() - begun
    row(
        "tpm",
        seconds=f"{took:.2f}",
        ideal=f"{ideal:.2f}",
        of_allowed=f"{ideal / took:.1%}",
        limited=f"{stats['rate_limited']} ({stats['rate_limited'] / count:.2%})",
    )


async def _with_params(
    url: str, count: int, folder: Path, params: dict[str, Any], limits: dict[str, Any]
) -> dict[str, Any]:
    backend = parse_backend(
        {"kind": "openai", "model": "bench", "url": url, "deployment": DEPLOYMENT}
        | {"key_env": "KEY", "concurrency": 512, **limits}
    )
    async with open_engine(
        backend, folder / "replies", lambda _: None, environ={"KEY": KEY}
    ) as engine:

        async def work(number: int) -> None:
            request = make_request(number)
            await engine.for_stage("bench")(Request(request.task, request.messages, params=params))

        await run_workers(count, 512 + BUFFER, work)
        return engine.stats()


FAULTS = "500=0.05,429=0.05,drop=0.01,content_filter=0.01,hang=0.002"


async def bench_faults(folder: Path) -> None:
    """5 % 500, 5 % 429, 1 % dropped, 1 % filtered, 0.2 % hanging for ever."""
    count = 3_000
    async with serve("--latency", "0.3", "--faults", FAULTS) as url:
        took, _, stats = await engine_loop(url, count, 512, folder, timeout_s=2.0)
        seen = server_stats(url)
    records = [record["id"] for record in iter_objects(folder / "records.jsonl")]
    row(
        "faults",
        seconds=f"{took:.2f}",
        records=f"{len(set(records))}/{count}",
        doubled=len(records) - len(set(records)),
        sent=stats["sent"],
        answered_twice=sum(1 for _, answered in seen["prompts"].values() if answered > 1),
        filtered=seen["faults"].get("content_filter"),
        outcomes={str(k): v for k, v in stats["outcomes"].items()},
    )


async def bench_kill(folder: Path) -> None:
    """SIGKILL half way, run again: which answers were asked for twice."""
    count = 3_000
    async with serve("--latency", "0.3") as url:
        child = [sys.executable, "-m", "benchmarks.bench_engine", "--child"]
        process = subprocess.Popen([*child, url, str(folder), str(count)])
        records = folder / "records.jsonl"
        while not records.exists() or records.read_bytes().count(b"\n") < count // 2:
            await asyncio.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = server_stats(url)["prompts"]
        journal = Journal(folder / "replies")
        kept = len(journal)
        journal.release()
        records.unlink()
        subprocess.run([*child, url, str(folder), str(count)], check=True)
        after = server_stats(url)["prompts"]
    rows = [record["id"] for record in iter_objects(records)]
    answered = sum(answered for _, answered in before.values())
    row(
        "kill",
        answered=answered,
        kept=kept,
        lost=answered - kept,
        in_flight=len(before) - answered,
        asked_again=sum(1 for seen, _ in after.values() if seen > 1),
        rows=len(set(rows)),
        doubled=len(rows) - len(set(rows)),
    )


async def bench_memory(folder: Path) -> None:
    """200,000 requests: the resident memory of the client."""
    async with serve() as url:
        for count in (20_000, 200_000):
            took, cpu, _ = await engine_loop(url, count, 128, folder)
            gc.collect()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            row(
                "memory",
                requests=count,
                peak_mb=f"{peak:.0f}",
                seconds=f"{took:.0f}",
                cpu_ms=f"{cpu / count * 1e3:.2f}",
            )


BENCHES = {
    "cpu": bench_cpu,
    "rpm": bench_rpm,
    "tpm": bench_tpm,
    "faults": bench_faults,
    "kill": bench_kill,
    "memory": bench_memory,
}


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--child"]:
        url, folder, count = arguments[1:]
        asyncio.run(engine_loop(url, int(count), 512, Path(folder)))
        return
    for name in arguments or [name for name in BENCHES if name != "memory"]:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(BENCHES[name](Path(folder)))


if __name__ == "__main__":
    main(sys.argv[1:])
