"""How batch jobs are cut and watched; the ``batch`` part of a backend."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class BatchConfig(BaseModel):
    """Limits of the services and habits of this run.

    Attributes:
        max_lines: requests of one input file (Azure and OpenAI: 100,000).
        max_bytes: size of one input file (200 MB).
        enqueued_tokens: tokens that waiting and running jobs may hold together: the quota of the
            deployment, or the share of it that this run may use. None leaves it to the service.
        poll_seconds: time between two looks at a job; services ask for a minute or more.
        attempts: jobs a request may be part of before it counts as failed.
        patience_minutes: without any answer of the service for so long the run stops, resumable.
        delete_files: delete input, output and error files at the service once they were fetched;
            for credentialed data they are deleted in any case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    max_lines: Annotated[int, Field(ge=1, le=100_000)] = 100_000
    max_bytes: Annotated[int, Field(ge=1_000, le=200_000_000)] = 200_000_000
    enqueued_tokens: Annotated[int, Field(ge=1)] | None = None
    poll_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    attempts: Annotated[int, Field(ge=1, le=10)] = 3
    patience_minutes: Annotated[float, Field(gt=0)] = 30.0
    delete_files: bool = True
