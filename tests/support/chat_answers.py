"""Answers of the test server in a conversation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def speak(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Say what was asked, with how many images and earlier turns; for pages and screenshots."""
    content = messages[-1]["content"]
    images = 0
    if not isinstance(content, str):
        images = sum(part["type"] == "image_url" for part in content)
        content = " ".join(part["text"] for part in content if part["type"] == "text")
    turns = sum(message["role"] == "user" for message in messages)
    return (
        f"You asked: “{content}” This is question {turns}, with {images} image(s), at temperature "
        f"{params.get('temperature')}.\n\nThe test server has no model: it looks at no film and "
        "says **nothing** of what is to be seen."
    )
