"""BLEU as sacreBLEU computes it: its tokens, corpus counts, exponential smoothing.

Definition: Post, "A Call for Clarity in Reporting BLEU Scores" (WMT 2018, arXiv 1804.08771), and
sacreBLEU 2: n-grams up to 4, brevity penalty over the corpus, a share of zero matches halved for
each n-gram length that has none. Signature: ``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp``, with
``tok:zh`` for Chinese, where each character is a token. Tests hold it against the package's
figures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from pipeline.evaluation.scores import Floats

ORDERS = 4
COUNTS = 2 * ORDERS + 2
"""Counts of a row: matches and totals of each n-gram length, length of answer and reference."""

_HAN = (
    "\u2e80-\u2fdf\u3001-\u3003\u3005-\u3029\u3038-\u303b\u3100-\u312f\u31a0-\u31ef\u3200-\u4db5"
    "\u4e00-\u9fbb\uf900-\ufad9\uff00-\uffef\U00020000-\U0002fa1d"
)
_CHARACTER = re.compile(f"([{_HAN}])")
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))
_RULES = (
    (re.compile(r"([\{-\~\[-\` -\&\(-\+\:-\@\/])"), r" \1 "),
    (re.compile(r"([^0-9])([\.,])"), r"\1 \2 "),
    (re.compile(r"([\.,])([^0-9])"), r" \1 \2"),
    (re.compile(r"([0-9])(-)"), r"\1 \2 "),
)
"""The language-independent part of mteval-v13a."""


def bleu_tokens(text: str, *, chinese: bool) -> list[str]:
    """Tokens as sacreBLEU's tokenizers ``13a`` and ``zh`` make them; case is kept."""
    if chinese:
        text = _CHARACTER.sub(r" \1 ", text.strip())
    else:
        text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
        for entity, character in _ENTITIES:
            text = text.replace(entity, character)
        text = f" {text} "
    for pattern, by in _RULES:
        text = pattern.sub(by, text)
    return text.split()


def bleu_counts(answer: Sequence[str], reference: Sequence[str]) -> list[float]:
    """The :data:`COUNTS` of one answer; those of a corpus are their sums."""
    matches, totals = [], []
    for order in range(1, ORDERS + 1):
        said, expected = _ngrams(answer, order), _ngrams(reference, order)
        matches.append(float(sum((said & expected).values())))
        totals.append(float(max(0, len(answer) - order + 1)))
    return [*matches, *totals, float(len(answer)), float(len(reference))]


def bleu(counts: Floats) -> Floats:
    """BLEU, 0 to 100, of summed counts ``[..., COUNTS]``."""
    matches, totals = counts[..., :ORDERS], counts[..., ORDERS : 2 * ORDERS]
    said, expected = counts[..., -2], counts[..., -1]
    logs = np.zeros(said.shape)
    halving = np.ones(said.shape)
    for order in range(ORDERS):
        nothing = matches[..., order] == 0
        halving = np.where(nothing, halving * 2, halving)
        above = np.where(nothing, 1 / halving, matches[..., order])
        below = np.maximum(totals[..., order], 1)
        logs += np.log(above / below)
    penalty = np.where(said < expected, np.exp(1 - expected / np.maximum(said, 1)), 1.0)
    empty = (totals == 0).any(axis=-1) | (matches.sum(axis=-1) == 0)
    score: Floats = np.where(empty, 0.0, 100 * penalty * np.exp(logs / ORDERS))
    return score


def _ngrams(tokens: Sequence[str], order: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + order]) for at in range(len(tokens) - order + 1))
