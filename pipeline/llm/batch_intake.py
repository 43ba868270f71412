"""Takes the requests of a pass and writes them into input files, cut at the limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.llm.backends.batch import BatchService
from pipeline.llm.batch_config import BatchConfig
from pipeline.llm.batch_files import InputFile, request_line
from pipeline.llm.batch_ledger import Ledger
from pipeline.llm.budget import Cost
from pipeline.llm.config import BackendConfig
from pipeline.llm.governance import Gate
from pipeline.llm.prices import cost
from pipeline.llm.tokens import TokenEstimate, max_output, prompt_size
from pipeline.llm.types import Request, Usage


@dataclass(frozen=True, slots=True)
class Setup:
    """What all parts of a batch run share.

    Attributes:
        config: the backend of the recipe.
        settings: its ``batch`` part.
        folder: where jobs are kept.
        gate: decides whether data may go to a deployment.
        services: by label of the deployment.
        ledger: what is known of the jobs.
        new_name: makes a name that no job anywhere has.
    """

    config: BackendConfig
    settings: BatchConfig
    folder: Path
    gate: Gate
    services: Mapping[str, BatchService]
    ledger: Ledger
    new_name: Callable[[], str]


class Intake:
    """Collects requests; each is taken once, however often it is asked.

    Attributes:
        spent: what the run has spent so far.
        over_budget: what of the budget did not suffice for a request, or an empty string.
    """

    def __init__(self, setup: Setup, spent: Cost) -> None:
        self.spent = spent
        self.over_budget = ""
        self._setup = setup
        self._estimate = TokenEstimate()
        self._taken = {digest(key) for key in setup.ledger.open_keys()}
        self._waiting = Cost()
        self._too_large: set[str] = set()
        self._file: InputFile | None = None
        self._service: BatchService | None = None
        self._stage = ""

    def take(self, key: str, request: Request, stage: str) -> str:
        """Take a request, unless it is under way or the budget does not allow it.

        Returns:
            Why the request will never be answered, or an empty string.

        Raises:
            GovernanceError: data may not go there, or not to a service that stores it.
            ConfigError: a parameter of the request cannot be sent.
            StorageError: the disk refuses.
        """
        if key in self._setup.ledger.failed:
            return self._setup.ledger.failed[key]
        if digest(key) in self._taken:
            return ""
        size, images = prompt_size(request)
        prompt, output = self._estimate.prompt(size, images), max_output(request)
        money = cost(Usage(prompt, output), self._setup.config.prices, batch=True)
        worst = Cost(1, prompt + output, money)
        if not self._allowed(worst):
            return ""
        if key in self._too_large or not self._write(key, request, stage, worst.tokens):
            self._too_large.add(key)
            return "too_large"
        self._taken.add(digest(key))
        self._waiting += worst
        return ""

    def finish(self) -> None:
        """Close the file being written; it is a job from here on."""
        if self._file is None or self._service is None:
            return
        file, self._file = self._file, None
        file.finish()
        self._setup.ledger.prepare(
            file.path.stem,
            deployment=self._service.deployment.label,
            stage=self._stage,
            lines=file.lines,
            tokens=file.tokens,
        )

    def forget(self, spent: Cost) -> None:
        """All jobs are done: what they left open may be taken again."""
        self._taken.clear()
        self._waiting = Cost()
        self.spent = spent
        self.over_budget = ""

    def discard(self) -> None:
        """Drop the file being written."""
        if self._file is not None:
            self._file.discard()
            self._file = None

    def _write(self, key: str, request: Request, stage: str, tokens: int) -> bool:
        """Add the request's line; False if no file can hold it."""
        line, service = self._line(key, request)
        if self._file is not None and self._is_full(len(line), tokens, stage):
            self.finish()
            line, service = self._line(key, request)  # the next job may go elsewhere
        if len(line) > self._setup.settings.max_bytes:
            return False
        if self._file is None:
            self._file = InputFile(self._setup.folder / f"{self._setup.new_name()}.jsonl")
            self._service, self._stage = service, stage
        self._file.add(line, tokens)
        return True

    def _line(self, key: str, request: Request) -> tuple[bytes, BatchService]:
        service = self._service
        if self._file is None or service is None:
            deployments = self._setup.config.deployments
            turn = len(self._setup.ledger.jobs) % len(deployments)
            service = self._setup.services[deployments[turn].label]
        self._setup.gate.check(service.deployment, "batch")
        return request_line(key, request, service.deployment, service.chat_url), service

    def _is_full(self, size: int, tokens: int, stage: str) -> bool:
        file, limits = self._file, self._setup.settings
        return file is not None and (
            stage != self._stage
            or file.lines >= limits.max_lines
            or file.bytes + size > limits.max_bytes
            or (
                limits.enqueued_tokens is not None and file.tokens + tokens > limits.enqueued_tokens
            )
        )

    def _allowed(self, worst: Cost) -> bool:
        total, budget = self.spent + self._waiting + worst, self._setup.config.budget
        for name in ("requests", "tokens", "money"):
            limit = getattr(budget, name)
            if limit is not None and getattr(total, name) > limit:
                self.over_budget = f"{limit:g} {name}"
                return False
        return True


def digest(key: str) -> bytes:
    """16 bytes that stand for a key where many are held."""
    return bytes.fromhex(key[:32])
