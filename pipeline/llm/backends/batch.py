"""The Files and Batch services through the openai SDK, as plain values and one kind of error.

The SDK is imported when a job is first talked about. Its client gets a transport of ours: no
redirects, nothing from the environment, no retries of its own. Its errors hold the request, and so
notes; none of them leaves this file.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncGenerator, Awaitable, Collection, Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.core.atomic import open_private
from pipeline.core.errors import StorageError
from pipeline.llm.backends import azure, openai
from pipeline.llm.backends.credentials import Credentials
from pipeline.llm.config import DeploymentConfig

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

T = TypeVar("T")

CALL_TIMEOUT_S = 900.0
"""Deadline of one call: an upload of 200 MB at 2 Mbit/s."""
EXPIRES_AFTER_S = 1_209_600
"""Stored files end after 14 days by themselves, should deleting them fail."""

_SENT_HEADERS = frozenset(
    {"host", "accept", "accept-encoding", "connection", "content-type", "content-length",
     "transfer-encoding"}
)  # fmt: skip
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


class Problem(StrEnum):
    """What a failed call means."""

    UNSURE = "unsure"
    """It may have happened or not: no answer, or a server error. Look before trying again."""
    LATER = "later"
    """It did not happen and may later: too many calls, too many enqueued tokens."""
    GONE = "gone"
    """There is no such file or job."""
    FATAL = "fatal"
    """It cannot happen as configured."""


class ServiceProblem(Exception):
    """A call that failed; ``code`` is short and safe to log."""

    def __init__(self, kind: Problem, code: str) -> None:
        super().__init__(f"{kind.value}: {code}")
        self.kind = kind
        self.code = code


@dataclass(frozen=True, slots=True)
class JobView:
    """A job as the service reports it.

    Attributes:
        id: its id.
        status: ``validating``, ``in_progress``, ..., ``completed``, ``failed``, ``expired``,
            ``cancelled``.
        outputs: ids of output and error file, as far as there are any.
        codes: error codes of a failed job.
        done: lines finished, well or not.
    """

    id: str
    status: str
    outputs: tuple[str, ...]
    codes: tuple[str, ...]
    done: int

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in ("completed", "failed", "expired", "cancelled")


class BatchService:
    """Files and jobs at one deployment's address."""

    def __init__(self, deployment: DeploymentConfig, credentials: Credentials) -> None:
        self.deployment = deployment
        self.chat_url = (
            "/chat/completions" if deployment.api_version is not None else "/v1/chat/completions"
        )
        self._credentials = credentials
        self._client: AsyncOpenAI | None = None

    async def upload(self, path: Path, name: str) -> str:
        """Store an input file under ``name``; its id."""
        options: dict[str, Any] = {}
        if self.deployment.api_version is None:  # the dated surface does not know it
            options["expires_after"] = {"anchor": "created_at", "seconds": EXPIRES_AFTER_S}
        with path.open("rb") as file:
            stored = await self._call(
                self._sdk().files.create(file=(name, file), purpose="batch", **options)
            )
        return _id_of(stored)

    async def find_file(self, name: str) -> str | None:
        """Id of the stored file with this name."""

        async def find() -> str | None:
            async for stored in self._sdk().files.list(purpose="batch", limit=100):
                if stored.filename == name:
                    return stored.id
            return None

        return await self._call(find())

    async def is_ready(self, file: str) -> bool:
        """Whether a job can be made of the file."""
        stored = await self._call(self._sdk().files.retrieve(file))
        return getattr(stored, "status", "") not in ("pending", "running")

    async def create(self, file: str) -> JobView:
        """Submit a job: from here on it costs money."""
        options: dict[str, Any] = {}
        if self.deployment.api_version is None:
            options["output_expires_after"] = {"anchor": "created_at", "seconds": EXPIRES_AFTER_S}
        endpoint: Any = self.chat_url
        job = await self._call(
            self._sdk().batches.create(
                input_file_id=file, endpoint=endpoint, completion_window="24h", **options
            )
        )
        return _view(job)

    async def find_job(self, file: str, besides: Collection[str] = ()) -> JobView | None:
        """A job made of the file, besides those with the given ids."""

        async def find() -> JobView | None:
            async for job in self._sdk().batches.list(limit=100):
                if job.input_file_id == file and job.id not in besides:
                    return _view(job)
            return None

        return await self._call(find())

    async def job(self, batch: str) -> JobView:
        """The job as it is now."""
        return _view(await self._call(self._sdk().batches.retrieve(batch)))

    async def download(self, file: str, path: Path) -> None:
        """Fetch a stored file into ``path``, readable by its owner alone.

        Raises:
            StorageError: the disk refuses.
        """

        async def fetch() -> None:
            descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            with os.fdopen(descriptor, "wb") as target:
                content = self._sdk().files.with_streaming_response.content(file)
                async with content as response:
                    async for block in response.iter_bytes():
                        target.write(block)

        try:
            await self._call(fetch())
        except OSError as error:
            raise StorageError(f"{path}: cannot write: {error.strerror}") from None

    async def delete(self, file: str) -> None:
        """Delete a stored file."""
        await self._call(self._sdk().files.delete(file))

    async def close(self) -> None:
        """Close connections and credentials."""
        if self._client is not None:
            await self._client.close()
        await self._credentials.close()

    async def _call(self, call: Awaitable[T]) -> T:
        """Await a call of the SDK.

        Raises:
            ServiceProblem: it failed; holds nothing of the request or the SDK's own error.
        """
        import httpx2
        from openai import APIStatusError, OpenAIError

        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                return await call
        except APIStatusError as error:
            problem = _classify(error.status_code, error.code)
        except (OpenAIError, httpx2.HTTPError, httpx2.StreamError, TimeoutError) as error:
            problem = ServiceProblem(Problem.UNSURE, type(error).__name__)
        except (ValueError, TypeError, AttributeError):
            # The SDK hands on whatever a wrong address answers, and stumbles over it.
            problem = ServiceProblem(Problem.UNSURE, "unreadable_answer")
        raise problem  # outside the handlers, so that it does not carry the SDK's error along

    def _sdk(self) -> AsyncOpenAI:
        if self._client is None:
            import httpx2
            from openai import AsyncOpenAI

            deployment = self.deployment
            dialect = azure if deployment.kind == "azure" else openai
            version = deployment.api_version
            self._client = AsyncOpenAI(
                base_url=dialect.base_url(deployment),
                api_key="unused",
                organization="",
                project="",
                max_retries=0,
                default_query={"api-version": version} if version else None,
                http_client=httpx2.AsyncClient(
                    auth=_signed_by(self._credentials),
                    # Plain http is loopback only; loading certificates it cannot use takes 0.1 s.
                    verify=deployment.url.startswith("https:"),
                    trust_env=False,
                    follow_redirects=False,
                    timeout=httpx2.Timeout(120.0, connect=15.0),
                ),
            )
        return self._client


