"""The heavy libraries of training: there or not, offline, silent."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from pipeline.core.errors import ConfigError

INSTALL = 'pip install "cxr-pipeline[train]"'
NEEDED = ("torch", "transformers", "trl", "peft", "datasets", "accelerate")


def require(*, hub: bool = False) -> None:
    """Check that the libraries of training are there, and close their ways out.

    Must be called before any of them is imported: they read the environment once.

    Args:
        hub: allow the download of a model the user named; nothing else is ever fetched.

    Raises:
        ConfigError: one is missing; says how to install it.
    """
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigError(f"training needs {', '.join(missing)}; install it: {INSTALL}")
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
        os.environ[name] = "0" if hub and name == "HF_HUB_OFFLINE" else "1"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DISABLE_TELEMETRY"] = "1"
    os.environ["WANDB_DISABLED"] = "true"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("DATASETS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TQDM_DISABLE", "1")
    # They warn each other of names that will change; what concerns a user is an error of ours.
    warnings.filterwarnings("ignore", category=FutureWarning, module="transformers|trl|peft")


@contextmanager
def private_files() -> Iterator[None]:
    """What the libraries write is for its owner alone; they leave that to the process."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def quiet() -> None:
    """No progress bars and no advice from transformers; imports it."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def versions() -> dict[str, str]:
    """Versions of the libraries that decide what is learned."""
    from importlib.metadata import version

    import pipeline

    return {"cxr-pipeline": pipeline.__version__, **{name: version(name) for name in NEEDED}}
