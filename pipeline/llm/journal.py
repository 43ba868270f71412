"""Replies that were paid for: append-only JSONL, found again by the hash of the request.

A folder of segments. Each process writes a segment of its own, one line and one ``write`` per
reply, and holds a lock on it; nobody else ever writes there. So a process that is killed loses no
reply it had received, several runs can share a folder (also on a network file system), and a torn
last line is cut off by the next one that opens it. In memory there is a 16-byte key and a position
per reply; texts stay on disk.

Only raw replies are kept, so that a changed parser reads them again at no cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.core.atomic import atomic_writer, make_private_dir, open_private, sync_dir
from pipeline.core.errors import ConfigError, StorageError
from pipeline.core.jsonl import repair_tail
from pipeline.llm.journal_lines import (
    Entry,
    Spent,
    check_header,
    digest,
    dump_entry,
    header_line,
    parse_entry,
)
from pipeline.llm.types import Reply

__all__ = ["Entry", "Journal", "Spent", "iter_entries"]

SYNC_EVERY_S = 0.02
"""Time between two fsyncs (2 to 10 ms each on usual disks); replies in between share one."""

_SUFFIX = ".jsonl"
_OFFSET_BITS = 44
_READ = 4096


class Journal:
    """The replies of a folder. Not for several threads; open one per process.

    Args:
        folder: created at the first reply.
        run: id of the run that asks; what it spent before is added up in :attr:`spent`.

    Attributes:
        spent: what each stage of this run has spent, whenever and however it ended.
        total: what all replies of the folder took, whoever paid.
        sizes: (bytes of prompt text, prompt tokens) of all replies that said both.
        damaged: lines that could not be read; their requests are asked again.

    Raises:
        ConfigError: the folder was written by another version.
    """

    def __init__(self, folder: Path, run: str = "") -> None:
        self.folder = folder
        self.run = run
        self.spent: dict[str, Spent] = {}
        self.total = Spent()
        self.sizes = (0, 0)
        self.damaged = 0
        self._index: dict[bytes, int] = {}
        self._files: list[int] = []
        self._own: int | None = None
        self._own_path: Path | None = None
        self._end = 0
        self._synced = 0.0
        self._sync: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._load()

    def __len__(self) -> int:
        return len(self._index)

    def __contains__(self, key: str) -> bool:
        return bytes.fromhex(key[:32]) in self._index

    def get(self, key: str) -> Reply | None:
        """The reply to the request with this key, marked as reused; None if there is none."""
        position = self._index.get(bytes.fromhex(key[:32]))
        if position is None:
            return None
        line = self._line_at(position)
        entry = parse_entry(line)
        if entry is None or entry.key != key:
            return None
        return replace(entry.reply, reused=True)

    def append(self, entry: Entry) -> None:
        """Write ``entry``: from here on a killed process does not lose it.

        Raises:
            StorageError: the disk refuses; the reply is not in the journal.
        """
        line = dump_entry(entry)
        try:
            if self._own is None:
                self._start_segment()
            assert self._own is not None
            written = os.write(self._own, line)
            if written < len(line):
                os.ftruncate(self._own, self._end)
                raise OSError("the disk is full")
        except OSError as error:
            raise StorageError(f"{self.folder}: cannot write replies: {error.strerror}") from None
        self._index[bytes.fromhex(entry.key[:32])] = _position(len(self._files) - 1, self._end)
        self._end += written
        self._count(entry)

    async def write(self, entry: Entry) -> None:
        """Append ``entry`` and wait until it is on the disk; those who wait share one fsync."""
        self.append(entry)
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        if self._sync is None:
            self._sync = asyncio.create_task(self._sync_groups())
        await done

    async def _sync_groups(self) -> None:
        try:
            loop = asyncio.get_running_loop()
            while self._waiting:
                await asyncio.sleep(max(0.0, self._synced + SYNC_EVERY_S - loop.time()))
                self._synced = loop.time()
                group, self._waiting = self._waiting, []
                error: StorageError | None = None
                try:
                    await asyncio.to_thread(self._fsync)
                except OSError as problem:
                    error = StorageError(f"{self.folder}: fsync failed: {problem.strerror}")
                for done in group:
                    if done.done():
                        continue
                    if error is None:
                        done.set_result(None)
                    else:
                        done.set_exception(error)
        finally:
            self._sync = None

    def _fsync(self) -> None:
        if self._own is not None:
            os.fsync(self._own)

    async def flush(self) -> None:
        """Wait until everything appended so far is on the disk."""
        await asyncio.to_thread(self._fsync)

    async def close(self) -> None:
        """Flush and give back files and lock; safe to call twice."""
        if self._sync is not None:
            await self._sync
        self.release()

    def release(self) -> None:
        """Give back files and lock at once; for those who only read."""
        if self._own is not None:
            with contextlib.suppress(OSError):
                os.fsync(self._own)
        for file in self._files:
            os.close(file)
        self._files, self._own, self._own_path = [], None, None
        self._index.clear()

    def compact(self) -> None:
        """Merge the segments nobody writes to into one; every distinct reply stays.

        Only lines that say the same again, and damaged ones, are left out. The merged segment is
        on the disk before the old ones go, so that a crash between leaves a repetition, no gap.
        """
        if self._sync is not None:
            return  # replies are being written: another time
        with self._folder_lock():
            idle = [path for path in self._segments() if path == self._own_path or _idle(path)]
            if len(idle) < 2:
                return
            merged = self._new_path()
            seen: set[bytes] = set()
            with atomic_writer(merged) as file:
                file.write(header_line())
                for path in idle:
                    for line in _entries(path):
                        mark = digest(line)
                        if mark is not None and mark not in seen:
                            seen.add(mark)
                            file.write(line)
            self.release()
            for path in idle:
                path.unlink()
            sync_dir(self.folder)
        self._load()

    def _load(self) -> None:
        self._index, self.spent, self.total = {}, {}, Spent()
        self.sizes, self.damaged = (0, 0), 0
        if not self.folder.is_dir():
            return
        try:
            with self._folder_lock():
                for path in self._segments():
                    if _idle(path):
                        repair_tail(path)
                    self._index_segment(path)
        except ConfigError:
            self.release()
            raise

    def _index_segment(self, path: Path) -> None:
        number = len(self._files)
        self._files.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
        offset = 0
        with path.open("rb") as file:
            for line in file:
                if not line.endswith(b"\n"):
                    break  # somebody is writing it
                if offset == 0:
                    check_header(line, path)
                elif (entry := parse_entry(line)) is None:
                    self.damaged += 1
                else:
                    self._index[bytes.fromhex(entry.key[:32])] = _position(number, offset)
                    self._count(entry)
                offset += len(line)

    def _count(self, entry: Entry) -> None:
        usage = entry.reply.usage
        self.total.add(usage, entry.money)
        if entry.run == self.run:
            self.spent.setdefault(entry.stage, Spent()).add(usage, entry.money)
        if entry.size and usage.prompt_tokens:
            self.sizes = (self.sizes[0] + entry.size, self.sizes[1] + usage.prompt_tokens)

    def _line_at(self, position: int) -> bytes:
        number, offset = position >> _OFFSET_BITS, position & ((1 << _OFFSET_BITS) - 1)
        line = b""
        while not line.endswith(b"\n"):
            block = os.pread(self._files[number], _READ, offset + len(line))
            if not block:
                break
            end = block.find(b"\n")
            line += block if end < 0 else block[: end + 1]
        return line

    def _start_segment(self) -> None:
        make_private_dir(self.folder)
        with self._folder_lock():
            path = self._new_path()
            self._own = open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND)
            fcntl.flock(self._own, fcntl.LOCK_EX | fcntl.LOCK_NB)
            header = header_line()
            os.write(self._own, header)
        sync_dir(self.folder)
        self._own_path, self._end = path, len(header)
        self._files.append(self._own)

    def _segments(self) -> list[Path]:
        """Segments in the order they were begun: a later reply to the same request wins."""
        return _segments(self.folder)

    def _new_path(self) -> Path:
        last = max((int(p.stem) for p in self._segments() if p.stem.isdigit()), default=0)
        return self.folder / f"{last + 1:06d}{_SUFFIX}"

    @contextlib.contextmanager
    def _folder_lock(self) -> Iterator[None]:
        """Opening, beginning a segment and compacting take turns across processes."""
        file = open_private(self.folder / "lock", os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            os.close(file)


def iter_entries(folder: Path) -> Iterator[Entry]:
    """All replies of a folder, one after the other; nothing is locked or repaired.

    Raises:
        ConfigError: the folder was written by another version.
    """
    for path in _segments(folder):
        with path.open("rb") as file:
            check_header(file.readline(), path)
        for line in _entries(path):
            entry = parse_entry(line)
            if entry is not None:
                yield entry


def _segments(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob(f"*{_SUFFIX}") if not p.name.startswith("."))


def _idle(path: Path) -> bool:
    """Whether no living process writes to the segment."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(file)
    return True


def _position(segment: int, offset: int) -> int:
    return segment << _OFFSET_BITS | offset


def _entries(path: Path) -> Iterator[bytes]:
    """Complete lines after the header."""
    with path.open("rb") as file:
        for number, line in enumerate(file):
            if number and line.endswith(b"\n"):
                yield line