def _signed_by(credentials: Credentials) -> httpx2.Auth:
    """Signs requests, and drops headers that the SDK adds of its own or from the environment."""
    import httpx2

    class Signed(httpx2.Auth):
        async def async_auth_flow(
            self, request: httpx2.Request
        ) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
            for name in list(request.headers):
                if name.lower() not in _SENT_HEADERS:
                    del request.headers[name]
            request.headers["User-Agent"] = "cxr-pipeline"
            request.headers.update(await credentials.headers())
            yield request

        def sync_auth_flow(
            self, request: httpx2.Request
        ) -> Generator[httpx2.Request, httpx2.Response, None]:
            raise RuntimeError("asynchronous use only")

    return Signed()


def _classify(status: int, code: str | None) -> ServiceProblem:
    name = code if isinstance(code, str) and _SAFE.fullmatch(code) else f"http_{status}"
    if name == "token_limit_exceeded" or status == 429:
        return ServiceProblem(Problem.LATER, name)
    if status == 404:
        return ServiceProblem(Problem.GONE, name)
    if status >= 500 or status in (408, 409):
        return ServiceProblem(Problem.UNSURE, name)
    return ServiceProblem(Problem.FATAL, name)


def _id_of(stored: Any) -> str:
    if not isinstance(getattr(stored, "id", None), str):
        raise ServiceProblem(Problem.FATAL, "no_file_service")
    name: str = stored.id
    return name


def _view(job: Any) -> JobView:
    if not isinstance(getattr(job, "id", None), str):
        raise ServiceProblem(Problem.FATAL, "no_batch_service")
    counts = job.request_counts
    status = "cancelled" if job.status == "canceled" else job.status
    errors = job.errors.data or [] if job.errors is not None else []
    codes = [error.code for error in errors if error.code and _SAFE.fullmatch(error.code)]
    return JobView(
        id=job.id,
        status=str(status),
        outputs=tuple(file for file in (job.output_file_id, job.error_file_id) if file),
        codes=tuple(dict.fromkeys(codes)),
        done=(counts.completed + counts.failed) if counts is not None else 0,
    )
