"""From a request to the tokens of a prompt and the wishes about its answer."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.llm.backends.local.load import Loaded
from pipeline.llm.images import image_parts, load_image
from pipeline.llm.local_config import LocalModelConfig
from pipeline.llm.tokens import DEFAULT_OUTPUT
from pipeline.llm.types import IMAGE_PART, Message, Request

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


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model reads: tokens; where images belong to it, its text and their parts as well."""

    tokens: list[int]
    text: str = ""
    images: tuple[Mapping[str, Any], ...] = ()


def make_prompt(request: Request, loaded: Loaded, config: LocalModelConfig) -> Prompt:
    """The prompt of a request, by the chat template in force.

    Raises:
        Unacceptable: longer than the context, a conversation the template refuses, or images for a
            model that takes none.
        DataError: an image that cannot be read.
    """
    images = tuple(image_parts(request))
    if images and loaded.processor is None:
        raise Unacceptable(
            "no_images", "this model takes no images; use an image-text model", everywhere=True
        )
    text = _render(request.messages, loaded, config)
    ids: list[int]
    if images:
        ids = processed(loaded, [text], [images])["input_ids"][0].tolist()
    else:
        ids = loaded.tokenizer(text, add_special_tokens=loaded.special)["input_ids"]
    if len(ids) + 1 > loaded.context:
        raise Unacceptable(
            "context_length_exceeded",
            "shorten the prompt, or take a model with a longer context",
            detail=f"the prompt has {len(ids):,} tokens, the context is {loaded.context:,}",
        )
    if not ids:
        raise Unacceptable("empty_prompt", "the chat template made nothing of the messages")
    return Prompt(ids, text, images) if images else Prompt(ids)


def processed(
    loaded: Loaded, texts: Sequence[str], images: Sequence[Sequence[Mapping[str, Any]]]
) -> Any:
    """What the model's processor makes of texts and their images, padded on the left."""
    pictures = [[load_image(part).convert("RGB") for part in parts] for parts in images]
    return loaded.processor(
        text=list(texts),
        images=pictures,
        return_tensors="pt",
        padding=True,
        padding_side="left",
        add_special_tokens=loaded.special,
    )


def _render(messages: tuple[Message, ...], loaded: Loaded, config: LocalModelConfig) -> str:
    """The conversation as text; where the template has no place for it, system joins the user."""
    turns = [_turn(message, in_parts=loaded.processor is not None) for message in messages]
    system = next((_text(turn) for turn in turns if turn["role"] == "system"), "").strip()
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


def _apply(turns: list[dict[str, Any]], loaded: Loaded, config: LocalModelConfig) -> str:
    text: str = (loaded.processor or loaded.tokenizer).apply_chat_template(
        turns,
        chat_template=loaded.template,
        tokenize=False,
        add_generation_prompt=True,
        **config.template_options,
    )
    return text


def _merged(turns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The turns without system role, its texts put before the first turn of the user."""
    system = "\n\n".join(_text(turn) for turn in turns if turn["role"] == "system")
    rest = [dict(turn) for turn in turns if turn["role"] != "system"]
    first = next((turn for turn in rest if turn["role"] == "user"), None)
    if first is None:
        return [{"role": "user", "content": system}, *rest]
    if isinstance(first["content"], str):
        first["content"] = f"{system}\n\n{first['content']}"
    else:
        first["content"] = [{"type": "text", "text": f"{system}\n\n"}, *first["content"]]
    return rest


def _refused(error: Exception) -> Unacceptable:
    return Unacceptable(
        "chat_template",
        f"the chat template refuses the conversation ({type(error).__name__}); roles must "
        "usually alternate between user and assistant; set template",
    )


def _turn(message: Message, *, in_parts: bool) -> dict[str, Any]:
    """A message as chat templates take it: text, or parts where the model also takes images."""
    content = message.content
    if not in_parts:
        texts = [content] if isinstance(content, str) else [str(part["text"]) for part in content]
        return {"role": message.role, "content": "\n".join(texts)}
    parts = ({"type": "text", "text": content},) if isinstance(content, str) else content
    kept = [{"type": "image"} if one["type"] == IMAGE_PART else dict(one) for one in parts]
    return {"role": message.role, "content": kept}


def _text(turn: Mapping[str, Any]) -> str:
    content = turn["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")
