"""Rows of training files, whatever their shape, as a prompt and the answer to learn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.core.errors import DataError
from pipeline.exports.samples import read_sample

ROLES = {
    "system": "system",
    "human": "user",
    "user": "user",
    "gpt": "assistant",
    "assistant": "assistant",
}
"""Names of speakers in ShareGPT and OpenAI rows -> role."""


@dataclass(frozen=True, slots=True)
class Dialogue:
    """One sample: the loss is on ``answer`` alone.

    Attributes:
        prompt: role and text of what comes before the answer; the last one is the user's.
        answer: the answer to learn.
    """

    prompt: tuple[tuple[str, str], ...] = field(repr=False)
    answer: str = field(repr=False)


def read_dialogue(row: Mapping[str, Any]) -> Dialogue:
    """The dialogue of a row of any shape that ``export`` writes, or an INSTRUCTION,RESPONSE row.

    Earlier answers of a conversation belong to the prompt.

    Raises:
        DataError: ``has_images``; ``bad_sample``: no shape fits, or a text is missing.
    """
    if row.get("images") or row.get("image_paths"):
        raise DataError("has_images")
    if "completion" in row:
        return _of_parts(row.get("prompt"), row["completion"])
    for name in ("messages", "conversations"):
        if name in row:
            turns = _turns(row[name])
            return _checked(turns[:-1], turns[-1])
    lower = {str(key).strip().lower(): value for key, value in row.items()}
    if "output" not in lower:
        lower["output"] = lower.get("response")
    sample = read_sample(lower)
    prompt = [("system", sample.system)] if sample.system else []
    for question, answer in sample.history:
        prompt += [("user", question), ("assistant", answer)]
    return Dialogue((*prompt, ("user", sample.question)), sample.output)


def _of_parts(prompt: Any, completion: Any) -> Dialogue:
    before = [("user", prompt)] if isinstance(prompt, str) else _turns(prompt)
    if isinstance(completion, str):
        return _checked(before, ("assistant", completion))
    after = _turns(completion)
    return _checked([*before, *after[:-1]], after[-1])


def _turns(value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, list) or not value:
        raise DataError("bad_sample", "no list of turns")
    turns = []
    for turn in value:
        if not isinstance(turn, Mapping):
            raise DataError("bad_sample", "a turn is no object")
        role = ROLES.get(str(turn.get("role", turn.get("from", ""))))
        text = turn.get("content", turn.get("value"))
        if role is None or not isinstance(text, str):
            raise DataError("bad_sample", "a turn has no known speaker, or no text")
        turns.append((role, text))
    return turns


def _checked(prompt: list[tuple[str, str]], last: tuple[str, str]) -> Dialogue:
    role, answer = last
    if role != "assistant" or not answer.strip():
        raise DataError("bad_sample", "it does not end with an answer")
    if not prompt or prompt[-1][0] != "user" or not prompt[-1][1].strip():
        raise DataError("bad_sample", "nothing is asked before the answer")
    return Dialogue(tuple(prompt), answer)
