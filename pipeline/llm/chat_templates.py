"""Chat templates for tokenizers that bring none: how messages become the text a model reads.

The same in training and in answering: a model is asked in the words it learned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PLAIN: Final = (
    "{% for message in messages %}{{ message['content'] }}"
    "{% if message['role'] == 'system' %}{{ '\\n' }}"
    "{% elif message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{% endfor %}"
)
"""The texts alone: what a base model goes on with, and how LLMLF joins question and answer."""

ALPACA: Final = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n\\n' }}"
    "{% elif message['role'] == 'user' %}"
    "{% if loop.index0 and messages[loop.index0 - 1]['role'] == 'assistant' %}{{ '\\n\\n' }}"
    "{% endif %}{{ '### Instruction:\\n' + message['content'] + '\\n\\n### Response:\\n' }}"
    "{% else %}{{ message['content'] + eos_token }}{% endif %}{% endfor %}"
)
"""After Stanford Alpaca: an instruction under a title, the answer under another."""

CHATML: Final = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""The tokens must be in the vocabulary."""

HUMAN_ASSISTANT: Final = (
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\\n' }}"
    "{% elif message['role'] == 'user' %}{{ ' Human: ' + message['content'] + ' Assistant:' }}"
    "{% else %}{{ ' ' + message['content'] + eos_token }}{% endif %}{% endfor %}"
)
"""DeepSpeed-Chat's."""

CHAT_TEMPLATES: Final[Mapping[str, str]] = {
    "plain": PLAIN,
    "alpaca": ALPACA,
    "chatml": CHATML,
    "human-assistant": HUMAN_ASSISTANT,
}
"""Name in a recipe or a preset -> Jinja template."""
