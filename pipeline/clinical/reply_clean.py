"""What surrounds an answer in a model's output: reasoning, chat tokens, prompts, refusals."""

from __future__ import annotations

import re

_TAGS = r"(?:think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis)"
_THINK_END = re.compile(rf"</{_TAGS}>", re.I)
_THINK_START = re.compile(rf"<{_TAGS}>", re.I)
_HARMONY_FINAL = re.compile(r"<\|channel\|>\s*final\b[^<]{0,200}<\|message\|>")

_TOKEN = re.compile(
    r"</?s>|\[/?INST\]|<</?SYS>>|<\|[\w./ -]{1,40}\|>|<｜[^｜\n]{1,40}｜>|<(?:start|end)_of_turn>"
    r"|<eos>|<bos>|\[(?:EOS|BOS|PAD|UNK|DONE)\]|<(?:pad|unk)>"
    r"|^###\s*(?:Instruction|Input|Response|Output|Answer|Assistant|Human|User)\s*:",
    re.M,
)
_ECHO = re.compile(
    r"\s*(?:(?:<s>|<bos>|<\|begin_of_text\|>)\s*)*"
    r"(?:\[INST\]|<<SYS>>|<\|start_header_id\|>\s*(?:system|user)|<\|im_start\|>\s*(?:system|user)"
    r"|<\|(?:user|system)\|>|<start_of_turn>\s*user|###\s*(?:Instruction|Human|User)"
    r"|Below is an instruction)"
)
_REFUSAL = re.compile(
    r"\b(?:i(?:'m| am)? (?:sorry|unable|not able)|i apologi[sz]e|sorry,? (?:but )?i|as an ai\b|"
    r"as a (?:large )?language model|"
    r"i (?:can(?:no|')?t|can not|won't|will not|do not|don't|could not|couldn't) "
    r"(?:\w+ ){0,2}?(?:assist|help|provide|process|comply|fulfil|answer|analy[sz]e|extract|do that|"
    r"access|see|view|read|share|give|interpret|continue|generate|create|offer|diagnose)|"
    r"against (?:my|our|the) (?:guidelines|policy|policies)|content policy|"
    r"please consult (?:a|your) (?:doctor|physician|radiologist|medical))",
    re.I,
)
_HEAD = 2000


def answer_part(text: str) -> tuple[str, bool]:
    """The text without reasoning and chat tokens, and whether the model ended its turn itself.

    An answer that runs on into another turn keeps its first turn; output that starts with the echo
    of the prompt keeps what follows the prompt. Reasoning that was never ended holds no answer.
    """
    finals = list(_HARMONY_FINAL.finditer(text))
    if finals:
        text = text[finals[-1].end() :]
    return _turn(_without_reasoning(text))


def _without_reasoning(text: str) -> str:
    start = _THINK_START.search(text)
    ends = list(_THINK_END.finditer(text))
    before = text[: start.start()] if start is not None else ""
    if not ends:
        return text if start is None else before
    after = text[ends[-1].end() :]
    return before if "{" in before and "{" not in after else after


def _turn(text: str) -> tuple[str, bool]:
    parts = _TOKEN.split(text)
    if len(parts) == 1:
        return text, False
    with_object = [index for index, part in enumerate(parts) if "{" in part or '":' in part]
    if not with_object:
        return max(parts, key=len), False
    chosen = with_object[-1 if _ECHO.match(text) else 0]
    return parts[chosen], chosen < len(parts) - 1


def is_refusal(text: str) -> bool:
    """Whether the beginning of ``text`` declines to answer."""
    return _REFUSAL.search(text[:_HEAD].replace("’", "'")) is not None
