"""Looking for a marked text where no text of a note or an answer may be.

Put :data:`SENTINEL` into the notes and :data:`ANSWER_SENTINEL` into the answers, do something, and
hand everything it left behind to :func:`assert_no_leak`.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import io
import logging
import sys
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path

SENTINEL = "zebrafinch quartz effusion"
ANSWER_SENTINEL = "wombat jasper atelectasis"


def assert_no_leak(
    *,
    paths: Iterable[Path] = (),
    texts: Mapping[str, str | bytes] | None = None,
    allowed: Iterable[str] = (),
    sentinels: Iterable[str] = (SENTINEL, ANSWER_SENTINEL),
) -> None:
    """Fail if a sentinel is in a file or text, plain or encoded; says where, and how.

    Args:
        paths: files, and folders with all files below them.
        texts: captured output, by name.
        allowed: patterns of paths (relative to the folder given) that may hold notes or answers.
        sentinels: what to look for.
    """
    found = [
        f"{name}: {form}"
        for name, content in _contents(paths, list(allowed), texts or {})
        for sentinel in sentinels
        for form, needle in _forms(sentinel).items()
        if needle in content
    ]
    assert not found, "text of a note or an answer in " + "; ".join(found)


def describe(error: BaseException) -> str:
    """All that anybody could print of an exception: traceback, text, attributes, what it hides."""
    out: list[str] = []
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        out += traceback.format_exception(one)
        out += [str(one), repr(one), repr(one.args), repr(getattr(one, "__dict__", {}))]
        waiting += [one.__cause__, one.__context__]  # hidden by "from None", but still there
        if isinstance(one, BaseExceptionGroup):
            waiting += one.exceptions
    return "\n".join(out)


@contextlib.contextmanager
def captured_logs(level: int = logging.DEBUG) -> Iterator[io.StringIO]:
    """Log records of all libraries at ``level`` with tracebacks and arguments; warnings too."""
    stream = io.StringIO()

    class Everything(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            stream.write(f"{record.args!r}\n")
            if record.exc_info and record.exc_info[1] is not None:
                stream.write(describe(record.exc_info[1]))

    handler = Everything(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))
    root = logging.getLogger()
    before, hook = root.level, sys.unraisablehook
    root.addHandler(handler)
    root.setLevel(level)
    sys.unraisablehook = lambda raised: print(raised, file=stream)
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield stream
        stream.write("\n".join(map(str, caught)))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
        sys.unraisablehook = hook


def _contents(
    paths: Iterable[Path], allowed: list[str], texts: Mapping[str, str | bytes]
) -> Iterator[tuple[str, bytes]]:
    for path in paths:
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            name = str(file.relative_to(path)) if path.is_dir() else file.name
            yield f"the name of {name}", name.encode()
            if any(fnmatch(name, pattern) for pattern in allowed):
                continue
            content = file.read_bytes()
            yield name, gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    for name, text in texts.items():
        yield name, text.encode() if isinstance(text, str) else text


def _forms(sentinel: str) -> dict[str, bytes]:
    """The sentinel as text, and as the encodings that tools like to write."""
    raw = sentinel.encode()
    forms = {
        "plain": raw,
        "first word": raw.split()[0],
        "utf-16": sentinel.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "url": sentinel.replace(" ", "%20").encode(),
        "form": sentinel.replace(" ", "+").encode(),
    }
    for shift in range(3):  # base64 of a longer text holds it at one of three alignments
        encoded = base64.b64encode(b"x" * shift + raw)
        forms[f"base64 at {shift}"] = encoded[4 if shift else 0 : len(encoded) // 4 * 4 - 4]
    return forms
