"""Input and result files of batch jobs: one JSON line per request, named by the request's key."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import make_private_dir, open_private, sync_dir
from pipeline.core.errors import StorageError
from pipeline.core.jsonl import iter_lines
from pipeline.llm.backends.base import Attempt, Fault, FaultKind
from pipeline.llm.backends.chat import build_body, read_answer
from pipeline.llm.config import DeploymentConfig
from pipeline.llm.types import Request


def request_line(key: str, request: Request, deployment: DeploymentConfig, url: str) -> bytes:
    """The line of one request."""
    task = {
        "custom_id": key,
        "method": "POST",
        "url": url,
        "body": build_body(request, deployment),
    }
    return orjson.dumps(task, option=orjson.OPT_APPEND_NEWLINE)


class InputFile:
    """An input file being written, readable by its owner alone.

    Raises:
        StorageError: the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        make_private_dir(path.parent)
        self.path = path
        self.lines = 0
        self.bytes = 0
        self.tokens = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._file = os.fdopen(open_private(path, flags), "wb", buffering=1 << 20)

    def add(self, line: bytes, tokens: int = 0) -> None:
        """Append a line."""
        try:
            self._file.write(line)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot write: {error.strerror}") from None
        self.lines += 1
        self.bytes += len(line)
        self.tokens += tokens

    def finish(self) -> None:
        """Bring it to the disk and close it."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            sync_dir(self.path.parent)
        except OSError as error:
            raise StorageError(f"{self.path}: cannot write: {error.strerror}") from None

    def discard(self) -> None:
        """Close and remove it."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def keys_in(path: Path) -> Iterator[str]:
    """Keys of the requests in an input file."""
    for line in iter_lines(path):
        yield orjson.loads(line)["custom_id"]


def copy_lines(source: Path, target: Path, wanted: Callable[[str], bool]) -> int:
    """Write the lines of the wanted keys into a new input file; their number."""
    file = InputFile(target)
    for line in iter_lines(source):
        if wanted(orjson.loads(line)["custom_id"]):
            file.add(line)
    file.finish()
    return file.lines


def read_results(path: Path) -> Iterator[tuple[str, Attempt]]:
    """Key and outcome or fault of each line of an output or error file; others are passed over."""
    for line in _lines(path):
        try:
            value: Any = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        key = value.get("custom_id") if isinstance(value, dict) else None
        if isinstance(key, str):
            yield key, _attempt(value)


def _lines(path: Path) -> Iterator[bytes]:
    """Lines with or without a final newline."""
    with path.open("rb") as file:
        for line in file:
            if line.strip():
                yield line


def _attempt(value: dict[str, Any]) -> Attempt:
    response = value.get("response")
    if isinstance(response, dict) and isinstance(status := response.get("status_code"), int):
        return read_answer(status, {}, orjson.dumps(response.get("body")))
    error = value.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    known = isinstance(code, str) and code.isidentifier() and code.isascii() and len(code) < 64
    return Attempt(fault=Fault(FaultKind.TRANSIENT, str(code) if known else "no_response"))
