"""Describe: a vision model answers an instruction about the images of each record."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pipeline.clinical.caption_prompts import choose_prompt
from pipeline.core.errors import ConfigError
from pipeline.core.records import Record
from pipeline.llm.images import LONGEST_SIDE, MAX_SIDE, SHORTEST_SIDE, image_part
from pipeline.llm.types import Ask, Message, Outcome, Request
from pipeline.prompting.template import load_template
from pipeline.stages.base import RecordStage, Reject, Result
from pipeline.stages.image_pairs import SET_ROOT, ImageRoot
from pipeline.stages.prompted import PromptParams


class DescribeParams(PromptParams, ImageRoot):
    """Parameters of asking about images.

    Attributes:
        language: language of the instructions of records that have none.
        seed: draws these instructions.
        max_side: longer side of an image as it is sent, in pixels.
        detail: how closely the service looks.
        encoding: ``jpeg``, or ``png`` without loss.
    """

    variables = frozenset({"instruction"})

    prompt: str = "describe"
    max_tokens: int = Field(default=400, ge=1)
    language: Literal["zh", "en"] = "en"
    seed: int = 0
    max_side: int = Field(default=MAX_SIDE, ge=SHORTEST_SIDE, le=LONGEST_SIDE)
    detail: Literal["auto", "low", "high"] = "auto"
    encoding: Literal["jpeg", "png"] = "jpeg"


class Describe(RecordStage[DescribeParams]):
    """Adds ``description`` as replied, ``asked``, ``finish_reason`` and ``described_by``.

    Takes records with ``image_paths``; what is asked is their ``instruction``, or else one of
    ``libs/caption_prompts.csv``.
    """

    name = "describe"
    params_type = DescribeParams
    asks = True
    libs = ("caption_prompts.csv",)
    prompts = (".",)

    def __init__(self, params: DescribeParams) -> None:
        super().__init__(params)
        self._template = load_template(params.prompt)

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask about the images of one record.

        Raises:
            DataError: an image is missing or cannot be read.
            ConfigError: nobody said where the images are.
        """
        paths, params = record.get("image_paths"), self.params
        if not paths:
            return Reject("no_image", "the record has no image_paths")
        if params.root is None:
            raise ConfigError(f"describe needs images: {SET_ROOT.format(stage=self.name)}")
        images = [
            image_part(
                params.root / path,
                max_side=params.max_side,
                detail=params.detail,
                encoding=params.encoding,
            )
            for path in paths
        ]
        asked = record.get("instruction") or choose_prompt(
            record["id"], params.language, several=len(paths) > 1, seed=params.seed
        )
        *before, last = self._template.render(instruction=asked)
        content = (*images, {"type": "text", "text": last.content})
        reply = await ask(
            Request(
                task="describe",
                messages=(*before, Message(last.role, content)),
                params={"max_tokens": params.max_tokens, "temperature": params.temperature},
                record_id=record["id"],
            )
        )
        if reply.outcome not in (Outcome.OK, Outcome.LENGTH):
            return Reject(str(reply.outcome), reply.detail)
        finish = "length" if reply.outcome is Outcome.LENGTH else reply.finish_reason
        return [
            {
                **record,
                "asked": asked,
                "description": reply.text,
                "finish_reason": finish,
                "described_by": reply.model or "model",
            }
        ]
