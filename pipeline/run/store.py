"""What one stage has on disk, and how it grows without ever being half-written.

While a stage runs, its files are only appended to, and ``progress.json`` says up to which byte they
count. A killed run truncates to that point and goes on from the input row it names, so that the
final bytes are those of an uninterrupted run. A complete stage is sealed: ``manifest.json`` holds
counts and hashes, and ``progress.json`` goes away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import orjson

from pipeline.core.atomic import (
    atomic_writer,
    make_private_dir,
    open_private,
    write_bytes,
    write_json,
)
from pipeline.core.errors import ResumeMismatch, StorageError
from pipeline.core.hashing import sha256_file
from pipeline.core.jsonl import dump_line, iter_lines
from pipeline.core.records import Record

RECORDS = "records.jsonl"
REJECTS = "rejects.jsonl"
MANIFEST = "manifest.json"
PROGRESS = "progress.json"
ROUNDS = "rounds.json"
UNUSED = "unused.jsonl"
CONSENT = "rebuild"
RETRIED = ".retried"

COMMIT_SECONDS = 0.5
"""A killed run loses at most this much work of a stage; replies are journaled one by one."""


@dataclass(slots=True)
class Chunk:
    """The outcome of some consecutive input rows, as bytes ready to be appended.

    Attributes:
        rows: input rows answered.
        records: JSON lines of the records made.
        record_count: number of those lines.
        kept: input rows that gave at least one record.
        rejects: JSON lines of the rejects.
        reasons: failed rejects by reason.
        filtered: rows left out on purpose, by reason.

    """

    rows: int = 0
    records: bytes = b""
    record_count: int = 0
    kept: int = 0
    rejects: bytes = b""
    reasons: Counter[str] = field(default_factory=Counter)
    filtered: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Progress:
    """How far a stage got; everything needed to go on or to seal it.

    Attributes:
        parts: the identity of the stage, by part (see :mod:`pipeline.run.identity`).
        rows: input rows answered, from the first on.
        usage: requests, tokens and money spent, over all the times the stage was resumed.
    """

    parts: dict[str, str]
    rows: int = 0
    kept: int = 0
    records: int = 0
    records_bytes: int = 0
    rejects_bytes: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    filtered: dict[str, int] = field(default_factory=dict)
    usage: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rejected(self) -> int:
        """Input rows that failed."""
        return sum(self.reasons.values())

    @property
    def left_out(self) -> int:
        """Input rows left out on purpose."""
        return sum(self.filtered.values())


def read_json(path: Path) -> dict[str, Any] | None:
    """A small JSON file, or None where there is none or it is damaged."""
    try:
        value = orjson.loads(path.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


class StageStore:
    """The folder of one stage."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records_path = folder / RECORDS
        self.rejects_path = folder / REJECTS

    def manifest(self) -> dict[str, Any] | None:
        """The manifest of a sealed stage whose files have the size they were sealed with."""
        manifest = read_json(self.folder / MANIFEST)
        if manifest is None:
            return None
        for name, path in (("records", self.records_path), ("rejects", self.rejects_path)):
            if not path.exists() or path.stat().st_size != manifest["output"][name]["bytes"]:
                return None
        return manifest

    def progress(self) -> Progress | None:
        """How far an unsealed stage got."""
        data = read_json(self.folder / PROGRESS)
        return None if data is None else Progress(**data)

    def verify(self, manifest: dict[str, Any]) -> None:
        """Check a sealed stage's records against their hash.

        Raises:
            ResumeMismatch: the file was changed after it was sealed.
        """
        if sha256_file(self.records_path) != manifest["output"]["records"]["sha256"]:
            raise ResumeMismatch(
                f"{self.records_path} was changed after it was sealed; "
                f"make it again with --rebuild {self.folder.name}"
            )

    def rounds(self) -> dict[str, int]:
        """How often each retried record was put back to work."""
        return read_json(self.folder / ROUNDS) or {}

    def write_rounds(self, rounds: dict[str, int]) -> None:
        """Remember the retried records: their requests get sample numbers of their own."""
        write_json(self.folder / ROUNDS, rounds)

    @property
    def retried(self) -> StageStore:
        """Where the records put back to work are made before they join the others."""
        return StageStore(self.folder / RETRIED)

    def may_rebuild(self) -> bool:
        """Whether the user agreed to make this stage again."""
        return (self.folder / CONSENT).exists()

    def allow_rebuild(self, allowed: bool = True) -> None:
        """Note on disk that the stage may be made again, so that a killed run can go on."""
        path = self.folder / CONSENT
        if allowed:
            make_private_dir(self.folder)
            write_bytes(path, b"")
        else:
            path.unlink(missing_ok=True)

    def drop_retried(self) -> None:
        """Forget the retried rows once they joined the others."""
        shutil.rmtree(self.folder / RETRIED, ignore_errors=True)

    def clear(self) -> None:
        """Forget everything made so far, except which records were retried."""
        for name in (MANIFEST, PROGRESS, RECORDS, REJECTS, UNUSED):
            (self.folder / name).unlink(missing_ok=True)
        shutil.rmtree(self.folder / RETRIED, ignore_errors=True)

    def write_unused(self, rows: Iterable[Record]) -> None:
        """List what a set stage met and no row used.

        Raises:
            StorageError: the disk refuses.
        """
        try:
            with atomic_writer(self.folder / UNUSED) as file:
                for row in rows:
                    file.write(dump_line(row))
        except OSError as error:
            raise _storage_error(self.folder, error) from None

    def unused(self) -> dict[str, int]:
        """``{"unused": N}`` where there is such a list, for the manifest."""
        path = self.folder / UNUSED
        return {"unused": sum(1 for _ in iter_lines(path))} if path.is_file() else {}

    def seal(self, progress: Progress, facts: dict[str, Any]) -> dict[str, Any]:
        """Write the manifest of a complete stage and return it."""
        failed, left_out = progress.rejected, progress.left_out
        if progress.rows != progress.kept + failed + left_out:
            raise ResumeMismatch(
                f"stage {self.folder.name}: {progress.rows} rows in, but {progress.kept} kept, "
                f"{failed} rejected and {left_out} filtered; this is a defect, please report it"
            )
        manifest = {
            **facts,
            "counts": {
                "in": progress.rows,
                "kept": progress.kept,
                "records": progress.records,
                "rejected": failed,
                "filtered": left_out,
                "reasons": dict(sorted(progress.reasons.items())),
                "filtered_reasons": dict(sorted(progress.filtered.items())),
            },
            "output": {
                "records": _describe(self.records_path),
                "rejects": _describe(self.rejects_path),
            },
            "seconds": round(progress.seconds, 3),
        }
        write_json(self.folder / MANIFEST, manifest)
        (self.folder / PROGRESS).unlink(missing_ok=True)
        self.allow_rebuild(False)
        return manifest


