"""Likeness of answers to the expected ones; BLEU and ROUGE as the packages compute them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.cli.main import app
from pipeline.core.errors import ConfigError
from pipeline.evaluation.answers import Answer, read_answers
from pipeline.evaluation.bleu import bleu, bleu_counts, bleu_tokens
from pipeline.evaluation.text_scores import FIGURES, score_texts


def corpus(*pairs: tuple[str, str], chinese: bool = False) -> float:
    counts = [
        bleu_counts(bleu_tokens(said, chinese=chinese), bleu_tokens(expected, chinese=chinese))
        for said, expected in pairs
    ]
    return float(bleu(np.array(counts).sum(axis=0)))


def test_bleu_has_the_figures_of_sacrebleu() -> None:
    """Computed with sacrebleu 2.6.0: corpus_bleu([...], [[...]]), the last with tokenize="zh"."""
    large = (
        "The heart is large. Small effusion, left.",
        "The heart is enlarged. Small left effusion.",
    )
    assert corpus(large) == pytest.approx(22.08959113415789, abs=1e-9)
    chinese = corpus(("右侧少量胸腔积液。", "右侧胸腔少量积液。"), chinese=True)
    assert chinese == pytest.approx(29.36974547349609, abs=1e-9)
    assert corpus(("", "words")) == corpus(("other", "words")) == 0
    assert corpus(("the same five words here", "the same five words here")) == pytest.approx(100)


def test_tokens_of_both_kinds() -> None:
    assert bleu_tokens('5.5 mm, "new" 12-mm', chinese=False) == [
        "5.5", "mm", ",", '"', "new", '"', "12", "-", "mm",
    ]  # fmt: skip
    assert bleu_tokens("右肺5.5mm。", chinese=True) == ["右", "肺", "5.5mm", "。"]


def score(*pairs: tuple[str, str], **options: int) -> dict[str, float | None]:
    answers = {str(n): Answer("q", said, expected) for n, (said, expected) in enumerate(pairs)}
    made = score_texts(answers, **{"replicates": 0, **options})
    return {name: None if v is None else v.value for name, v in made.figures.items()}


def test_the_same_words_are_perfect() -> None:
    made = score(("Small left pleural effusion.", "Small left  pleural effusion."))
    assert {name for name, value in made.items() if value not in (1.0, 100.0)} == {"contradictions"}
    assert made["contradictions"] == 0


def test_findings_are_compared_whatever_the_words() -> None:
    made = score(
        ("A left pleural effusion is seen.", "Small left pleural effusion."),
        ("Right pleural effusion and cardiomegaly.", "Left pleural effusion."),
        ("No pneumothorax.", "Small pneumothorax."),
    )
    assert made["findings precision"] == pytest.approx(2 / 3)
    assert made["findings recall"] == pytest.approx(2 / 3)
    assert made["same side"] == pytest.approx(1 / 2)
    assert made["contradictions"] == pytest.approx(1 / 3)


def test_chinese_is_scored_by_characters_and_its_own_rules() -> None:
    answers = {"1": Answer("q", "右侧少量胸腔积液。", "右侧胸腔积液。")}
    made = score_texts(answers, replicates=0)
    assert made.tokens == "zh"
    assert made.figures["findings F1"] is not None
    assert made.figures["findings F1"].value == 1
    rouge = made.figures["ROUGE-1"]
    assert rouge is not None
    assert rouge.value == pytest.approx(2 * 6 / (8 + 6))


def test_missing_answers_count_as_wrong_and_missing_references_not_at_all() -> None:
    answers = {
        "1": Answer("q", "", "words here"),
        "2": Answer("q", "words here", "words here"),
        "3": Answer("q", "something", ""),
    }
    made = score_texts(answers, replicates=0)
    assert (made.rows, made.empty, made.without_reference) == (2, 1, 1)
    exact = made.figures["exact match"]
    assert exact is not None
    assert exact.value == 0.5
    assert made.figures["findings F1"] is None
    with pytest.raises(ConfigError, match="no row has an expected answer"):
        score_texts({"1": Answer("q", "a")})


def test_intervals_draw_patients() -> None:
    answers = {
        str(n): Answer("q", "same" if n < 20 else "other", "same", subject_id=str(n // 2))
        for n in range(40)
    }
    one = score_texts(answers, replicates=200, seed=3)
    assert one == score_texts(answers, replicates=200, seed=3)
    exact = one.figures["exact match"]
    assert exact is not None
    assert exact.low is not None
    assert exact.high is not None
    assert 0.15 < exact.low < 0.5 < exact.high < 0.85


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030", "utf-16"])
def test_the_command_reads_what_infer_writes(
    encoding: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "INSTRUCTION,RESPONSE,GENERATED\n描述一,右侧气胸。,右侧气胸。\n描述二,未见异常。,\n"
    path = tmp_path / "out.csv"
    path.write_bytes(table.encode(encoding))
    assert read_answers(path)["row-1"].reference == "右侧气胸。"
    words = ["evaluate", "answers", f"ours={path}", "--by", "text", "--out", str(tmp_path / "made")]
    assert app(words, standalone_mode=False) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in FIGURES)
    assert "1 without an answer" in shown
    report = json.loads((tmp_path / "made" / "text_scores.json").read_text())
    assert report["systems"]["ours"]["figures"]["exact match"]["value"] == 0.5
    assert "气胸" not in json.dumps(report, ensure_ascii=False)
