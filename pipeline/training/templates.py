"""Chat templates: how messages become the text a model reads, in training and after it.

A tokenizer brings its own; for one that has none there are plain ones here. Whatever is used in
training is saved with the model, so that it is asked in the same words later.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.llm.chat_templates import CHAT_TEMPLATES
from pipeline.training.dialogues import Dialogue


def set_template(tokenizer: Any, wanted: str) -> str:
    """Give ``tokenizer`` its chat template; returns what it is: ``own``, a name, or a file name.

    Raises:
        ConfigError: no template of that name, no such file, or no end-of-text token to stop at.
    """
    if tokenizer.eos_token is None:
        raise ConfigError("the tokenizer has no end-of-text token; no answer could ever end")
    if wanted == "auto":
        if tokenizer.chat_template:
            return "own"
        wanted = "alpaca"
    if wanted in CHAT_TEMPLATES:
        text = CHAT_TEMPLATES[wanted]
        if wanted == "alpaca" and tokenizer.bos_token is not None:
            text = "{{ bos_token }}" + text
        if wanted == "chatml" and "<|im_end|>" not in tokenizer.get_vocab():
            raise ConfigError(
                "template chatml needs the tokens <|im_start|> and <|im_end|>, which the tokenizer "
                "lacks; take template=alpaca"
            )
        tokenizer.chat_template = text
        return wanted
    path = Path(wanted)
    if not path.is_file():
        raise ConfigError(
            f"no template {wanted!r}: take auto, {', '.join(CHAT_TEMPLATES)}, or a Jinja file"
        )
    tokenizer.chat_template = path.read_text(encoding="utf-8")
    return path.name


class Renderer:
    """Renders dialogues with a tokenizer's template.

    Some templates refuse a system message; then it is put in front of the first question.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._takes_system: bool | None = None

    def render(self, dialogue: Dialogue) -> tuple[str, str]:
        """The text up to the answer, as the model will be asked, and the whole text.

        Raises:
            ConfigError: the template cannot render it, or writes the prompt differently once the
                answer is there, so that a model would be trained on what it is never asked.
        """
        messages = self._messages(dialogue.prompt)
        prompt = self._apply(messages, ask=True)
        whole = self._apply([*messages, {"role": "assistant", "content": dialogue.answer}])
        if not whole.startswith(prompt):
            raise ConfigError(
                "the chat template writes the question differently when the answer follows; give "
                "one that does not (--set template=alpaca or a Jinja file)"
            )
        return prompt, whole

    def _messages(self, turns: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
        messages = [{"role": role, "content": text} for role, text in turns]
        if messages[0]["role"] != "system":
            return messages
        if self._takes_system is None:
            self._takes_system = self._can_render(messages)
        if self._takes_system:
            return messages
        system, first, *others = messages
        folded = {"role": "user", "content": f"{system['content']}\n\n{first['content']}"}
        return [folded, *others]

    def _can_render(self, messages: list[dict[str, str]]) -> bool:
        from jinja2 import TemplateError

        try:
            text = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=True
            )
        except TemplateError:
            return False
        return messages[0]["content"].strip() in text

    def _apply(self, messages: list[dict[str, str]], *, ask: bool = False) -> str:
        from jinja2 import TemplateError

        try:
            text: str = self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=ask
            )
        except TemplateError as error:
            raise ConfigError(
                f"the chat template cannot render the samples ({type(error).__name__})"
            ) from None
        return text
