"""A model from scratch: its own tokenizer, trained on the set, and random weights.

For tests, teaching and trying out the plumbing on a machine without a GPU; a model of a million
parameters learns the wording of one set and nothing else.

The tokenizer splits on white space alone, so that byte-pair encoding can swallow whole fragments of
JSON (`` "location": null,`` is one token): answers become half as long and lose their trivial
tokens. The price is that llama.cpp knows no such pre-tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.core.atomic import make_private_dir
from pipeline.llm.chat_templates import CHATML
from pipeline.training.config import ScratchOptions
from pipeline.training.data import TrainingSet
from pipeline.training.dialogues import Dialogue

END, START, PAD = "<|im_end|>", "<|im_start|>", "<|pad|>"
_CHUNKS = r" ?[^ \n]+|\n| "


def make_scratch(data: TrainingSet, options: ScratchOptions, seed: int, folder: Path) -> None:
    """Write an untrained model with a tokenizer made for ``data`` into ``folder``."""
    from collections import Counter

    make_private_dir(folder)
    tokenizer = train_tokenizer(_texts(data.dialogues("train", Counter())), options)
    tokenizer.save_pretrained(folder)
    new_model(tokenizer, options, seed).save_pretrained(folder)


def train_tokenizer(texts: Iterable[str], options: ScratchOptions) -> Any:
    """A byte-pair tokenizer with the ChatML template, trained on ``texts``."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_CHUNKS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    plain.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=options.vocabulary,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    plain.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=plain,
        pad_token=PAD,
        eos_token=END,
        chat_template=CHATML,
        model_max_length=options.positions,
        clean_up_tokenization_spaces=False,
    )


def new_model(tokenizer: Any, options: ScratchOptions, seed: int) -> Any:
    """A Llama of the shape in ``options`` with random weights."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=options.hidden,
            intermediate_size=3 * options.hidden,
            num_hidden_layers=options.layers,
            num_attention_heads=options.heads,
            max_position_embeddings=options.positions,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def _texts(dialogues: Iterable[Dialogue]) -> Iterable[str]:
    for dialogue in dialogues:
        for role, text in dialogue.prompt:
            yield f"{role}\n"
            yield text
        yield dialogue.answer
