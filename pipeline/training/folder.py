"""The folder of a training: what it holds while it runs, and when it may go on.

::

    OUT/
      train.json       manifest: state, data, base, options, tokens, times, losses
      loss.jsonl       one line per logged step and evaluation
      loss.svg         the same as a plot
      base/            the untrained model, where it was made from scratch
      tokens/          token ids of the set, while it runs
      checkpoints/     what a stopped training goes on from, while it runs
      *.safetensors, tokenizer, chat template: adapter or model, when it is done
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import make_private_dir, write_bytes, write_json
from pipeline.core.errors import ConfigError, ResumeMismatch
from pipeline.core.jsonl import dump_line, iter_objects
from pipeline.run.folder import RunFolder
from pipeline.training.base_model import MANIFEST, read_manifest

DONE, RUNNING, PREPARING = "done", "running", "preparing"
"""States of a training; one that is being prepared may still be prepared otherwise."""


class TrainFolder:
    """Paths and state of one training. Creating the object touches nothing on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def log(self) -> Path:
        """The loss log."""
        return self.root / "loss.jsonl"

    @property
    def plot(self) -> Path:
        """The loss plot."""
        return self.root / "loss.svg"

    @property
    def base(self) -> Path:
        """The untrained model, where it was made from scratch."""
        return self.root / "base"

    @property
    def tokens(self) -> Path:
        """Token ids of the set."""
        return self.root / "tokens"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of the trainer."""
        return self.root / "checkpoints"

    def read(self) -> dict[str, Any] | None:
        """The manifest; None where no training was started here."""
        return read_manifest(self.root)

    def write(self, manifest: Mapping[str, Any]) -> None:
        """Replace the manifest."""
        write_json(self.root / MANIFEST, manifest)

    def prepare(self) -> None:
        """Create the folder, for its owner alone.

        Raises:
            ConfigError: it holds something that is no training.
        """
        if self.root.exists():
            if not self.root.is_dir():
                raise ConfigError(f"{self.root} is a file; --out takes a folder")
            if self.read() is None and any(e.name != ".lock" for e in self.root.iterdir()):
                raise ConfigError(f"{self.root} is not empty and no training; choose another --out")
        try:
            make_private_dir(self.root)
        except OSError as error:
            raise ConfigError(f"cannot create {self.root}: {error.strerror}") from None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder's lock."""
        with RunFolder(self.root).locked("--out"):
            yield

    def guard(self) -> None:
        """Refuse a folder that others may read or git would pick up; for credentialed data."""
        RunFolder(self.root).guard("--out")

    def check_same(self, deciding: Mapping[str, Any]) -> bool:
        """Whether a training was started here that may go on.

        Raises:
            ResumeMismatch: it was started on other data, another base or with other options.
        """
        known = self.read()
        if known is None or known.get("state") == PREPARING:
            return False
        changed = sorted(_differences(known.get("deciding", {}), deciding))
        if changed:
            raise ResumeMismatch(
                f"{self.root} holds a training with other {', '.join(changed)}; restore "
                "that to go on, or choose another --out"
            )
        return True

    def last_checkpoint(self) -> Path | None:
        """The newest whole checkpoint; torn ones are removed.

        The trainer's state is written last, so that a checkpoint that has it is whole.
        """
        if not self.checkpoints.is_dir():
            return None
        found: list[tuple[int, Path]] = []
        for path in self.checkpoints.glob("checkpoint-*"):
            try:
                step = int(orjson.loads((path / "trainer_state.json").read_bytes())["global_step"])
            except (OSError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
                shutil.rmtree(path, ignore_errors=True)
                continue
            found.append((step, path))
        return max(found)[1] if found else None

    def tidy(self) -> None:
        """Remove what only a running training needs: checkpoints (pickles) and token files."""
        for path in (self.checkpoints, self.tokens):
            shutil.rmtree(path, ignore_errors=True)

    def cut_log(self, step: int) -> None:
        """Drop the lines of the loss log after ``step``: they are made again."""
        if not self.log.exists():
            return
        kept = [line for line in read_log(self.log) if line["step"] <= step]
        write_bytes(self.log, b"".join(map(dump_line, kept)))


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a loss log; a torn last line is dropped."""
    return list(iter_objects(path))


def _differences(old: Any, new: Any, name: str = "") -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            inside = str(key) if name in {"", "options"} else f"{name}.{key}"
            yield from _differences(old.get(key), new.get(key), inside)
    elif old != new:
        yield name
