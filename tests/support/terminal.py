"""A program in a terminal of its own: what is typed, and what stands on the screen."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

CTRL_C, CTRL_D = "\x03", "\x04"
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Terminal:
    """Runs a command on a pseudo-terminal; a context manager.

    Attributes:
        screen: everything the program wrote, without escape sequences and carriage returns.
    """

    def __init__(
        self, words: Sequence[str], environ: dict[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        self.screen = ""
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            words,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            cwd=cwd,
            env={**os.environ, "TERM": "xterm", **(environ or {})},
            start_new_session=True,
            preexec_fn=_take_terminal,
        )
        os.close(slave)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    def type(self, text: str) -> None:
        """Type ``text``; end a line with a newline."""
        os.write(self._master, text.replace("\n", "\r").encode())

    def paste(self, text: str) -> None:
        """Paste ``text`` as terminals do that bracket it."""
        os.write(self._master, b"\x1b[200~" + text.encode() + b"\x1b[201~")

    def wait_for(self, text: str, seconds: float = 20.0, times: int = 1) -> None:
        """Read until ``text`` stands ``times`` times on the screen.

        Raises:
            AssertionError: it does not come, with what there is.
        """
        deadline = time.monotonic() + seconds
        while self.screen.count(text) < times:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready and self._read(), f"{text!r} did not come; there is:\n{self.screen}"

    def press_until(self, key: str, text: str, seconds: float = 40.0) -> None:
        """Press ``key`` until ``text`` stands on the screen.

        A signal that comes after the prompt was written and before the line is waited for stays
        pending until the next key: no hand is that fast, but a test is.
        """
        deadline = time.monotonic() + seconds
        while text not in self.screen:
            assert time.monotonic() < deadline, f"{text!r} did not come; there is:\n{self.screen}"
            self.type(key)
            while text not in self.screen and select.select([self._master], [], [], 3.0)[0]:
                assert self._read(), f"the program ended; there is:\n{self.screen}"

    def leave(self, seconds: float = 40.0) -> int:
        """Press Ctrl-D until the program ends; its exit code.

        Once is not enough: what is pressed while a line is not being read may be lost.
        """
        deadline = time.monotonic() + seconds
        while True:
            assert time.monotonic() < deadline, f"the program goes on; there is:\n{self.screen}"
            with contextlib.suppress(OSError):
                self.type(CTRL_D)
            while select.select([self._master], [], [], 0.5)[0]:
                if not self._read():
                    return self._process.wait(timeout=seconds)

    def wait(self, seconds: float = 20.0) -> int:
        """Read until the program ends; its exit code."""
        deadline = time.monotonic() + seconds
        while True:
            ready, _, _ = select.select([self._master], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"the program goes on; there is:\n{self.screen}"
            if not self._read():
                return self._process.wait(timeout=seconds)

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so when the other end was closed
            data = b""
        self.screen += _ESCAPES.sub("", data.decode(errors="replace"))
        return bool(data)


def _take_terminal() -> None:
    """Make the terminal the controlling one, so that Ctrl-C becomes a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
