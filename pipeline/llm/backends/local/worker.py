"""The thread that owns a model: takes jobs, generates them together, hands answers back."""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path

from pipeline.core.errors import ConfigError, DataError
from pipeline.llm.backends.base import Attempt, Fault, FaultKind
from pipeline.llm.backends.local.decode import Decoder
from pipeline.llm.backends.local.load import Loaded, Note, let_go, load
from pipeline.llm.backends.local.memory import out_of_memory, release_memory
from pipeline.llm.backends.local.prompt import Unacceptable, make_prompt, read_wishes
from pipeline.llm.backends.local.rows import Job, Row, Text
from pipeline.llm.backends.local.schedule import Limits, next_group
from pipeline.llm.backends.local.schema import Grammars
from pipeline.llm.images import load_image
from pipeline.llm.local_config import LocalModelConfig

GATHER_S, QUIET_S = 0.05, 0.005
"""A first batch waits for jobs that come together: until none came for a moment."""


class Worker:
    """Generates with one model until it is closed; the model is loaded when the first job comes.

    Args:
        config: the model.
        name: of the model, for replies.
        note: takes what the user should know, from the thread.
    """

    def __init__(self, config: LocalModelConfig, name: str, note: Note) -> None:
        self._config = config
        self._name = name
        self._note = note
        self._intake: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._waiting: list[Row] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Put a job into the queue."""
        self._intake.put(job)

    def close(self, patience_s: float) -> None:
        """Stop after the step under way; nobody is answered any more."""
        self._closing = True
        self._intake.put(None)
        self._thread.join(patience_s)

    def _run(self) -> None:
        first = self._intake.get()
        if first is None:
            return
        self._intake.put(first)
        try:
            loaded = load(self._config, self._note)
            try:
                self._generate(loaded)
            finally:
                let_go(loaded)
        except ConfigError as error:
            self._refuse_all(Fault(FaultKind.FATAL, "model_not_loaded", hint=str(error)))
        except Exception as error:
            hint = f"the model failed with {_where(error)}"
            self._refuse_all(Fault(FaultKind.FATAL, "generation_failed", hint=hint))

    def _refuse_all(self, fault: Fault) -> None:
        """Nothing can be answered: say so to everybody, until the end."""
        for row in self._waiting:
            row.job.answer(Attempt(fault=fault))
        self._waiting.clear()
        while (job := self._intake.get()) is not None:
            job.answer(Attempt(fault=fault))

    def _generate(self, loaded: Loaded) -> None:
        import torch

        limits = Limits(self._config.batch_sequences, loaded.batch_tokens)
        decoder = Decoder(loaded)
        with torch.inference_mode():
            while not self._closing:
                try:
                    self._take_in(loaded, idle=not (decoder.rows or self._waiting))
                    self._advance(decoder, limits)
                    self._let_go(decoder)
                except BaseException:
                    self._waiting += decoder.clear()
                    raise

    def _take_in(self, loaded: Loaded, *, idle: bool) -> None:
        """Make rows of the jobs that came; where nothing is to do, wait for some."""
        until = 0.0
        while not self._closing:
            try:
                if idle and not self._waiting:
                    job = self._intake.get()
                    until = time.monotonic() + GATHER_S
                elif idle and time.monotonic() < until:
                    job = self._intake.get(timeout=QUIET_S)
                else:
                    job = self._intake.get_nowait()
            except queue.Empty:
                return
            if job is None:
                return
            if not job.cancelled and (row := self._row(job, loaded)) is not None:
                self._waiting.append(row)

    def _row(self, job: Job, loaded: Loaded) -> Row | None:
        """The row of a job; None where it was refused."""
        tokenizer = loaded.tokenizer

        def decode(tokens: Sequence[int]) -> str:
            text: str = tokenizer.decode(
                tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
            return text

        try:
            wishes = read_wishes(job.request, self._config)
            prompt = make_prompt(job.request, loaded, self._config)
            matcher = None
            if job.request.schema is not None and self._config.structured == "json_schema":
                if loaded.grammars is None:
                    vocabulary = loaded.model.config.get_text_config().vocab_size
                    loaded.grammars = Grammars(tokenizer, vocabulary, loaded.eos)
                matcher = loaded.grammars.matcher(job.request.schema)
        except Unacceptable as error:
            kind = FaultKind.FATAL if error.everywhere else FaultKind.REJECTED
            fault = Fault(kind, error.code, hint=error.hint, detail=error.detail)
            job.answer(Attempt(fault=fault))
            return None
        except DataError as error:  # a damaged image
            job.fail(error)
            return None
        except ConfigError as error:
            job.answer(Attempt(fault=Fault(FaultKind.FATAL, "not_configured", hint=str(error))))
            return None
        except Exception as error:  # of this request; the others go on
            fault = Fault(FaultKind.REJECTED, "unprocessable", detail=_where(error))
            job.answer(Attempt(fault=fault))
            return None
        wishes.most = min(wishes.most, loaded.context - len(prompt.tokens))
        growing = None
        if wishes.stop or job.listen is not None:
            growing = Text(decode, wishes.stop, job.listen)
        return Row(
            prompt.tokens,
            wishes,
            loaded.eos,
            decode,
            job,
            matcher,
            growing,
            prompt.text,
            prompt.images,
        )

    def _advance(self, decoder: Decoder, limits: Limits) -> None:
        """Start waiting rows, or make one step with those under way."""
        group = next_group(self._waiting, decoder.rows, limits)
        starting = set(map(id, group))
        if group:
            self._waiting = [row for row in self._waiting if id(row) not in starting]
        try:
            if group:
                finished = decoder.start(group, limits.tokens)
            elif decoder.rows:
                finished = decoder.step()
            else:
                return
        except DataError:  # an image that was whole when the request came
            self._waiting = [row for row in group if _readable(row)] + self._waiting
            return
        except Exception as error:
            self._waiting = group + self._waiting
            if not out_of_memory(error):
                raise
        else:
            for row in finished:
                self._answer(row)
            return
        self._shrink(decoder, group, limits)

    def _shrink(self, decoder: Decoder, group: list[Row], limits: Limits) -> None:
        """Memory ran out: smaller batches from now on; what was under way goes on where it is."""
        rows = decoder.rows + group
        tokens = max(len(row.tokens) for row in rows)
        self._waiting = decoder.clear() + self._waiting  # the cache may be half written
        release_memory()
        if len(rows) == 1:
            self._waiting.remove(rows[0])
            detail = f"one answer needs more memory than there is, at {tokens:,} tokens"
            hint = "lower max_tokens or context, or take a smaller dtype"
            fault = Fault(FaultKind.REJECTED, "out_of_memory", hint=hint, detail=detail)
            rows[0].job.answer(Attempt(fault=fault))
            return
        limits.shrink(len(rows), max(row.total for row in rows))
        self._note(
            f"out of memory with {len(rows)} answers at once: now at most {limits.sequences}"
        )

    def _let_go(self, decoder: Decoder) -> None:
        """Drop rows nobody waits for, and those that take too long."""
        self._waiting = [row for row in self._waiting if not row.job.cancelled]
        latest = time.monotonic() - self._config.timeout_s
        leaving = [row for row in decoder.rows if row.job.cancelled or row.began < latest]
        if not leaving:
            return
        decoder.drop(leaving)
        hint = "lower max_tokens, or raise timeout_s"
        for row in leaving:
            row.job.answer(Attempt(fault=Fault(FaultKind.REJECTED, "timeout", hint=hint)))

    def _answer(self, row: Row) -> None:
        if row.finish == "nan":
            hint = "the model gave no numbers; fp16 may overflow, take bf16 or fp32"
            attempt = Attempt(fault=Fault(FaultKind.REJECTED, "not_a_number", hint=hint))
        else:
            attempt = Attempt(row.reply(self._name))
        row.job.answer(attempt)


def _readable(row: Row) -> bool:
    """Whether the images of a row can still be read; else its request has failed."""
    try:
        for part in row.images:
            load_image(part)
    except DataError as error:
        row.job.fail(error)
        return False
    return True


def _where(error: BaseException) -> str:
    """Class and place of an unexpected error; never its message, which may hold text."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
