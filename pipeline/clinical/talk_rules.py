"""What rules can say in a conversation: the findings of a pasted report, and where it says so.

No model answers here, and every answer says that. A text that describes an image is read to its
findings and labels; a question is answered with the sentences of the last text that speak of what
is asked. Anything else is said to be beyond the rules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.clinical.claims import claims_of, question_claims
from pipeline.clinical.extract import extract_keyinfo
from pipeline.clinical.keyinfo import instances
from pipeline.clinical.labels import label_report
from pipeline.clinical.sentences import split_sentences
from pipeline.core.resources import resource_path

_HAN = re.compile(r"[\u4e00-\u9fff]")
_QUESTION = re.compile(
    r"[?？]\W*$|^\W*(?:what|where|which|who|why|how|is|are|was|were|does|do|did|has|can|could|please)\b"
    r"|[吗呢]\W*$|有没有|是否|^\W*(?:什么|哪|请问|为什么)",
    re.IGNORECASE,
)
_WORDS = {
    "en": {
        "by": "Read by rules; no model was asked.",
        "present": "Present", "uncertain": "Uncertain", "absent": "Absent", "clear": "Clear",
        "labels": "Labels", "doubted": "uncertain", "denied": "negated",
        "says": "On {} the text says: {}",
        "silent": "The text says nothing of {}.",
        "blind": "The image was not looked at: rules read text alone.",
        "lost": "Rules answer here, no model. They read the findings of a report that is pasted, "
                "and find its sentences on a finding that is asked about. In this they found "
                "nothing to answer.",
        "and": ", ", "of": " ({})", "end": ".", "list": "; ", "colon": ": ", "join": " ",
    },
    "zh": {
        "by": "由规则读取，未询问任何模型。",
        "present": "存在", "uncertain": "可疑", "absent": "否认", "clear": "清晰",
        "labels": "标签", "doubted": "可疑", "denied": "否认",
        "says": "关于{}，原文写道：{}",
        "silent": "原文没有提到{}。",
        "blind": "没有查看图像：规则只读文字。",
        "lost": "这里由规则回答，没有模型。规则能读出所粘贴报告中的所见，"
                "并能找出报告中谈到某一所见的句子。这段文字里没有可以回答的内容。",
        "and": "、", "of": "（{}）", "end": "。", "list": "；", "colon": "：", "join": "",
    },
}  # fmt: skip


def answer_by_rules(text: str, earlier: Sequence[str] = (), *, images: bool = False) -> str:
    """What rules say to ``text``.

    Args:
        text: what was typed or pasted.
        earlier: what was typed before, oldest first; the last text that describes an image is what
            a question is about.
        images: whether images came with it, which rules cannot look at.
    """
    code = "zh" if _HAN.search(text) else "en"
    words = _WORDS[code]
    told = " ".join(s for s in _sentences(text) if not _QUESTION.search(s))
    asked = [s for s in _sentences(text) if _QUESTION.search(s)]
    described = _describe(told) if told else ""
    lines = [words["blind"]] if images else []
    lines += [described] if described else []
    for question in asked:
        about = told if described else next((t for t in reversed(earlier) if claims_of(t)), "")
        if answer := _quote(question, about, words):
            lines.append(answer)
    if not lines:
        return words["lost"]
    return "\n".join([words["by"], *lines])


def impression_by_rules(text: str) -> str:
    """The findings of a text as an impression: those that are there, then those that may be.

    Where none is, it says so in the usual words; what is denied is left out.
    """
    told = " ".join(s for s in _sentences(text) if not _QUESTION.search(s))
    root = _rules_for(text)
    record = extract_keyinfo(told, root)
    chinese = root is not None
    found = [_phrase(n, one, chinese) for n, v in record["entity"].items() for one in instances(v)]
    doubt = "可疑" if chinese else "possible "
    found += [
        doubt + _phrase(name, one, chinese)
        for name, value in record["uncertain_entity"].items()
        for one in instances(value)
    ]
    if not found:
        return "未见明显异常。" if chinese else "No abnormality."
    if chinese:
        return "。".join(found) + "。"
    return " ".join(one[:1].upper() + one[1:] + "." for one in found)


def _phrase(name: str, one: Mapping[str, Any], chinese: bool) -> str:
    """A finding with its attributes as reports say it: *small left pleural effusion*."""
    place, level, kind = one["location"] or "", one["level"] or "", one["type"] or ""
    if chinese:
        return "".join(part.replace(", ", "、") for part in (place, level, kind)) + name
    beside = place if place in ("left", "right", "bilateral") else ""
    words = [part for part in (level, kind, beside, name) if part]
    if place and not beside:
        words.append(f"in the {place}")
    return " ".join(words)


def _sentences(text: str) -> list[str]:
    return [s for start, end in split_sentences(text) if (s := text[start:end].strip())]


def _quote(question: str, report: str, words: dict[str, str]) -> str:
    """The sentences of ``report`` on what is asked; "" where that cannot be told."""
    names = list(dict.fromkeys(claim.name for claim in question_claims(question)))
    if not names or not report:
        return ""
    found = [s for s in _sentences(report) if any(claim.name in names for claim in claims_of(s))]
    named = words["and"].join(names)
    if not found:
        return words["silent"].format(named)
    return words["says"].format(named, words["join"].join(f"“{one}”" for one in found))


def _describe(text: str) -> str:
    """Findings and labels of a text, a line for each kind; "" where it has none."""
    root = _rules_for(text)
    words = _WORDS["en" if root is None else "zh"]
    record = extract_keyinfo(text, root)
    lines = []
    for key, name in (("entity", "present"), ("uncertain_entity", "uncertain")):
        found = [_finding(n, v, words) for n, v in record[key].items()]
        lines.append((words[name], words["list"].join(found)))
    lines.append((words["absent"], words["list"].join(record["no_entity"])))
    clear = record["opacity_vs_clear"].get("clear")
    if clear is not None:
        places = [str(one["location"]) for one in instances(clear) if one["location"]]
        lines.append((words["clear"], words["list"].join(places)))
    said = [f"{name}{words['colon']}{value}{words['end']}" for name, value in lines if value]
    if not said:
        return ""
    labels = label_report(text, root)
    parts = [words["and"].join(labels.labels)]
    for name, classes in (("doubted", labels.uncertain), ("denied", labels.negated)):
        if classes:
            parts.append(f"{words[name]}{words['colon']}{words['and'].join(classes)}")
    said.append(f"{words['labels']}{words['colon']}{words['list'].join(parts)}{words['end']}")
    return "\n".join(said)


def _finding(name: str, value: Any, words: dict[str, str]) -> str:
    """A finding with its places, degrees and kinds: *pleural effusion (left, small)*."""
    shown = []
    for one in instances(value):
        details = [v for k in ("location", "level", "type") if (v := one[k])]
        shown.append(words["of"].format(words["and"].join(details)) if details else "")
    return name + words["and"].join(dict.fromkeys(filter(None, shown)))


def _rules_for(text: str) -> Path | None:
    return resource_path("libs", "zh") if _HAN.search(text) else None
