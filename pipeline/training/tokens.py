"""Samples as tokens: exact counts, labels on the answer alone, kept in the private folder.

The trainer is handed token ids and labels, so that nothing is cut or masked behind our back. They
lie in Arrow files that are read from disk: memory stays flat however large the set is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from pipeline.core.atomic import make_private_dir, open_private, write_json
from pipeline.core.errors import ConfigError
from pipeline.training.data import TrainingSet
from pipeline.training.dialogues import Dialogue
from pipeline.training.templates import Renderer

IGNORED = -100
"""The label of a token that is not learned."""

_BATCH = 1000
COUNTS = "counts.json"


@dataclass(slots=True)
class Counts:
    """What tokenising a part came to.

    Attributes:
        samples: samples kept.
        prompt: tokens of their prompts.
        completion: tokens of their answers, the ones that are learned.
        longest: tokens of the longest one.
        too_long: samples beyond ``max_length``.
        truncated: those of them that were cut; the others were left out.
        cut: tokens that were cut off.
        skipped: reason -> rows that are no sample.
    """

    samples: int = 0
    prompt: int = 0
    completion: int = 0
    longest: int = 0
    too_long: int = 0
    truncated: int = 0
    cut: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Samples left out for their length."""
        return self.too_long - self.truncated


class SampleTokenizer:
    """Makes token ids and labels of dialogues.

    Args:
        tokenizer: with its chat template set.
        max_length: most tokens of a sample.
        too_long: ``truncate`` cuts answers, ``reject`` leaves samples out.
    """

    def __init__(
        self, tokenizer: Any, max_length: int, too_long: Literal["reject", "truncate"]
    ) -> None:
        self._tokenizer = tokenizer
        self._renderer = Renderer(tokenizer)
        self._max = max_length
        self._cuts = too_long == "truncate"

    def encode(self, dialogue: Dialogue) -> tuple[list[int], list[int]]:
        """Ids of the prompt as the model will be asked, and of the answer with its end."""
        before, whole = self._renderer.render(dialogue)
        prompt, everything = self._ids(before), self._ids(whole)
        if everything[: len(prompt)] == prompt:
            answer = everything[len(prompt) :]
        else:
            # A token spans the border; the prompt is kept as it will be asked.
            answer = self._ids(whole[len(before) :])
        if self._tokenizer.eos_token_id not in answer:
            answer.append(self._tokenizer.eos_token_id)
        return prompt, answer

    def rows(self, dialogues: Iterable[Dialogue], counts: Counts) -> Iterator[dict[str, Any]]:
        """``input_ids`` and ``labels`` of the samples that are kept; fills ``counts``."""
        for dialogue in dialogues:
            prompt, answer = self.encode(dialogue)
            length = len(prompt) + len(answer)
            if length > self._max:
                counts.too_long += 1
                room = self._max - len(prompt)
                if not self._cuts or room < 1:
                    continue
                counts.truncated += 1
                counts.cut += length - self._max
                answer = answer[:room]
                length = self._max
            counts.samples += 1
            counts.prompt += len(prompt)
            counts.completion += len(answer)
            counts.longest = max(counts.longest, length)
            yield {
                "input_ids": prompt + answer,
                "labels": [IGNORED] * len(prompt) + answer,
                "length": length,
            }

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


def tokenize_parts(
    data: TrainingSet,
    parts: Iterable[str],
    tokenizer: SampleTokenizer,
    folder: Path,
    key: str,
) -> dict[str, Counts]:
    """Write the tokens of ``parts`` into ``folder``; files that are there for ``key`` are kept.

    Args:
        data: the set.
        parts: names of the parts.
        tokenizer: makes the rows.
        folder: where ``PART.arrow`` files go.
        key: hash of everything that decides the tokens.

    Raises:
        ConfigError: no sample to train on; says why.
    """
    make_private_dir(folder)
    known = _known(folder, key)
    if known is not None:
        return known
    # Until all files are whole, none counts: they may be those of another attempt.
    (folder / COUNTS).unlink(missing_ok=True)
    made: dict[str, Counts] = {}
    for part in parts:
        counts, skipped = Counts(), Counter[str]()
        rows = tokenizer.rows(data.dialogues(part, skipped), counts)
        _write(folder / f"{part}.arrow", rows)
        counts.skipped = dict(skipped.most_common())
        made[part] = counts
    _check(made["train"], data)
    write_json(
        folder / COUNTS, {"key": key, "parts": {part: asdict(one) for part, one in made.items()}}
    )
    return made


def load_rows(folder: Path, part: str) -> Any:
    """The tokens of a part as a ``datasets.Dataset`` that reads its file."""
    import datasets

    return datasets.Dataset.from_file(str(folder / f"{part}.arrow"))


def _known(folder: Path, key: str) -> dict[str, Counts] | None:
    try:
        value = orjson.loads((folder / COUNTS).read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    if value.get("key") != key:
        return None
    return {part: Counts(**one) for part, one in value["parts"].items()}


def _check(counts: Counts, data: TrainingSet) -> None:
    if counts.samples:
        return
    why = ", ".join(f"{number:,} {reason}" for reason, number in counts.skipped.items())
    if counts.too_long:
        raise ConfigError(
            f"all {counts.too_long:,} samples of {data.path} are longer than max_length; raise it "
            "(--set max_length=N)"
        )
    raise ConfigError(f"{data.path} has no sample to train on ({why or 'it is empty'})")


def _write(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    import os

    import pyarrow

    ids = pyarrow.list_(pyarrow.int32())
    schema = pyarrow.schema([("input_ids", ids), ("labels", ids), ("length", pyarrow.int32())])
    descriptor = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    with (
        os.fdopen(descriptor, "wb") as file,
        pyarrow.ipc.new_stream(file, schema) as writer,
    ):
        batch: list[dict[str, Any]] = []
        for row in rows:
            batch.append(row)
            if len(batch) == _BATCH:
                writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
                batch.clear()
        if batch:
            writer.write_table(pyarrow.Table.from_pylist(batch, schema=schema))
