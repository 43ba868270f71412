"""What is known of the batch jobs of a run: an append-only file, each line on disk before the deed.

A job is paid for once it was submitted, so every step is written down before it is taken and again
when it was. A process that is killed between the two finds a step begun and not ended, and asks the
service how it went instead of taking the step again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from pipeline.core.atomic import make_private_dir, open_private, sync_dir
from pipeline.core.errors import ConfigError, StorageError
from pipeline.core.jsonl import dump_line, iter_objects, repair_tail
from pipeline.llm.batch_files import keys_in


class State(StrEnum):
    """How far a job is; ``uploading`` and ``creating`` are steps begun."""

    PREPARED = "prepared"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    CREATING = "creating"
    CREATED = "created"
    ENDED = "ended"
    MERGED = "merged"
    CLOSED = "closed"


@dataclass(slots=True)
class Job:
    """One input file and the job made of it.

    Attributes:
        name: unique everywhere, so that its file can be found again at the service.
        deployment: label of the deployment it goes to.
        stage: the stage that asked.
        lines: number of requests.
        tokens: prompt and maximum output of all of them, estimated.
        attempt: 1, or one more than the job whose missing requests it repeats.
        state: how far it is.
        file: id of the input file at the service.
        batch: id of the job at the service.
        status: final status at the service.
        outputs: ids of output and error file.
        refused: how often the service refused it for its enqueued-token limit.
        dead: ids of the jobs it refused.
        missing: requests without an outcome after it.
        failed: requests that will get no answer, with the reason.
        deleted: what became of each stored file: ``deleted``, ``gone``, or an error code.
    """

    name: str
    deployment: str
    stage: str = ""
    lines: int = 0
    tokens: int = 0
    attempt: int = 1
    state: State = State.PREPARED
    file: str = ""
    batch: str = ""
    status: str = ""
    outputs: list[str] = field(default_factory=list)
    refused: int = 0
    dead: list[str] = field(default_factory=list)
    missing: int = 0
    failed: dict[str, str] = field(default_factory=dict)
    deleted: dict[str, str] = field(default_factory=dict)

    @property
    def enqueued(self) -> bool:
        """Whether it may count against the service's limit of enqueued tokens."""
        return self.state in (State.CREATING, State.CREATED)


class Ledger:
    """The jobs of a folder; one process at a time, the run's lock sees to that.

    Attributes:
        jobs: by name, in the order they were prepared.
        failed: requests that will get no answer, with the reason.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, Job] = {}
        self.failed: dict[str, str] = {}
        self._path = folder / "jobs.jsonl"
        self._file: int | None = None
        if self._path.exists():
            repair_tail(self._path)
            for event in iter_objects(self._path):
                self._apply(event)

    def open_jobs(self) -> list[Job]:
        """Jobs that are not closed."""
        return [job for job in self.jobs.values() if job.state is not State.CLOSED]

    def path(self, job: Job, ending: str = "jsonl") -> Path:
        """The input file of a job, or a result file."""
        return self.folder / f"{job.name}.{ending}"

    def open_keys(self) -> Iterator[str]:
        """Keys of the requests in jobs that are not closed.

        Raises:
            ConfigError: an input file is missing.
        """
        for job in self.open_jobs():
            if not self.path(job).exists():
                raise ConfigError(
                    f"{self.path(job)} is missing, and its job is not fetched yet; to give up all "
                    f"jobs and what was paid for them, remove {self.folder}"
                )
            yield from keys_in(self.path(job))

    def sweep(self) -> None:
        """Remove files of no open job: inputs never sent, results fetched."""
        names = {job.name for job in self.open_jobs()}
        for path in self.folder.glob("cxr-*") if self.folder.is_dir() else ():
            if path.name.partition(".")[0] not in names:
                path.unlink()

    def prepare(self, name: str, replaces: str = "", **facts: Any) -> Job:
        """Record a new job; the one it replaces is closed by the same line."""
        event = {"job": name, "state": State.PREPARED, **facts}
        if replaces:
            event["replaces"] = replaces
        self._append(event)
        return self.jobs[name]

    def record(self, job: Job, state: State, **facts: Any) -> None:
        """Write down that ``job`` is at ``state``; on disk when this returns.

        Raises:
            StorageError: the disk refuses.
        """
        self._append({"job": job.name, "state": state, **facts})

    def close(self) -> None:
        """Give back the file; safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, event: dict[str, Any]) -> None:
        line = dump_line(event)
        try:
            if self._file is None:
                make_private_dir(self.folder)
                self._file = open_private(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
                sync_dir(self.folder)
            end = os.fstat(self._file).st_size
            if os.write(self._file, line) < len(line):
                os.ftruncate(self._file, end)
                raise OSError("the disk is full")
            os.fsync(self._file)
        except OSError as error:
            raise StorageError(f"{self._path}: cannot write: {error.strerror or error}") from None
        self._apply(event)

    def _apply(self, event: dict[str, Any]) -> None:
        facts = dict(event)
        name, state = facts.pop("job"), State(facts.pop("state"))
        replaced = self.jobs.get(facts.pop("replaces", ""))
        if replaced is not None:
            replaced.state = State.CLOSED
        if state is State.PREPARED and name not in self.jobs:
            self.jobs[name] = Job(name, facts.pop("deployment"))
        job = self.jobs[name]
        job.state = state
        for attribute, value in facts.items():
            setattr(job, attribute, value)
        self.failed |= facts.get("failed", {})
