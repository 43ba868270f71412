"""The Files and Batch half of the test server: uploads, jobs that advance when polled, results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import orjson
from aiohttp import web

from tests.support import model_server_replies as replies

LineFate = Literal["ok", "error", "filtered", "lost"]
AnswerLine = Callable[[Mapping[str, Any]], dict[str, Any]]
T = TypeVar("T")

_CREATED = 1_795_000_000
_ENDED = frozenset({"completed", "failed", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What becomes of one job.

    Attributes:
        outcome: the final status.
        steps: the statuses before it, one per poll.
        fate: what becomes of a line, by its ``custom_id``: answered, answered with an error of
            status 500 in the error file, blocked by the filter (status 400), or in neither file.
        finished: share of the lines that an expired or cancelled job has done.
        error_code: of a failed job.
        output_file: False for a completed job that has an error file only.
    """

    outcome: str = "completed"
    steps: tuple[str, ...] = ("validating", "in_progress", "finalizing")
    fate: Callable[[str], LineFate] = lambda _: "ok"
    finished: float = 0.5
    error_code: str = "invalid_request"
    output_file: bool = True


@dataclass(slots=True)
class StoredFile:
    """A file as the service holds it."""

    id: str
    filename: str
    purpose: str
    content: bytes
    expires_after: int | None = None
    pending_polls: int = 0

    def as_json(self) -> dict[str, Any]:
        """The file object of the API."""
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": _CREATED,
            "expires_at": None if self.expires_after is None else _CREATED + self.expires_after,
            "filename": self.filename,
            "purpose": self.purpose,
            "status": "pending" if self.pending_polls else "processed",
        }


@dataclass(slots=True)
class StoredBatch:
    """A job as the service holds it."""

    id: str
    input_file_id: str
    endpoint: str
    plan: BatchPlan
    tokens: int
    status: str = "validating"
    polls: int = 0
    output_file_id: str | None = None
    error_file_id: str | None = None
    errors: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(
        default_factory=lambda: {"total": 0, "completed": 0, "failed": 0}
    )

    def as_json(self) -> dict[str, Any]:
        """The batch object of the API."""
        return {
            "id": self.id,
            "object": "batch",
            "endpoint": self.endpoint,
            "input_file_id": self.input_file_id,
            "completion_window": "24h",
            "created_at": _CREATED,
            "status": self.status,
            "output_file_id": self.output_file_id,
            "error_file_id": self.error_file_id,
            "errors": {"object": "list", "data": self.errors} if self.errors else None,
            "request_counts": self.counts,
        }


