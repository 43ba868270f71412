"""From a request to the tokens of a prompt and the wishes about its answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from pipeline.llm.backends.transformers_load import Loaded
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.tokens import DEFAULT_OUTPUT
from pipeline.llm.types import Message, Request

TOKEN_PARAMS = ("max_tokens", "max_completion_tokens")
KNOWN_PARAMS = (*TOKEN_PARAMS, "temperature", "top_p", "top_k", "stop", "seed")


class Unacceptable(Exception):
    """A request that cannot be answered here: a short code, what to do, and whose fault it is."""

    def __init__(self, code: str, hint: str, *, everywhere: bool = False, detail: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.hint = hint
        self.everywhere = everywhere
        self.detail = detail


@dataclass(slots=True)
class Wishes:
    """How one answer is to be made.

    Attributes:
        most: new tokens at most.
        temperature: 0 takes the likeliest token.
        top_p: share of the probability that is drawn from.
        top_k: number of tokens that are drawn from, 0 for all.
        stop: strings that end it.
        dice: draws; seeded by the whole request, so that an answer depends on nothing else.
    """

    most: int
    temperature: float
    top_p: float
    top_k: int
    stop: tuple[str, ...]
    dice: random.Random


def read_wishes(request: Request, config: LocalModelConfig) -> Wishes:
    """The parameters of ``request``; greedy where no temperature is given.

    Raises:
        Unacceptable: a parameter that is unknown or out of range.
    """
    params = {name: value for name, value in request.params.items() if value is not None}
    unknown = sorted(params.keys() - set(KNOWN_PARAMS))
    if unknown:
        raise Unacceptable(
            "unsupported_parameter",
            f"params.{unknown[0]} is not known to kind: transformers, which takes "
            + ", ".join(KNOWN_PARAMS),
            everywhere=True,
        )
    stop = params.get("stop", ())
    stop = (stop,) if isinstance(stop, str) else tuple(stop)
    most = next((params[name] for name in TOKEN_PARAMS if name in params), DEFAULT_OUTPUT)
    wishes = Wishes(
        int(most),
        float(params.get("temperature", 0)),
        float(params.get("top_p", 1)),
        int(params.get("top_k", 0)),
        (*config.stop, *(text for text in stop if text)),
        random.Random(int(request.key(), 16)),
    )
    if wishes.most < 1 or not 0 <= wishes.temperature <= 10 or not 0 < wishes.top_p <= 1:
        raise Unacceptable(
            "unsupported_value",
            "max_tokens must be at least 1, temperature between 0 and 10, top_p above 0 and at "
            "most 1",
            everywhere=True,
        )
    return wishes


def prompt_tokens(request: Request, loaded: Loaded, config: LocalModelConfig) -> list[int]:
    """The tokens of the prompt, by the chat template in force.

    Raises:
        Unacceptable: longer than the context, or a conversation the template refuses.
    """
    text = _render(request.messages, loaded, config)
    ids: list[int] = loaded.tokenizer(text, add_special_tokens=loaded.special)["input_ids"]
    if len(ids) + 1 > loaded.context:
        raise Unacceptable(
            "context_length_exceeded",
            "shorten the prompt, or take a model with a longer context",
            detail=f"the prompt has {len(ids):,} tokens, the context is {loaded.context:,}",
        )
    if not ids:
        raise Unacceptable("empty_prompt", "the chat template made nothing of the messages")
    return ids


def _render(messages: tuple[Message, ...], loaded: Loaded, config: LocalModelConfig) -> str:
    """The conversation as text; where the template has no place for it, system joins the user."""
    turns = [{"role": message.role, "content": _text(message)} for message in messages]
    system = next((turn["content"] for turn in turns if turn["role"] == "system"), "").strip()
    text = None
    try:
        text = _apply(turns, loaded, config)
    except Exception as error:
        if not system:
            raise _refused(error) from None
    if text is None or (system and system not in text):
        try:
            text = _apply(_merged(turns), loaded, config)
        except Exception as error:
            raise _refused(error) from None
    return text


def _apply(turns: list[dict[str, str]], loaded: Loaded, config: LocalModelConfig) -> str:
    text: str = loaded.tokenizer.apply_chat_template(
        turns,
        chat_template=loaded.template,
        tokenize=False,
        add_generation_prompt=True,
        **config.template_options,
    )
    return text


def _merged(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The turns without system role, its texts put before the first turn of the user."""
    system = "\n\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    first = next((turn for turn in rest if turn["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *rest]
    first["content"] = f"{system}\n\n{first['content']}"
    return rest


def _refused(error: Exception) -> Unacceptable:
    return Unacceptable(
        "chat_template",
        f"the chat template refuses the conversation ({type(error).__name__}); roles must "
        "usually alternate between user and assistant; set template",
    )


def _text(message: Message) -> str:
    if isinstance(message.content, str):
        return message.content
    parts: list[Any] = [part.get("text") for part in message.content]
    if any(not isinstance(part, str) for part in parts):
        raise Unacceptable(
            "no_images", "this model takes no images; use an image-text model", everywhere=True
        )
    return "\n".join(parts)
