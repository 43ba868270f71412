"""Takes batch jobs from a prepared file to answers in the journal, one recorded step at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.core.errors import BackendError, ConfigError, Stopped
from pipeline.llm.backends.base import FaultKind
from pipeline.llm.backends.batch import BatchService, JobView, Problem, ServiceProblem
from pipeline.llm.batch_files import copy_lines, keys_in, read_results
from pipeline.llm.batch_intake import Setup, digest
from pipeline.llm.batch_ledger import Job, State
from pipeline.llm.journal import Entry, Journal
from pipeline.llm.prices import cost
from pipeline.llm.types import Reply

log = logging.getLogger(__name__)

MOST_REFUSALS = 8
"""So often a job may be refused for its enqueued tokens while none of ours waits beside it."""
LONGEST_REFUSAL_WAIT_S = 3600.0

_HINTS = {
    "token_limit_exceeded": "set batch.enqueued_tokens below the quota of the deployment",
    "model_not_found": "the deployment must be of a batch type (GlobalBatch, DataZoneBatch)",
    "no_batch_service": "the address has no Batch API; set mode: live",
    "no_file_service": "the address has no Files API; set mode: live",
}
_GONE = {
    State.PREPARED: _HINTS["no_file_service"],
    State.UPLOADED: _HINTS["no_batch_service"],
    State.CREATED: "the service does not know the job; correct the address, or remove the folder "
    "batches of the run to give it up with what was paid for it",
}
"""What 404 means at each state."""


class JobDriver:
    """Moves the jobs of a ledger forward.

    Args:
        setup: what the run shares.
        journal: takes the answers.
        clock: monotonic seconds.
    """

    def __init__(self, setup: Setup, journal: Journal, clock: Callable[[], float]) -> None:
        self._setup = setup
        self._ledger = setup.ledger
        self._journal = journal
        self._clock = clock
        self._heard = clock()
        self._missed: set[str] = set()
        self._not_before: dict[str, float] = {}

    async def step(self, job: Job) -> bool:
        """Take the next step of a job if it can be taken. Returns whether it got anywhere.

        Raises:
            Stopped: the service is away, or a person cancelled the job; run again to go on.
            BackendError: the service refuses the job as configured.
            GovernanceError: data may not go there.
        """
        before = job.state
        try:
            await self._advance(job)
        except ServiceProblem as error:
            problem = error
        else:
            self._heard = self._clock()
            return job.state is not before
        self._cope(job, problem)
        return False

    def _cope(self, job: Job, problem: ServiceProblem) -> None:
        """What to do after a call that failed: mostly nothing, the step is taken again later."""
        where = f"batch job {job.name} at {job.deployment}"
        log.warning("%s, %s: %s", where, job.state.value, problem)
        if problem.kind is Problem.LATER:
            self._heard = self._clock()
        elif problem.kind is Problem.UNSURE:
            if self._clock() - self._heard > self._setup.settings.patience_minutes * 60:
                raise Stopped(f"{where}: no answer ({problem.code}); run again to go on")
        else:
            hint = _hint(problem.code)
            if problem.kind is Problem.GONE:
                hint = f"; {_GONE[job.state]}" if job.state in _GONE else ""
            raise BackendError(problem.code, f"{where}: {problem.code}{hint}")

    async def _advance(self, job: Job) -> None:
        service = self._setup.services.get(job.deployment)
        if service is None and job.state is State.PREPARED:
            self._ledger.record(job, State.CLOSED)  # nothing left this machine: it is taken anew
            return
        if service is None:
            raise ConfigError(
                f"batch job {job.name} is at {job.deployment}, which the recipe no longer names; "
                "put it back until the job is fetched"
            )
        match job.state:
            case State.PREPARED | State.UPLOADING:
                await self._upload(job, service)
            case State.UPLOADED | State.CREATING:
                await self._create(job, service)
            case State.CREATED:
                await self._poll(job, service)
            case State.ENDED:
                await self._merge(job, service)
            case State.MERGED:
                await self._finish(job, service)

    async def _upload(self, job: Job, service: BatchService) -> None:
        if not self._has_room(job):
            return
        self._setup.gate.check(service.deployment, "files")
        file = None
        if job.state is State.UPLOADING:
            file = await service.find_file(f"{job.name}.jsonl")
            if file is None and self._first_miss(job):
                return
        else:
            self._ledger.record(job, State.UPLOADING)
        if file is None:
            try:
                file = await service.upload(self._ledger.path(job), f"{job.name}.jsonl")
            except ServiceProblem as error:
                if error.kind is not Problem.UNSURE:
                    self._ledger.record(job, State.PREPARED)
                raise
        self._ledger.record(job, State.UPLOADED, file=file)

    async def _create(self, job: Job, service: BatchService) -> None:
        if not self._has_room(job) or self._clock() < self._not_before.get(job.name, 0.0):
            return
        self._setup.gate.check(service.deployment, "batch")
        view = None
        if job.state is State.CREATING:
            view = await service.find_job(job.file, besides=job.dead)
            if view is None and self._first_miss(job):
                return
        elif await self._is_ready(job, service):
            self._ledger.record(job, State.CREATING)
        else:
            return
        if view is None:
            try:
                view = await service.create(job.file)
            except ServiceProblem as error:
                if error.kind is Problem.LATER:
                    self._refused(job, error.code)
                elif error.kind is not Problem.UNSURE:
                    self._ledger.record(job, State.UPLOADED)
                raise
        self._ledger.record(job, State.CREATED, batch=view.id)
        log.info("batch job %s: %d requests submitted as %s", job.name, job.lines, view.id)

    async def _is_ready(self, job: Job, service: BatchService) -> bool:
        """Whether a job can be made of the stored file; one that has expired is stored anew."""
        try:
            return await service.is_ready(job.file)
        except ServiceProblem as error:
            if error.kind is not Problem.GONE:
                raise
            self._ledger.record(job, State.PREPARED, file="")
            return False

    async def _poll(self, job: Job, service: BatchService) -> None:
        view = await service.job(job.batch)
        log.debug("batch job %s: %s, %d of %d", job.name, view.status, view.done, job.lines)
        if not view.ended:
            return
        log.info("batch job %s: %s", job.name, view.status)
        if view.status != "failed":
            self._ledger.record(job, State.ENDED, status=view.status, outputs=list(view.outputs))
        elif "token_limit_exceeded" in view.codes:
            self._refused(job, "token_limit_exceeded", view)
        else:
            # Refused in validation: nothing ran and nothing is paid.
            self._ledger.record(job, State.MERGED, status=view.status, missing=0)
            await self._finish(job, service)
            code = view.codes[0] if view.codes else "failed"
            raise BackendError(code, f"{job.deployment}: batch job failed: {code}{_hint(code)}")

    def _refused(self, job: Job, code: str, view: JobView | None = None) -> None:
        """The service took no job: try again with the same file after a while."""
        dead = [*job.dead, view.id] if view is not None else job.dead
        refused = job.refused + (code == "token_limit_exceeded")
        wait = min(self._setup.settings.poll_seconds * 2**refused, LONGEST_REFUSAL_WAIT_S)
        self._not_before[job.name] = self._clock() + wait
        self._ledger.record(job, State.UPLOADED, batch="", dead=dead, refused=refused)
        if refused > MOST_REFUSALS and not self._enqueued_beside(job):
            # The next run takes its requests anew and cuts them by its own settings.
            self._ledger.record(job, State.MERGED, status="refused", missing=0)
            raise Stopped(
                f"{job.deployment}: {job.tokens} enqueued tokens are too many{_hint(code)}"
            )

    async def _merge(self, job: Job, service: BatchService) -> None:
        """Put what the job answered into the journal; the rest is missing, or failed for good."""
        keys = list(keys_in(self._ledger.path(job)))
        mine = {digest(key) for key in keys}
        faults: dict[str, tuple[FaultKind, str]] = {}
        for number, file in enumerate(job.outputs):
            path = self._ledger.path(job, f"{number}.out")
            if await self._download(service, file, path):
                await self._keep(self._replies(path, mine, faults), job)
        missing = [key for key in keys if key not in self._journal]
        fatal = next((code for kind, code in faults.values() if kind is FaultKind.FATAL), "")
        last = job.attempt >= self._setup.settings.attempts and job.status != "cancelled"
        failed = {}
        for key in missing:
            kind, code = faults.get(key, (FaultKind.TRANSIENT, "no_answer"))
            if not fatal and (last or kind is FaultKind.REJECTED):
                failed[key] = code
        left = 0 if fatal else len(missing) - len(failed)
        self._ledger.record(job, State.MERGED, missing=left, failed=failed)
        log.info(
            "batch job %s: %d answered, %d missing, %d failed",
            job.name,
            job.lines - len(missing),
            left,
            len(failed),
        )
        if fatal:
            await self._finish(job, service)
            raise BackendError(fatal, f"{job.deployment}: batch lines failed: {fatal}")

    def _replies(
        self, path: Path, mine: set[bytes], faults: dict[str, tuple[FaultKind, str]]
    ) -> Iterator[tuple[str, Reply]]:
        """Replies of a result file that the journal does not have; faults are noted aside."""
        for key, attempt in read_results(path):
            if digest(key) not in mine:
                continue
            if attempt.fault is not None:
                faults[key] = attempt.fault.kind, attempt.fault.code
            elif attempt.reply is not None and key not in self._journal:
                yield key, attempt.reply

    async def _keep(self, replies: Iterator[tuple[str, Reply]], job: Job) -> None:
        """Put replies into the journal; they are on the disk when this returns."""
        last: Entry | None = None
        for key, reply in replies:
            if last is not None:
                self._journal.append(last)
            money = cost(reply.usage, self._setup.config.prices, batch=True)
            run = self._journal.run
            last = Entry(key, reply, run, job.stage, job.deployment, money)
        if last is not None:
            await self._journal.write(last)  # its fsync covers the others

    async def _download(self, service: BatchService, file: str, path: Path) -> bool:
        try:
            await service.download(file, path)
        except ServiceProblem as error:
            if error.kind is not Problem.GONE:
                raise
            log.warning("result file %s is gone at the service; its requests are sent again", file)
            return False
        return True

    async def _finish(self, job: Job, service: BatchService) -> None:
        """Delete what the service stored, then close the job or repeat what is missing."""
        if self._setup.settings.delete_files or self._setup.gate.strict:
            for file in filter(None, (job.file, *job.outputs)):
                if file not in job.deleted:
                    result = await self._delete(service, file)
                    deleted = {**job.deleted, file: result}
                    self._ledger.record(job, State.MERGED, deleted=deleted)
        cancelled = job.status == "cancelled" and job.missing
        if job.missing and not cancelled:
            self._repeat(job)
        else:
            self._ledger.record(job, State.CLOSED)
        self._ledger.sweep()
        if cancelled:
            raise Stopped(
                f"batch job {job.batch} was cancelled at the service; what it finished is kept, "
                f"run again to submit the other {job.missing} requests"
            )

    async def _delete(self, service: BatchService, file: str) -> str:
        try:
            await service.delete(file)
        except ServiceProblem as error:
            if error.kind is Problem.GONE:
                return "gone"
            if error.kind is not Problem.FATAL:
                raise
            log.warning("file %s at %s: not deleted: %s", file, service.deployment.label, error)
            return error.code
        return "deleted"

    def _repeat(self, job: Job) -> None:
        """Make a new job of the requests without an outcome; the old one is closed with it."""
        name = self._setup.new_name()
        lines = copy_lines(
            self._ledger.path(job),
            self._setup.folder / f"{name}.jsonl",
            lambda key: key not in self._journal and key not in job.failed,
        )
        self._ledger.prepare(
            name,
            replaces=job.name,
            deployment=job.deployment,
            stage=job.stage,
            lines=lines,
            tokens=job.tokens * lines // job.lines,
            attempt=job.attempt + 1,
        )

    def _has_room(self, job: Job) -> bool:
        limit, beside = self._setup.settings.enqueued_tokens, self._enqueued_beside(job)
        return limit is None or not beside or beside + job.tokens <= limit

    def _enqueued_beside(self, job: Job) -> int:
        return sum(
            other.tokens
            for other in self._ledger.open_jobs()
            if other is not job and other.enqueued and other.deployment == job.deployment
        )

    def _first_miss(self, job: Job) -> bool:
        """Whether to look for an earlier attempt once more: the service's lists may lag behind."""
        if job.name in self._missed:
            self._missed.discard(job.name)
            return False
        self._missed.add(job.name)
        return True


def _hint(code: str) -> str:
    return f"; {_HINTS[code]}" if code in _HINTS else ""
