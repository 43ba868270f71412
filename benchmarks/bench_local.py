"""Generation in this process beside loops over ``model.generate``, with a random model.

    OMP_NUM_THREADS=1 python -m benchmarks.bench_local [speed] [overhead] [continuous] [memory]
    python -m benchmarks.bench_local speed --shape 1b --device cuda

``speed``: prompts of mixed length, answers of mixed length, against the one-by-one loop of the
published code and against batches of ``generate``. ``overhead``: one batch of equal answers
against one call of ``generate``. ``continuous``: against transformers' own continuous batching.
``memory``: resident memory over 5,000 prompts. A random model hardly ever ends an answer by itself,
so each request says how long its answer is. Times are CPU seconds of the process on a CPU (other
work on the machine does not count), wall seconds on a GPU.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline.llm.backends.local.backend import TransformersBackend
from pipeline.llm.backends.local.load import prepare_environment
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.types import Message, Request
from tests.support.tiny_models import make_model

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {
        "hidden_size": 128,
        "intermediate_size": 512,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
    },
    "1b": {
        "hidden_size": 2048,
        "intermediate_size": 8192,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
    },
    "8b": {
        "hidden_size": 4096,
        "intermediate_size": 14_336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128_256,
    },
}
SENTENCE = "The heart is of normal size and the lungs are clear of any focal disease. "


def make_requests(count: int, answers: tuple[int, int], seed: int = 0) -> list[Request]:
    """Prompts of 40 to 200 tokens (the tokenizer is one of bytes), as long as reports are."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        text = f"Study {number}. " + (SENTENCE * 3)[: dice.randint(20, 180)]
        most = dice.randint(*answers)
        made.append(Request("bench", (Message("user", text),), params={"max_tokens": most}))
    return made


class Clock:
    """CPU seconds of this process, or wall seconds where a GPU does the work."""

    def __init__(self, device: str) -> None:
        self._now = time.process_time if device == "cpu" else time.perf_counter

    def time(self, work: Callable[[], Any]) -> tuple[float, Any]:
        """Seconds that ``work`` took, and what it gave."""
        began = self._now()
        result = work()
        return self._now() - began, result


class Bench:
    """One model, asked in several ways."""

    def __init__(self, folder: Path, device: str, sequences: int, threads: int | None) -> None:
        self.config = LocalModelConfig(
            kind="transformers",
            path=str(folder),
            device=device,
            batch_sequences=sequences,
            concurrency=10_000,
        )
        prepare_environment(self.config)
        import torch
        import transformers

        if threads:
            torch.set_num_threads(threads)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self.model = self.model.to(device).eval()
        self.model.generation_config.eos_token_id = None

    def texts(self, requests: list[Request]) -> list[str]:
        """The prompts by the chat template."""
        return [
            self.tokenizer.apply_chat_template(
                [{"role": "user", "content": one.messages[0].content}],
                tokenize=False,
                add_generation_prompt=True,
            )
            for one in requests
        ]

    def generate(self, requests: list[Request], size: int) -> int:
        """Batches of ``size`` in the given order; returns the tokens asked for."""
        import torch

        asked = 0
        for start in range(0, len(requests), size):
            batch = requests[start : start + size]
            inputs = self.tokenizer(self.texts(batch), return_tensors="pt", padding=True)
            inputs.pop("token_type_ids", None)
            most = max(one.params["max_tokens"] for one in batch)
            with torch.inference_mode():
                out = self.model.generate(
                    **inputs.to(self.model.device), max_new_tokens=most, do_sample=False
                )
            for row, one in zip(out[:, inputs["input_ids"].shape[1] :], batch, strict=True):
                self.tokenizer.decode(row[: one.params["max_tokens"]], skip_special_tokens=True)
                asked += one.params["max_tokens"]
        return asked

    def by_length(self, requests: list[Request]) -> list[Request]:
        """The shortest first."""
        return sorted(requests, key=lambda one: len(str(one.messages[0].content)))

    async def backend(self, requests: list[Request], watch: Callable[[int], None]) -> int:
        """The same through the backend; returns the tokens of the answers."""
        backend = TransformersBackend(self.config, "bench")
        done = 0
        try:

            async def ask(request: Request) -> int:
                nonlocal done
                attempt = await backend.attempt(request)
                assert attempt.reply is not None, attempt.fault
                done += 1
                watch(done)
                return attempt.reply.usage.completion_tokens

            return sum(await asyncio.gather(*map(ask, requests)))
        finally:
            await backend.close()

    def warm_up(self) -> None:
        """Let libraries load and allocate what they need once."""
        few = make_requests(4, (4, 4), seed=9)
        self.generate(few, 4)
        asyncio.run(self.backend(few, lambda _: None))


