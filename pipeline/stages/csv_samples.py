"""CSV samples: rows of instruction and response become samples to fine-tune a model on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import blake2b

from pydantic import Field

from pipeline.core.records import Record, identity
from pipeline.llm.talk_config import wrap
from pipeline.stages.base import Reject, Result, Rows, SetStage, StageParams

_MARKS = re.compile(r"<\|[a-z_]{2,20}\|>|</?s>")
"""Marks of beginning and end that tools leave in exported answers."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2060\ufeff]")


class CsvSampleParams(StageParams):
    """Parameters of the stage.

    Attributes:
        prefix: put before an instruction, and ``suffix`` behind it, unless it carries them already.
        suffix: see ``prefix``.
        system: system prompt of every sample; "" for none.
        family: task family, for counts.
        most_characters: a longer instruction or response is a reject; None for any length.
    """

    prefix: str = ""
    suffix: str = ""
    system: str = ""
    family: str = ""
    most_characters: int | None = Field(default=None, ge=1)


class CsvSamples(SetStage[CsvSampleParams]):
    """Cleans the rows of a table and makes samples of them.

    Takes ``text`` as the instruction and ``response`` as the answer. A row that says what an
    earlier one said is left out, and one whose instruction stands in an earlier row too, so that
    nothing is in training and test at once.
    """

    name = "csv-samples"
    params_type = CsvSampleParams

    def process(self, rows: Rows) -> Iterator[Result]:
        """Make one sample of each row that is new."""
        seen: dict[bytes, bytes] = {}
        for row in rows:
            yield self._sample(row, seen)

    def _sample(self, record: Record, seen: dict[bytes, bytes]) -> Result:
        instruction = clean_cell(record.get("text"))
        response = clean_cell(record.get("response"))
        if not instruction:
            return Reject("no_instruction")
        if not response:
            return Reject("no_response")
        longest, most = max(len(instruction), len(response)), self.params.most_characters
        if most is not None and longest > most:
            return Reject("too_long", f"{longest} characters, at most {most}")
        asked, answered = _digest(instruction), _digest(response)
        if asked == answered:
            return Reject("response_repeats")
        before = seen.setdefault(asked, answered)
        if before is not answered:
            reason = "duplicate" if before == answered else "same_instruction"
            return Reject(reason, failed=False)
        return [
            {
                **identity(record),
                "family": self.params.family,
                "system": self.params.system,
                "instruction": wrap(instruction, self.params.prefix, self.params.suffix),
                "input": "",
                "output": response,
            }
        ]


def clean_cell(value: object) -> str:
    """The text of a cell without marks, control characters and white space at its ends."""
    text = value if isinstance(value, str) else ""
    text = _CONTROL.sub("", _MARKS.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))
    return text.strip()


def _digest(text: str) -> bytes:
    return blake2b("".join(text.split()).encode(errors="replace"), digest_size=16).digest()
