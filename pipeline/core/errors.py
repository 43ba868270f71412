"""The errors a user can see, each with the exit code the command line ends with.

Messages carry ids, counts and paths, never report or reply text: what is raised may be logged.
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    REJECTS = 1
    USAGE = 2
    STOPPED = 3
    REFUSED = 4


class PipelineError(Exception):
    """Base of all errors that are answered with one line instead of a traceback."""

    exit_code: ClassVar[ExitCode] = ExitCode.USAGE


class ConfigError(PipelineError):
    """A recipe, option, path or environment that cannot work; says what to change."""


class DataError(PipelineError):
    """Input that cannot be read.

    Raised inside a stage it makes one record a reject; ``reason`` is the reject's class, a short
    word such as ``unreadable`` or ``no_text``.
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class ResumeMismatch(PipelineError):
    """A run folder holds something else than what was asked for."""


class RunLocked(PipelineError):
    """Another process works on the same run folder."""


class StorageError(PipelineError):
    """The disk is full or refuses to be written; the run can be resumed."""

    exit_code = ExitCode.STOPPED


class Stopped(PipelineError):
    """The run stopped early and can be resumed: interrupted, or no progress."""

    exit_code = ExitCode.STOPPED


class BudgetExceeded(Stopped):
    """The budget of the recipe is used up; raise it and run again."""


class GovernanceError(PipelineError):
    """Refused before anything was sent; says what would make it pass."""

    exit_code = ExitCode.REFUSED


class BackendError(PipelineError):
    """A model endpoint that cannot succeed as configured (key, deployment, address)."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class StageError(PipelineError):
    """A defect inside a stage, with the record it happened on."""

    def __init__(self, stage: str, record_id: str, error: BaseException) -> None:
        super().__init__(f"stage {stage}, record {record_id}: {type(error).__name__}")
        self.stage = stage
        self.record_id = record_id