def line(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def speed(bench: Bench, clock: Clock, count: int, answers: tuple[int, int], *, loop: bool) -> None:
    requests = make_requests(count, answers)
    size = bench.config.batch_sequences
    ways: list[tuple[str, Callable[[], int]]] = [
        ("generate in batches, as they come", lambda: bench.generate(requests, size)),
        ("generate in batches, by length", lambda: bench.generate(bench.by_length(requests), size)),
        ("backend", lambda: asyncio.run(bench.backend(requests, lambda _: None))),
    ]
    if loop:
        ways.insert(
            0, ("generate one by one (published code)", lambda: bench.generate(requests, 1))
        )
    line("way", "tokens", "s", "tokens/s", "times the first")
    line("---", "---:", "---:", "---:", "---:")
    first = 0.0
    for name, way in ways:
        seconds, tokens = clock.time(way)
        first = first or seconds
        line(
            name,
            f"{tokens:,}",
            f"{seconds:.2f}",
            f"{tokens / seconds:,.0f}",
            f"{first / seconds:.1f}",
        )
    if bench.config.device.startswith("cuda"):
        with utilisation() as seen:
            asyncio.run(bench.backend(make_requests(count, answers, seed=1), lambda _: None))
        print(f"GPU utilisation with the backend: {seen()}")


def overhead(bench: Bench, clock: Clock) -> None:
    """One batch, all answers equally long: what the backend adds to one call of generate."""
    size = bench.config.batch_sequences
    requests = [replace(one, params={"max_tokens": 128}) for one in make_requests(size, (1, 1))]
    plain, ours = [], []
    for _ in range(5):
        plain.append(clock.time(lambda: bench.generate(requests, size))[0])
        ours.append(clock.time(lambda: asyncio.run(bench.backend(requests, lambda _: None)))[0])
    best, mine = min(plain), min(ours)
    print(f"one batch of {size} x 128 tokens, fastest of 5:")
    print(f"  generate {best:.3f} s, backend {mine:.3f} s: {100 * (mine / best - 1):+.1f} %")


def continuous(bench: Bench, clock: Clock, count: int, answers: tuple[int, int]) -> None:
    """Beside the continuous batching of transformers itself; all answers equally long."""
    requests = [
        replace(one, params={"max_tokens": answers[1]}) for one in make_requests(count, answers)
    ]
    import transformers

    ids = [
        bench.tokenizer(text, add_special_tokens=False)["input_ids"]
        for text in bench.texts(requests)
    ]
    config = transformers.GenerationConfig(
        max_new_tokens=answers[1], do_sample=False, eos_token_id=-1, pad_token_id=0
    )

    def theirs() -> int:
        found = bench.model.generate_batch(ids, generation_config=config, warmup=False)
        return sum(len(one.generated_tokens) for one in found.values())

    seconds, tokens = clock.time(theirs)
    print(f"generate_batch: {tokens:,} tokens, {seconds:.2f} s, {tokens / seconds:,.0f} tokens/s")
    seconds, tokens = clock.time(lambda: asyncio.run(bench.backend(requests, lambda _: None)))
    print(f"backend:        {tokens:,} tokens, {seconds:.2f} s, {tokens / seconds:,.0f} tokens/s")


def memory(bench: Bench, count: int) -> None:
    """Resident memory while mixed prompts are answered, some hundreds at a time."""
    line("prompts", "RSS MiB")
    line("---:", "---:")

    def say(done: int, base: int) -> None:
        if (base + done) % 500 == 0:
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            line(f"{base + done:,}", pages * os.sysconf("SC_PAGE_SIZE") >> 20)

    for base in range(0, count, 500):
        requests = make_requests(500, (8, 48), seed=base)
        asyncio.run(bench.backend(requests, lambda done, base=base: say(done, base)))


class utilisation:
    """Samples nvidia-smi once a second while something runs."""

    def __enter__(self) -> Callable[[], str]:
        self._process = subprocess.Popen(
            [
                *("nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "-l", "1"),
                "--format=csv,noheader,nounits",
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        return self._say

    def __exit__(self, *_: object) -> None:
        self._process.terminate()

    def _say(self) -> str:
        out, _ = self._process.communicate()
        rows = [[float(cell) for cell in row.split(",")] for row in out.splitlines() if row]
        if not rows:
            return "unknown"
        mean = sum(row[0] for row in rows) / len(rows)
        return f"{mean:.0f} % on average, {max(row[1] for row in rows):,.0f} MiB at most"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=["speed", "overhead", "continuous", "memory"])
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--answers", type=int, nargs=2, default=(16, 96), help="tokens, from to")
    parser.add_argument("--sequences", type=int, default=64)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--no-loop", action="store_true", help="leave the one-by-one loop out")
    given = parser.parse_args()
    answers = tuple(given.answers)
    with tempfile.TemporaryDirectory() as folder:
        make_model(Path(folder), context=4096, initializer_range=0.02, **SHAPES[given.shape])
        bench = Bench(Path(folder), given.device, given.sequences, given.threads)
        bench.warm_up()
        clock = Clock(given.device)
        if "speed" in given.what:
            speed(bench, clock, given.prompts, answers, loop=not given.no_loop)
        if "overhead" in given.what:
            overhead(bench, clock)
        if "continuous" in given.what:
            continuous(bench, clock, given.prompts, answers)
        if "memory" in given.what:
            memory(bench, 5_000)


if __name__ == "__main__":
    main()
