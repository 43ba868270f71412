"""Image samples: an image and its caption become an instruction and an answer."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Literal

from pydantic import Field

from pipeline.clinical.caption_prompts import choose_prompt, prompt_language
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import stable_seed
from pipeline.core.records import Record, identity
from pipeline.exports import vqa_csv
from pipeline.llm.types import Ask
from pipeline.stages.base import RecordStage, Reject, Result, StageParams

COMPARING = frozenset({"difference"})
"""Types of question rows that are about two images."""

_Turn = tuple[str, str]


class ImageSampleParams(StageParams):
    """Parameters of the samples.

    Attributes:
        text: field with the answer: ``translation``, ``caption``, ..., or ``auto``: the
            translation, where a record has none the caption.
        prompts: language of the instructions; ``auto`` is that of the answer.
        instruction: an instruction of your own for all records, instead of varied ones.
        questions: a question table (CSV) whose rows become further turns about the image.
        turns: most rows of that table in one sample, drawn with the seed.
        seed: seed of prompts and draws.
    """

    text: str = "auto"
    prompts: Literal["auto", "zh", "en"] = "auto"
    instruction: str | None = Field(default=None, min_length=1)
    questions: str | None = None
    turns: int = Field(default=3, ge=1, le=50)
    seed: int = 0

    def files(self) -> tuple[str, ...]:
        """The question table."""
        return () if self.questions is None else (self.questions,)


class ImageSamples(RecordStage[ImageSampleParams]):
    """Makes samples (``pipeline.exports.samples``) of records with ``image_paths`` and a text.

    With a question table the first turn is the caption; questions about the image follow.
    """

    name = "image-samples"
    params_type = ImageSampleParams
    libs = ("caption_prompts.csv",)

    def __init__(self, params: ImageSampleParams) -> None:
        super().__init__(params)
        self._questions: dict[str, list[tuple[str, _Turn]]] = {}
        if params.questions is not None:
            self._questions = _load_questions(Path(params.questions).expanduser())

    async def process(self, record: Record, ask: Ask) -> Result:
        """Make the sample of one record."""
        paths = record.get("image_paths")
        if not paths:
            return Reject("no_image", "the record has no image_paths")
        text = self._text(record)
        if not text:
            return Reject("no_text", "the record has no caption to learn")
        language = self.params.prompts
        if language == "auto":
            language = "zh" if prompt_language(text) == "zh" else "en"
        prompt = self.params.instruction or choose_prompt(
            record["id"], language, several=len(paths) > 1, seed=self.params.seed
        )
        *history, (instruction, output) = [(prompt, text), *self._turns(record)]
        sample = {
            **identity(record),
            "instruction": instruction,
            "output": output,
            "image_paths": paths,
            "family": "image_dialogue" if history else "image_caption",
            "flags": record.get("flags", []),
        }
        if history:
            sample["history"] = [list(turn) for turn in history]
        return [sample]

    def _text(self, record: Record) -> str:
        names = ("translation", "caption") if self.params.text == "auto" else (self.params.text,)
        found = (record.get(name) for name in names)
        return next((one.strip() for one in found if isinstance(one, str) and one.strip()), "")

    def _turns(self, record: Record) -> list[_Turn]:
        """Questions about the record's image, in the order of the table."""
        study = str(record.get("study_id") or record["id"])
        image = str(record.get("dicom_id") or "")
        rows: dict[str, str] = {}
        for about, (question, answer) in self._questions.get(study, ()):
            if not about or about == image:
                rows.setdefault(question, answer)
        if not rows:
            return []
        rng = random.Random(stable_seed("image-turns", self.params.seed, record["id"]))
        chosen = set(rng.sample(range(len(rows)), min(self.params.turns, len(rows))))
        return [turn for number, turn in enumerate(rows.items()) if number in chosen]


def _load_questions(path: Path) -> dict[str, list[tuple[str, _Turn]]]:
    """Study -> image and turn of each of its rows; equal texts are kept once.

    Raises:
        ConfigError: there is no such table.
    """
    texts: dict[str, str] = {}
    found: dict[str, list[tuple[str, _Turn]]] = {}
    try:
        for row in vqa_csv.read(path):
            if row["question_type"] not in COMPARING and row["question"] and row["answer"]:
                question, answer = (
                    texts.setdefault(row[name], row[name]) for name in ("question", "answer")
                )
                turn = (row.get("dicom_id") or "", (question, answer))
                found.setdefault(row["study_id"], []).append(turn)
    except OSError as error:
        raise ConfigError(f"questions: {path} cannot be read: {error.strerror}") from None
    return found
