"""What is seen of a training while it runs: loss log, lines on the terminal, a stop at Ctrl-C."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

from pipeline.core.atomic import open_private
from pipeline.core.jsonl import dump_line

LINE_SECONDS = 10.0
"""How often a line is printed."""

_KEPT = {
    "loss": "loss",
    "learning_rate": "learning_rate",
    "grad_norm": "grad_norm",
    "mean_token_accuracy": "accuracy",
    "num_tokens": "tokens",
    "eval_loss": "eval_loss",
    "eval_mean_token_accuracy": "eval_accuracy",
}
"""Names of the trainer's log -> names of ours."""


class StopSignal:
    """Turns the first Ctrl-C or SIGTERM into a wish; the second one interrupts at once."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._take)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _take(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def make_watcher(log: Path, say: Callable[[str], None], stop: StopSignal, *, writes: bool) -> Any:
    """A callback of the trainer.

    Args:
        log: the loss log; lines are appended whole.
        say: prints a line.
        stop: when it is asked for, a checkpoint is written and training ends.
        writes: whether this process writes the log; one of several does.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            self._started = self._said = time.monotonic()
            self._first = 0

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self._started = self._said = time.monotonic()
            self._first = state.global_step
            going = f", going on after step {state.global_step:,}" if state.global_step else ""
            if writes:
                say(f"training: {state.max_steps:,} steps{going}")

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.asked:
                control.should_save = True
                control.should_training_stop = True

        def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if stop.asked:
                # The trainer takes a stop for the end of an epoch; what was asked for is the end.
                control.should_evaluate = control.should_save = False

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any
        ) -> None:
            line = {ours: float(logs[name]) for name, ours in _KEPT.items() if name in logs}
            if not writes or not ("loss" in line or "eval_loss" in line):
                return
            if "tokens" in line:
                line["tokens"] = int(line["tokens"])
            passed = time.monotonic() - self._started
            entry = {
                "step": state.global_step,
                "epoch": round(float(state.epoch or 0), 4),
                **line,
                "seconds": round(passed, 2),
            }
            _append(log, entry)
            self._tell(entry, state.max_steps)

        def _tell(self, entry: dict[str, Any], steps: int) -> None:
            now = time.monotonic()
            if "eval_loss" not in entry and now - self._said < LINE_SECONDS:
                return
            self._said = now
            done = entry["step"] - self._first
            left = (now - self._started) / max(done, 1) * (steps - entry["step"])
            parts = [f"step {entry['step']:,}/{steps:,}", f"epoch {entry['epoch']:.2f}"]
            for name in ("loss", "eval_loss"):
                if name in entry:
                    parts.append(f"{name.replace('_', ' ')} {entry[name]:.4f}")
            parts.append(f"{_minutes(left)} left")
            say("  ".join(parts))

    return Watcher()


def _append(path: Path, entry: dict[str, Any]) -> None:
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, dump_line(entry))
    finally:
        os.close(descriptor)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