def _describe(path: Path) -> dict[str, Any]:
    return {"bytes": path.stat().st_size, "sha256": sha256_file(path)}


class StageWriter:
    """Appends chunks to a stage's files and commits them now and then.

    Use as a context manager: leaving it, for whatever reason, commits what was appended.
    """

    def __init__(
        self,
        store: StageStore,
        parts: dict[str, str],
        *,
        usage: Callable[[], dict[str, float]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._usage = usage
        make_private_dir(store.folder)
        found = store.progress()
        self.state = found if found is not None and found.parts == parts else Progress(parts)
        self._records = _open_at(store.records_path, self.state.records_bytes)
        self._rejects = _open_at(store.rejects_path, self.state.rejects_bytes)
        self._started = clock()
        self._spent = self.state.seconds
        self._last_commit = self._started

    def __enter__(self) -> StageWriter:
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.commit()
        finally:
            # What a full disk keeps from being flushed was not committed either.
            for file in (self._records, self._rejects):
                with contextlib.suppress(OSError):
                    file.close()

    def append(self, chunk: Chunk) -> None:
        """Append the outcome of the next input rows.

        Raises:
            StorageError: the disk is full or broken; what was committed stays.
        """
        try:
            self._records.write(chunk.records)
            self._rejects.write(chunk.rejects)
        except OSError as error:
            raise _storage_error(self._store.folder, error) from None
        state = self.state
        state.rows += chunk.rows
        state.kept += chunk.kept
        state.records += chunk.record_count
        state.records_bytes += len(chunk.records)
        state.rejects_bytes += len(chunk.rejects)
        for reason, count in chunk.reasons.items():
            state.reasons[reason] = state.reasons.get(reason, 0) + count
        for reason, count in chunk.filtered.items():
            state.filtered[reason] = state.filtered.get(reason, 0) + count
        if self._clock() - self._last_commit >= COMMIT_SECONDS:
            self.commit()

    def commit(self) -> None:
        """Make everything appended so far count.

        Raises:
            StorageError: the disk is full or broken; the last commit stays.
        """
        try:
            for file in (self._records, self._rejects):
                file.flush()
                os.fsync(file.fileno())
            now = self._clock()
            self.state.seconds = self._spent + now - self._started
            self.state.usage = self._usage()
            write_json(self._store.folder / PROGRESS, asdict(self.state))
            self._last_commit = now
        except OSError as error:
            raise _storage_error(self._store.folder, error) from None


def _open_at(path: Path, size: int) -> IO[bytes]:
    descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    if os.fstat(descriptor).st_size < size:
        os.close(descriptor)
        raise ResumeMismatch(
            f"{path} is shorter than its progress says; make it again with "
            f"--rebuild {path.parent.name}"
        )
    os.ftruncate(descriptor, size)
    os.lseek(descriptor, 0, os.SEEK_END)
    return os.fdopen(descriptor, "wb", buffering=1 << 20)


def _storage_error(folder: Path, error: OSError) -> StorageError:
    free = shutil.disk_usage(folder).free // (1 << 20)
    return StorageError(
        f"cannot write in {folder}: {error.strerror} ({free} MiB free); "
        "nothing committed was lost: make room and run the same command again"
    )