@dataclass(slots=True)
class BatchService:
    """Files and jobs in memory.

    Attributes:
        plans: of the next jobs in order of creation, then :attr:`default_plan`.
        enqueued_limit: tokens (estimated) that queued and running jobs may hold together.
        fail_fast: a job over the limit is refused at once instead of failing in validation.
        pending_polls: how often a new file says ``pending``.
        calls: method and kind of every call, such as ``POST batches``.
        faults: HTTP status of the next calls, 0 for none.
        submitted: how often each ``custom_id`` was submitted in a job that was accepted.
        deleted: ids of deleted files.
    """

    plans: deque[BatchPlan] = field(default_factory=deque)
    default_plan: BatchPlan = field(default_factory=BatchPlan)
    enqueued_limit: int | None = None
    fail_fast: bool = False
    pending_polls: int = 0
    calls: list[str] = field(default_factory=list)
    faults: deque[int] = field(default_factory=deque)
    files: dict[str, StoredFile] = field(default_factory=dict)
    batches: dict[str, StoredBatch] = field(default_factory=dict)
    submitted: dict[str, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    _made: int = 0

    async def handle(
        self,
        request: web.BaseRequest,
        kind: str,
        rest: list[str],
        chat_url: str,
        answer: AnswerLine,
    ) -> web.Response:
        """Answer one call; ``chat_url`` is what lines and jobs must name as their endpoint."""
        self.calls.append(" ".join([request.method, kind, *rest[1:]]))
        if self.faults and (status := self.faults.popleft()):
            if status == 429:
                return replies.rate_limited("call", 0.05, (), azure=True)
            return replies.server_error(status)
        if kind == "files":
            return await self._files(request, rest)
        return await self._batches(request, rest, chat_url, answer)

    async def _files(self, request: web.BaseRequest, rest: list[str]) -> web.Response:
        if not rest:
            if request.method == "POST":
                return await self._upload(request)
            return _page(request, list(self.files.values()))
        stored = self.files.get(rest[0])
        if stored is None:
            return replies.json_response(replies.error_body("404", "No such File object"), 404)
        if request.method == "DELETE":
            del self.files[stored.id]
            self.deleted.append(stored.id)
            return replies.json_response({"id": stored.id, "object": "file", "deleted": True})
        if rest[1:] == ["content"]:
            return web.Response(body=stored.content, content_type="application/octet-stream")
        stored.pending_polls = max(0, stored.pending_polls - 1)
        return replies.json_response(stored.as_json())

    async def _upload(self, request: web.BaseRequest) -> web.Response:
        form = await request.post()
        upload = form["file"]
        if not isinstance(upload, web.FileField):
            return replies.bad_request("invalidPayload", "file is missing", "file")
        seconds = form.get("expires_after[seconds]")
        stored = self._store(upload.filename, str(form["purpose"]), upload.file.read())
        stored.expires_after = int(str(seconds)) if seconds is not None else None
        stored.pending_polls = self.pending_polls
        return replies.json_response(stored.as_json())

    def _store(self, filename: str, purpose: str, content: bytes) -> StoredFile:
        self._made += 1
        stored = StoredFile(f"file-{self._made}", filename, purpose, content)
        self.files[stored.id] = stored
        return stored

    async def _batches(
        self, request: web.BaseRequest, rest: list[str], chat_url: str, answer: AnswerLine
    ) -> web.Response:
        if not rest:
            if request.method == "POST":
                return self._create(orjson.loads(await request.read()), chat_url)
            return _page(request, list(self.batches.values()))
        batch = self.batches.get(rest[0])
        if batch is None:
            return replies.json_response(replies.error_body("404", "No such Batch object"), 404)
        if rest[1:] == ["cancel"]:
            batch.plan = BatchPlan(outcome="cancelled", steps=(), finished=0.0)
            batch.status = "cancelling"
        else:
            self._advance(batch, answer)
        return replies.json_response(batch.as_json())

    def _create(self, body: Mapping[str, Any], chat_url: str) -> web.Response:
        source = self.files.get(body["input_file_id"])
        if source is None:
            return replies.bad_request("invalid_request", "No such input file", "input_file_id")
        if source.pending_polls:
            return replies.bad_request("invalid_request", "The input file is not processed yet")
        if body["endpoint"] != chat_url or body["completion_window"] != "24h":
            return replies.bad_request("invalid_request", "endpoint or window", "endpoint")
        tokens = len(source.content) // 4
        self._made += 1
        plan = self.plans.popleft() if self.plans else self.default_plan
        batch = StoredBatch(f"batch_{self._made}", source.id, body["endpoint"], plan, tokens)
        code = self._reject(source.content, chat_url) or self._over_limit(tokens)
        if code == "token_limit_exceeded" and self.fail_fast:
            return replies.bad_request(code, "Enqueued token limit reached")
        if code:
            batch.plan = BatchPlan(outcome="failed", steps=("validating",), error_code=code)
        elif plan.outcome != "failed":
            for line in source.content.splitlines():
                custom_id = orjson.loads(line)["custom_id"]
                self.submitted[custom_id] = self.submitted.get(custom_id, 0) + 1
        self.batches[batch.id] = batch
        return replies.json_response(batch.as_json())

    def _over_limit(self, tokens: int) -> str:
        if self.enqueued_limit is None:
            return ""
        held = sum(batch.tokens for batch in self.batches.values() if batch.status not in _ENDED)
        return "token_limit_exceeded" if held + tokens > self.enqueued_limit else ""

    def _reject(self, content: bytes, chat_url: str) -> str:
        """The error code of a file that validation would refuse, or an empty string."""
        if not content:
            return "empty_file"
        lines = content.splitlines()
        if len(lines) > 100_000:
            return "too_many_tasks"
        ids: set[str] = set()
        models: set[str] = set()
        for line in lines:
            try:
                task = orjson.loads(line)
            except orjson.JSONDecodeError:
                return "invalid_json_line"
            if task["url"] != chat_url or task["method"] != "POST":
                return "url_mismatch"
            if task["custom_id"] in ids:
                return "duplicate_custom_id"
            ids.add(task["custom_id"])
            models.add(task["body"]["model"])
        return "model_mismatch" if len(models) > 1 else ""

    def _advance(self, batch: StoredBatch, answer: AnswerLine) -> None:
        if batch.status in _ENDED:
            return
        if batch.polls < len(batch.plan.steps):
            batch.status = batch.plan.steps[batch.polls]
            batch.polls += 1
            return
        batch.status = batch.plan.outcome
        if batch.status == "failed":
            code = batch.plan.error_code
            batch.errors = [{"code": code, "message": code, "line": None, "param": None}]
            return
        self._finish(batch, answer)

    def _finish(self, batch: StoredBatch, answer: AnswerLine) -> None:
        lines = [
            orjson.loads(line) for line in self.files[batch.input_file_id].content.splitlines()
        ]
        done = len(lines)
        if batch.status in ("expired", "cancelled"):
            done = int(len(lines) * batch.plan.finished)
        output: list[bytes] = []
        errors: list[bytes] = []
        for number, task in enumerate(reversed(lines)):
            custom_id = task["custom_id"]
            fate = batch.plan.fate(custom_id) if number < done else "expired"
            if fate == "ok" and not batch.plan.output_file:
                fate = "error"
            if fate == "ok":
                output.append(_line(custom_id, 200, answer(task["body"])))
            elif fate == "filtered":
                errors.append(_line(custom_id, 400, replies.blocked_prompt_error()))
            elif fate == "error":
                errors.append(_line(custom_id, 500, replies.error_body("500", "server error")))
            elif fate == "expired" and batch.status == "expired":
                error = {"code": "batch_expired", "message": "This request could not be executed"}
                errors.append(_line(custom_id, None, None, error))
        batch.counts = {"total": len(lines), "completed": len(output), "failed": len(errors)}
        if batch.plan.output_file:
            batch.output_file_id = self._store("output.jsonl", "batch_output", b"".join(output)).id
        batch.error_file_id = self._store("error.jsonl", "batch_output", b"".join(errors)).id


def _line(
    custom_id: str, status: int | None, body: Any, error: Mapping[str, Any] | None = None
) -> bytes:
    response = None
    if status is not None:
        response = {"status_code": status, "request_id": f"req-{custom_id[:8]}", "body": body}
    value = {"id": "x", "custom_id": custom_id, "response": response, "error": error}
    return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)


def _page(request: web.BaseRequest, items: list[Any]) -> web.Response:
    """A page of a list, newest first, as ``after`` and ``limit`` ask for it."""
    items = items[::-1]
    after = request.query.get("after")
    if after:
        ids = [item.id for item in items]
        items = items[ids.index(after) + 1 :] if after in ids else []
    limit = int(request.query.get("limit", "20"))
    page = items[:limit]
    body = {
        "object": "list",
        "data": [item.as_json() for item in page],
        "first_id": page[0].id if page else None,
        "last_id": page[-1].id if page else None,
        "has_more": len(items) > limit,
    }
    return replies.json_response(body)
