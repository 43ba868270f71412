"""What the characters of a Chinese text tell: script, sides, negation, words nobody knows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from pipeline.clinical.rulebook import load_rulebook, match
from pipeline.clinical.sentences import word_starts, words
from pipeline.core.resources import resource_path

HAN = re.compile(r"[\u3400-\u9fff]")
_ABOUT = re.compile(r"(?<=[\dm米%])\s*左右")
_BOTH = re.compile(
    r"双(?!腔|重|极|房|室|主)|两(?=[侧肺上中下膈肋胸肩锁乳腋])|左右(?:两侧|双侧|侧)?|左、右"
)
_NEGATES = re.compile(
    r"[未无没不非勿]|阴性|否认|缺如|消失|除外|排除|吸收|消散|消退|拔除|拔出|撤除|移除"
)
_DENIES = re.compile(r"未见|未发现|未及|未探及|没有|无(?!法|名|创|线|菌)")
_NORMAL = re.compile(r"正常|清[晰楚]|完整|居中|锐利|光滑|良好|平滑|规则|通畅")
_FUNCTION = frozenset(
    "的了在有为是所及其并且与和也均较呈等则可示见影处区部内外上下左右前后侧该此各一二两三四五六七八"
    "九十几个枚根条长短直径大小约为至到从由于因以对而但或若如被将使已仍尚未无不非很更最都约长宽高低"
    "图像片胸部显示提示表现情况证据迹象征象征改变存在位置形态轮廓边缘周围附近邻近相邻相应局部整体"
    "余另同时伴随合并程度范围明显可能考虑建议请结合临床目前现本次检查患者正位侧立卧床旁摄像量质"
)
"""Characters that carry no finding of their own."""


def script_issues(text: str, script: str) -> bool:
    """Whether a text holds characters that only the other script has.

    The character sets of the two scripts' computers tell: GB 2312 holds the simplified characters,
    Big5 the traditional ones, and what both hold is no sign of either.

    Args:
        text: Chinese text.
        script: ``simplified`` or ``traditional``.
    """
    own, other = ("gb2312", "big5") if script == "simplified" else ("big5", "gb2312")
    if _encodes(text, own):
        return False
    return any(_encodes(c, other) and not _encodes(c, own) for c in set(text) if HAN.match(c))


def _encodes(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def simplified(text: str) -> str:
    """A text with the simplified characters of ``variant_lib.csv``, place by place."""
    return text.translate(load_rulebook(resource_path("libs", "zh")).variants)


def to_traditional(text: str) -> str:
    """A text in simplified characters with the traditional ones of ``variant_lib.csv``."""
    return text.translate(_traditional())


@cache
def _traditional() -> dict[int, str]:
    rulebook = load_rulebook(resource_path("libs", "zh"))
    table: dict[int, str] = {}
    for character, standard in rulebook.variants.items():
        table.setdefault(ord(standard), chr(character))
    return table


def sides_of(text: str) -> frozenset[str]:
    """Of ``left``, ``right`` and ``both``, what a text speaks of."""
    text = _ABOUT.sub("", text)
    found = set()
    both = _BOTH.search(text)
    if both is not None:
        found.add("both")
        text = _BOTH.sub("", text)
    if "左" in text:
        found.add("left")
    if "右" in text:
        found.add("right")
    return frozenset(found)


def negates(text: str) -> bool:
    """Whether a text denies anything, or says that something is normal."""
    return _NEGATES.search(text) is not None or _NORMAL.search(text) is not None


def denies(text: str) -> bool:
    """Whether a text says outright that something is not there."""
    return _DENIES.search(text) is not None


def unread(text: str) -> Iterator[tuple[int, int]]:
    """Runs of two and more characters that no rule knows and that are no function words."""
    rulebook = load_rulebook(resource_path("libs", "zh"))
    lowered = rulebook.readable(text)
    tokens = words(lowered)
    starts = word_starts(lowered, tokens)
    run: list[int] = []
    index = 0
    while index < len(tokens):
        entry, end = match(rulebook.tree, tokens, index)
        token = tokens[index]
        if entry is None and HAN.match(token) and token not in _FUNCTION:
            run.append(index)
            index += 1
            continue
        if len(run) > 1:
            yield starts[run[0]], starts[run[-1]] + 1
        run = []
        index = max(end, index + 1)
    if len(run) > 1:
        yield starts[run[0]], starts[run[-1]] + 1
