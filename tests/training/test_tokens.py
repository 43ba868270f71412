"""Tokens and labels, with a real tokenizer that is trained on the spot."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.training.config import ScratchOptions
from pipeline.training.data import open_set
from pipeline.training.dialogues import Dialogue
from pipeline.training.templates import Renderer, set_template
from pipeline.training.tokens import IGNORED, Counts, SampleTokenizer, load_rows, tokenize_parts

pytestmark = pytest.mark.heavy

HELLO = Dialogue((("system", "Be short."), ("user", "Is the heart large?")), "No, it is normal.")
LONG = Dialogue((("user", "Is it large?"),), "It is " + "very " * 200 + "large.")


@pytest.fixture(scope="module")
def made() -> Any:
    from pipeline.training.scratch import train_tokenizer

    texts = [text for one in (HELLO, LONG) for _, text in (*one.prompt, ("", one.answer))]
    return train_tokenizer(texts, ScratchOptions(vocabulary=400))


@pytest.fixture
def tokenizer(made: Any) -> Any:
    from copy import deepcopy

    return deepcopy(made)


def rows(tokenizer: Any, dialogues: Iterable[Dialogue], **options: Any) -> tuple[list[Any], Counts]:
    counts = Counts()
    samples = SampleTokenizer(
        tokenizer, options.get("max_length", 512), options.get("too_long", "reject")
    )
    return list(samples.rows(dialogues, counts)), counts


@pytest.mark.parametrize("template", ["auto", "plain", "alpaca", "human-assistant"])
def test_the_answer_alone_is_learned(tokenizer: Any, template: str) -> None:
    set_template(tokenizer, template)
    ((row,), counts) = rows(tokenizer, [HELLO])
    learned = [token for token in row["labels"] if token != IGNORED]
    asked = row["input_ids"][: -len(learned)]
    assert row["labels"] == [IGNORED] * len(asked) + learned
    assert row["input_ids"][-len(learned) :] == learned
    text = tokenizer.decode(learned)
    assert text.strip().startswith(HELLO.answer) and tokenizer.eos_token in text
    # What the model is asked with later is what it was trained with, to the token.
    turns = [{"role": role, "content": content} for role, content in HELLO.prompt]
    later = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert tokenizer(later, add_special_tokens=False)["input_ids"] == asked
    assert (counts.prompt, counts.completion) == (len(asked), len(learned))


def test_long_samples_are_left_out_or_cut_and_counted(tokenizer: Any) -> None:
    kept, counts = rows(tokenizer, [HELLO, LONG], max_length=60)
    assert len(kept) == 1
    assert (counts.too_long, counts.rejected, counts.truncated) == (1, 1, 0)
    kept, counts = rows(tokenizer, [HELLO, LONG], max_length=60, too_long="truncate")
    assert [len(row["input_ids"]) for row in kept][1] == counts.longest == 60
    assert (counts.rejected, counts.truncated) == (0, 1) and counts.cut > 100
    # A prompt that leaves no room for an answer is never trained on.
    assert rows(tokenizer, [HELLO], max_length=5, too_long="truncate")[0] == []


def test_a_template_that_refuses_system_messages_gets_them_with_the_question(
    tokenizer: Any,
) -> None:
    tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no') }}"
        "{% endif %}[{{ m['role'] }}] {{ m['content'] }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    prompt, whole = Renderer(tokenizer).render(HELLO)
    assert "Be short.\n\nIs the heart large?" in prompt
    assert whole.startswith(prompt)


def test_a_template_that_rewrites_the_question_is_refused(tokenizer: Any) -> None:
    tokenizer.chat_template = "{% for m in messages %}{{ messages|length }}{% endfor %}"
    with pytest.raises(ConfigError, match="template=alpaca"):
        Renderer(tokenizer).render(HELLO)


def test_a_tokenizer_without_template_gets_the_documented_one(tokenizer: Any) -> None:
    tokenizer.chat_template = None
    assert set_template(tokenizer, "auto") == "alpaca"
    assert "### Response:" in tokenizer.chat_template
    with pytest.raises(ConfigError, match="no template 'vicuna'"):
        set_template(tokenizer, "vicuna")
    tokenizer.eos_token = None
    with pytest.raises(ConfigError, match="end-of-text"):
        set_template(tokenizer, "auto")


def test_tokens_lie_on_disk_and_are_kept_for_the_same_key(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    row = {"prompt": "Is it large?", "completion": "No."}
    path.write_text(f"{json.dumps(row)}\n{json.dumps({'prompt': 'x'})}\n")
    data = open_set(path)
    samples = SampleTokenizer(tokenizer, 512, "reject")
    folder = tmp_path / "tokens"
    counts = tokenize_parts(data, ["train"], samples, folder, "key")
    assert counts["train"].samples == 1 and counts["train"].skipped == {"bad_sample": 1}
    assert (folder / "train.arrow").stat().st_mode & 0o077 == 0
    assert len(load_rows(folder, "train")) == 1
    path.unlink()
    assert tokenize_parts(data, ["train"], samples, folder, "key") == counts


def test_nothing_to_train_on_is_said_with_the_reason(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "Is it large?", "completion": "No."}\n')
    with pytest.raises(ConfigError, match="longer than max_length"):
        samples = SampleTokenizer(tokenizer, 3, "reject")
        tokenize_parts(open_set(path), ["train"], samples, tmp_path / "a", "k")
    path.write_text('{"instruction": "x"}\n')
    with pytest.raises(ConfigError, match="1 bad_sample"):
        samples = SampleTokenizer(tokenizer, 512, "reject")
        tokenize_parts(open_set(path), ["train"], samples, tmp_path / "b", "k")
