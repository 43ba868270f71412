"""ROUGE-L between two instructions, as the near-duplicate rule of Alpaca and Self-Instruct has it.

The rule: a new instruction is dropped when the F measure of its longest common subsequence with any
kept instruction is above 0.7 (Wang et al., Self-Instruct, arXiv 2212.10560). Tokens and arithmetic
follow the package rouge-score 0.1.2 without stemming, so decisions are the same to the last bit
for text in Latin letters. That package does not see other scripts at all; here a Chinese, Japanese
or Korean character is a token, and elsewhere a word is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rapidfuzz.distance import LCSseq

THRESHOLD = 0.7
"""Published threshold: F measures above it are near-duplicates."""

_TOKEN = re.compile(
    r"[a-z0-9]+"
    r"|[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
    r"|[^\W_\u0000-\u036f\u1e00-\u1eff\u3040-\U0003ffff]+"
)


def tokens_of(text: str) -> list[str]:
    """The tokens of a text: lower-case words and numbers; single characters of CJK scripts."""
    return _TOKEN.findall(text.lower())


def f_measure(common: int, first: int, second: int) -> float:
    """The F measure of a common subsequence, in the order of operations of rouge-score.

    Args:
        common: length of the longest common subsequence.
        first: number of tokens of one text.
        second: number of tokens of the other.
    """
    if not common:
        return 0.0
    precision, recall = common / second, common / first
    return 2 * precision * recall / (precision + recall)


def rouge_l(first: Sequence[str], second: Sequence[str]) -> float:
    """ROUGE-L (F measure) of two token sequences; 0 where one is empty."""
    if not first or not second:
        return 0.0
    return f_measure(LCSseq.similarity(first, second), len(first), len(second))
