"""How a model would answer the prompts of captions and translations: well, or carelessly.

``good`` writes what the rules would; ``mixed`` gets every third wrong in one of the ways models do,
and corrects itself in half of these cases when it is told so; ``stubborn`` never does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.clinical.caption_rules import make_caption
from pipeline.clinical.translation_rules import make_back_translation, make_translation


def good(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """A caption, a translation or a back-translation, as JSON."""
    field, text = _good(messages)
    return json.dumps({field: text}, ensure_ascii=False)


def mixed(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Good texts, and careless ones that get better in half of the cases if asked again."""
    kind = _draw(messages)
    if len(messages) > 2 and kind % 2:
        return good(messages, params)
    return _careless(messages, kind)


def stubborn(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Good texts, and careless ones that stay so whatever is said."""
    return _careless(messages, _draw(messages))


def _good(messages: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    system, asked = str(messages[0]["content"]), str(messages[1]["content"])
    if asked.startswith("Report:\n"):
        parts = dict.fromkeys(("FINDINGS", "IMPRESSION"), "")
        for line in asked.splitlines()[1:]:
            title, _, text = line.partition(": ")
            parts[title] = text
        return "caption", make_caption(parts["FINDINGS"], parts["IMPRESSION"])
    if "into English" in system:
        return "translation", make_back_translation(asked)
    script = "traditional" if "traditional Chinese" in system else "simplified"
    return "translation", make_translation(asked, "Chinese", script)


def _draw(messages: Sequence[Mapping[str, Any]]) -> int:
    asked = str(messages[1]["content"])
    return hashlib.sha256(asked.encode()).digest()[0] % 27


def _careless(messages: Sequence[Mapping[str, Any]], kind: int) -> str:
    field, text = _good(messages)
    careless = _careless_caption if field == "caption" else _careless_translation
    changed = careless(text, kind, str(messages[1]["content"]))
    return json.dumps({field: changed}, ensure_ascii=False)


def _careless_caption(text: str, kind: int, asked: str) -> str:
    wrong = (
        _swapped(text, "left", "right"),
        text.replace("No ", "There is a ", 1).replace("no ", "a ", 1),
        f"{text} There is a hiatal hernia.",
        f"{text} These findings are unchanged.",
        f"{text} Follow-up CT is recommended.",
        f"{text} Compared to XXXX.",
        "",
        "I'm sorry, but I cannot help with that.",
    )
    return wrong[kind] if kind < len(wrong) else text


def _careless_translation(text: str, kind: int, asked: str) -> str:
    wrong = (
        _swapped(text, "左", "右"),
        text.replace("未见", "可见", 1),
        asked,
        f"{text}右侧约9 mm气胸。",
        text.replace("心影", "cardiac silhouette", 1).replace("双肺", "both lungs", 1),
        f"{text}主动脉瘤。",
        "抱歉，我无法翻译这段文字。",
        text[: len(text) // 4],
        text.replace("见", "見").replace("胸", "胸").replace("双", "雙"),
    )
    return wrong[kind] if kind < len(wrong) else text


def _swapped(text: str, one: str, other: str) -> str:
    for old, new in ((one, "\0"), (other, one), ("\0", other)):
        text = text.replace(old, new)
        text = text.replace(old.capitalize(), new.capitalize()) if old.isascii() else text
    return text
