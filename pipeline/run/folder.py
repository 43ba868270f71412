"""The run folder: its layout, its lock, its permissions."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import orjson

from pipeline.core.atomic import make_private_dir, write_json
from pipeline.core.errors import ConfigError, GovernanceError, ResumeMismatch, RunLocked

RUN_FILE = "run.json"
FORMAT = 1
"""Version of the folder's layout."""


class RunFolder:
    """Paths of one run. Creating the object touches nothing on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def stages(self) -> Path:
        """Folder with one folder per stage."""
        return self.root / "stages"

    @property
    def replies(self) -> Path:
        """Folder of the journal of raw model replies."""
        return self.root / "replies"

    @property
    def exports(self) -> Path:
        """Folder of the files made for other tools."""
        return self.root / "exports"

    @property
    def evaluations(self) -> Path:
        """Folder of the evaluations of what the run made."""
        return self.root / "evaluation"

    def stage(self, name: str) -> Path:
        """Folder of one stage."""
        return self.stages / name

    def exists(self) -> bool:
        """Whether a run was started here."""
        return (self.root / RUN_FILE).is_file()

    def read(self) -> dict[str, Any]:
        """The content of ``run.json``.

        Raises:
            ConfigError: there is none, or it cannot be read.
            ResumeMismatch: it was written by a layout this version does not know.
        """
        path = self.root / RUN_FILE
        try:
            data: dict[str, Any] = orjson.loads(path.read_bytes())
        except FileNotFoundError:
            raise ConfigError(f"{self.root} is no run folder: it has no {RUN_FILE}") from None
        except (OSError, orjson.JSONDecodeError) as error:
            raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
        if data.get("format") != FORMAT:
            raise ResumeMismatch(
                f"{path} has layout {data.get('format')}, this version knows layout {FORMAT}; "
                "use a new --run-dir"
            )
        return data

    def write(self, data: dict[str, Any]) -> None:
        """Replace ``run.json``."""
        write_json(self.root / RUN_FILE, {"format": FORMAT, **data})

    def prepare(self) -> None:
        """Create the folder, for its owner alone.

        Raises:
            ConfigError: the path is a file, or a folder that holds something else.
        """
        if self.root.exists():
            if not self.root.is_dir():
                raise ConfigError(f"{self.root} is a file; --run-dir takes a folder")
            foreign = not self.exists() and any(
                entry.name not in {".lock", "stages"} and not entry.name.endswith(".tmp")
                for entry in self.root.iterdir()
            )
            if foreign:
                raise ConfigError(
                    f"{self.root} is not empty and no run folder; choose another --run-dir"
                )
        try:
            make_private_dir(self.root)
            make_private_dir(self.stages)
        except OSError as error:
            raise ConfigError(f"cannot create {self.root}: {error.strerror}") from None

    def sweep(self) -> None:
        """Remove temporary files that a killed process left; the lock must be held."""
        for path in self.root.rglob(".*.tmp"):
            path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self, option: str = "--run-dir") -> Iterator[None]:
        """Hold the run's lock; the system releases it when the process ends, however it ends.

        Args:
            option: the option of the command line that names the folder.

        Raises:
            RunLocked: another process holds it.
        """
        lock = filelock.FileLock(self.root / ".lock", mode=0o600)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise RunLocked(
                f"another process works on {self.root}; wait for it or choose another {option}"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def is_locked(self) -> bool:
        """Whether a process works on the run right now."""
        if not (self.root / ".lock").exists():
            return False
        try:
            with self.locked():
                return False
        except RunLocked:
            return True

    def guard(self, option: str = "--run-dir") -> None:
        """Check that a folder for credentialed data cannot be read or published by accident.

        Args:
            option: the option of the command line that names the folder.

        Raises:
            GovernanceError: others may read it, or git would pick it up.
        """
        if stat.S_IMODE(self.root.stat().st_mode) & 0o077:
            raise GovernanceError(
                f"{self.root} can be read by others and would hold credentialed text; "
                f"run: chmod 700 {self.root}"
            )
        if git_would_track(self.root):
            raise GovernanceError(
                f"{self.root} lies in a git work tree that does not ignore it and would hold "
                f"credentialed text; choose a {option} outside or add it to .gitignore"
            )


def git_would_track(path: Path) -> bool:
    """Whether a file in the folder ``path`` would be picked up by ``git add``."""
    resolved = path.resolve()
    if not any((parent / ".git").exists() for parent in (resolved, *resolved.parents)):
        return False
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    try:
        # A file inside is asked about: a rule such as "runs/" matches what lies in a folder.
        done = subprocess.run(
            ["git", "-C", str(resolved), "check-ignore", "-q", RUN_FILE],
            check=False,
            capture_output=True,
            env=environment,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return True
    return done.returncode != 0
