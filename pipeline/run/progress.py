"""Showing how far a run is: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LINE_SECONDS = 10.0
"""How often a plain line is printed."""


class Reporter(Protocol):
    """What the runner tells about its work."""

    def start(self, stage: str, total: int | None, done: int) -> None:
        """A stage starts, or goes on after ``done`` rows."""
        ...

    def advance(self, rows: int, rejected: int) -> None:
        """So many more rows were answered, so many of them rejected."""
        ...

    def finish(self, stage: str, counts: dict[str, Any], seconds: float) -> None:
        """A stage is complete."""
        ...

    def skip(self, stage: str, counts: dict[str, Any]) -> None:
        """A stage was complete before."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def close(self) -> None:
        """The run ended, one way or the other."""
        ...


class SilentReporter:
    """Tells nothing."""

    def start(self, stage: str, total: int | None, done: int) -> None:
        """Tell nothing."""

    def advance(self, rows: int, rejected: int) -> None:
        """Tell nothing."""

    def finish(self, stage: str, counts: dict[str, Any], seconds: float) -> None:
        """Tell nothing."""

    def skip(self, stage: str, counts: dict[str, Any]) -> None:
        """Tell nothing."""

    def note(self, text: str) -> None:
        """Tell nothing."""

    def close(self) -> None:
        """Tell nothing."""


def reporter_for(console: Console) -> Reporter:
    """Bars where ``console`` is a terminal, plain lines otherwise."""
    return BarReporter(console) if console.is_terminal else LineReporter(console)


def say_counts(counts: dict[str, Any]) -> str:
    """``140 in, 139 kept, 1 rejected`` and what else is not zero."""
    parts = [f"{counts['in']:,} in", f"{counts['records']:,} records"]
    if counts["filtered"]:
        parts.append(f"{counts['filtered']:,} filtered")
    if counts["rejected"]:
        parts.append(f"{counts['rejected']:,} rejected")
    return ", ".join(parts)


class LineReporter:
    """One line when a stage starts and ends, and one now and then between."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._stage = ""
        self._total: int | None = None
        self._done = self._base = self._rejected = 0
        self._started = self._said = clock()

    def start(self, stage: str, total: int | None, done: int) -> None:
        """Remember where the stage starts; say so if it goes on from an earlier run."""
        self._stage, self._total, self._done, self._base = stage, total, done, done
        self._rejected = 0
        self._started = self._said = self._clock()
        if done:
            self.note(f"{stage}: going on after {done:,} rows")

    def advance(self, rows: int, rejected: int) -> None:
        """Count, and print a line now and then."""
        self._done += rows
        self._rejected += rejected
        now = self._clock()
        if now - self._said < LINE_SECONDS:
            return
        self._said = now
        rate = (self._done - self._base) / max(now - self._started, 1e-9)
        of = f"/{self._total:,}" if self._total else ""
        left = ""
        if self._total and rate > 0:
            left = f", {say_duration((self._total - self._done) / rate)} left"
        rejected_text = f", {self._rejected:,} rejected" if self._rejected else ""
        self.note(f"{self._stage}: {self._done:,}{of} rows, {rate:,.0f}/s{left}{rejected_text}")

    def finish(self, stage: str, counts: dict[str, Any], seconds: float) -> None:
        """Print the counts."""
        self.note(f"{stage}: {say_counts(counts)} in {say_duration(seconds)}")

    def skip(self, stage: str, counts: dict[str, Any]) -> None:
        """Print that there was nothing to do."""
        self.note(f"{stage}: {say_counts(counts)} (done before)")

    def note(self, text: str) -> None:
        """Print a line."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        """Nothing is left open."""


class _RateColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f}/s", style="progress.data.speed")


class BarReporter:
    """A bar with rate and time left for the stage under way; finished ones stay as lines."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("[bold]{task.description:<12}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[rejected]}"),
            console=console,
            transient=True,
            speed_estimate_period=30,
        )
        self._task: TaskID | None = None
        self._rejected = 0
        self._lines = LineReporter(console)
        self._progress.start()

    def start(self, stage: str, total: int | None, done: int) -> None:
        """Show a bar."""
        self._end_task()
        self._rejected = 0
        self._task = self._progress.add_task(stage, total=total, completed=done, rejected="")

    def advance(self, rows: int, rejected: int) -> None:
        """Move the bar."""
        if self._task is not None:
            self._rejected += rejected
            text = f"{self._rejected:,} rejected" if self._rejected else ""
            self._progress.update(self._task, advance=rows, rejected=text)

    def finish(self, stage: str, counts: dict[str, Any], seconds: float) -> None:
        """Replace the bar with a line."""
        self._end_task()
        self._lines.finish(stage, counts, seconds)

    def skip(self, stage: str, counts: dict[str, Any]) -> None:
        """Print a line."""
        self._lines.skip(stage, counts)

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._lines.note(text)

    def close(self) -> None:
        """Take the bar away."""
        self._end_task()
        self._progress.stop()

    def _end_task(self) -> None:
        if self._task is not None:
            self._progress.remove_task(self._task)
            self._task = None


def say_duration(seconds: float) -> str:
    """``0.4 s``, ``12 s``, ``3 min 20 s``, ``5 h 12 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
