"""Infer: each row is asked as it stands, and gets the answer of the backend."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from pydantic import Field

from pipeline.core.records import Record, identity
from pipeline.llm.images import image_part
from pipeline.llm.talk_config import wrap
from pipeline.llm.types import Ask, Message, Outcome, Request
from pipeline.stages.base import RecordStage, Reject, Result, StageParams


class InferParams(StageParams):
    """Parameters of the stage.

    Attributes:
        prefix: put before an instruction, and ``suffix`` behind it, unless it carries them already.
        suffix: see ``prefix``.
        system: system prompt; "" for none.
        max_tokens: limit of an answer.
        temperature: 0 for the most likely answer; None leaves it to the backend.
        images: folder that image files named in ``image_files`` are relative to.
    """

    prefix: str = ""
    suffix: str = ""
    system: str = ""
    max_tokens: int = Field(default=512, ge=1)
    temperature: float | None = Field(default=0.0, ge=0)
    images: str = ""


class Infer(RecordStage[InferParams]):
    """Adds ``generated``, and ``cut`` where it ends at the length limit.

    Models without a chat format may go on with the next question by themselves: what begins with
    the prefix is no part of the answer.
    """

    name = "infer"
    params_type = InferParams
    asks = True

    async def process(self, record: Record, ask: Ask) -> Result:
        """Ask one row."""
        text = wrap(record["text"], self.params.prefix, self.params.suffix)
        files = image_files(record.get("image_files"))
        images = [
            await asyncio.to_thread(image_part, Path(self.params.images) / file) for file in files
        ]
        content: Any = (*images, {"type": "text", "text": text}) if images else text
        system = (Message("system", self.params.system),) if self.params.system else ()
        params: dict[str, Any] = {"max_tokens": self.params.max_tokens}
        if self.params.temperature is not None:
            params["temperature"] = self.params.temperature
        reply = await ask(
            Request(
                "infer",
                (*system, Message("user", content)),
                params=params,
                payload={"text": record["text"]},
                record_id=record["id"],
            )
        )
        if reply.outcome not in (Outcome.OK, Outcome.LENGTH):
            return Reject(str(reply.outcome), reply.detail)
        generated = reply.text
        prefix = self.params.prefix.strip()
        if prefix:
            generated = generated.partition(prefix)[0]
        generated = generated.strip()
        if not generated:
            return Reject("empty")
        cut = reply.outcome is Outcome.LENGTH
        return [{**identity(record), "generated": generated, "cut": cut}]


def image_files(value: object) -> list[str]:
    """File names in a cell: a JSON list, or names with ``;`` or ``|`` between them."""
    if not isinstance(value, str) or not value.strip():
        return []
    if value.lstrip().startswith("["):
        try:
            listed = orjson.loads(value)
        except orjson.JSONDecodeError:
            listed = None
        if isinstance(listed, list):
            return [str(_name(item)) for item in listed]
    return [part.strip() for part in value.replace("|", ";").split(";") if part.strip()]


def _name(item: object) -> object:
    return item.get("path", "") if isinstance(item, Mapping) else item
