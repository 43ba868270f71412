"""What a stage is.

A record stage turns one record into any number of records, or rejects it; it may ask a model
through ``ask``. It is one coroutine for every way of running it: on the event loop against a model,
or straight through in a worker process when nothing has to be awaited.

A set stage sees all rows of its input at once (pairing, deduplication, splitting) and asks nothing.

A stage never knows about files, HTTP, retries, caches or another stage.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Protocol, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from pipeline.core.records import Record
from pipeline.llm.types import Ask


class StageParams(BaseModel):
    """Parameters of a stage as a recipe gives them; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    def files(self) -> tuple[str, ...]:
        """Files and folders of the user's whose content changes the result."""
        return ()

    def data_folders(self) -> tuple[str, ...]:
        """Folders of data that is read besides the source; the strictest class of all holds."""
        return ()

    def missing(self, stage: str) -> str:
        """What a stage of this name still needs and how to give it; "" where it can be run.

        Asked before the first stage is run, so that nothing is paid for in vain.
        """
        return ""


class LibsParams(StageParams):
    """Parameters of a stage that reads libraries of the user's.

    Attributes:
        libs: folder with dictionaries, reviewers' sheets or published libraries
            (``docs/libraries.md``); relative to where the command runs.
    """

    libs: str | None = None

    def files(self) -> tuple[str, ...]:
        """The folder."""
        return () if self.libs is None else (self.libs,)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that a stage could not or should not make.

    Attributes:
        reason: the class, one short word with underscores; ``retry --only`` takes it.
        detail: ids, counts, codes; never text of a note or an answer.
        failed: False where leaving it out is the right result (a lateral view has no view
            question); such a row is listed as ``filtered`` and does not change the exit code.
        attempts: requests made for it.
    """

    reason: str
    detail: str = ""
    failed: bool = True
    attempts: int = 1


Result: TypeAlias = Sequence[Record] | Reject

P = TypeVar("P", bound=StageParams)


class RecordStage(ABC, Generic[P]):
    """One record in, any number of records out.

    Attributes:
        name: what a recipe calls it.
        params_type: its parameters.
        asks: whether it asks a model, and so needs a backend.
        fans_out: whether one record becomes several; then their ids are derived from its own.
        libs: files of ``libs/`` whose content changes the result.
        prompts: templates and other files of ``prompts/`` it uses.
    """

    name: ClassVar[str]
    params_type: ClassVar[type[StageParams]] = StageParams
    asks: ClassVar[bool] = False
    fans_out: ClassVar[bool] = False
    libs: ClassVar[tuple[str, ...]] = ()
    prompts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: P) -> None:
        self.params = params

    @abstractmethod
    async def process(self, record: Record, ask: Ask) -> Result:
        """Make records of one record; a :class:`~pipeline.core.errors.DataError` rejects it."""


class Rows(Protocol):
    """The rows of a set stage's input: read as often as needed, never all in memory."""

    def __iter__(self) -> Iterator[Record]:
        """All rows in input order."""
        ...

    def at(self, position: int) -> Record:
        """The row with this number, counted from 0."""
        ...


class SetStage(ABC, Generic[P]):
    """All rows in, each row answered in input order with records or a reject."""

    name: ClassVar[str]
    params_type: ClassVar[type[StageParams]] = StageParams
    fans_out: ClassVar[bool] = False
    libs: ClassVar[tuple[str, ...]] = ()
    prompts: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: P) -> None:
        self.params = params

    @abstractmethod
    def process(self, rows: Rows) -> Iterator[Result]:
        """One result for every row of ``rows``, in their order."""

    def leftovers(self) -> Iterator[Record] | None:
        """What the stage met beside its rows and none of them used, once all are answered.

        Written to ``unused.jsonl`` and counted; None where there is no such thing.
        """
        return None
