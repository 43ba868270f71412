"""Model folders made on the spot: two small layers with random weights, and a byte tokenizer.

They talk nonsense, always the same; what counts is everything around them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

TEMPLATE = "{% for m in messages %}{{ m['role'] }} {{ m['content'] }} {% endfor %}"


def make_tokenizer(folder: Path, template: str | None = TEMPLATE, **options: Any) -> int:
    """A tokenizer of bytes, saved to ``folder``; returns the size of its vocabulary."""
    import tokenizers
    import transformers

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate(["<eos>", *alphabet])}
    inner = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=vocabulary, merges=[]))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = tokenizers.decoders.ByteLevel()
    given = {"eos_token": "<eos>", "pad_token": "<eos>", **options}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **given)
    if template is not None:
        tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    return len(vocabulary)


def make_model(
    folder: Path,
    *,
    seed: int = 0,
    template: str | None = TEMPLATE,
    context: int = 1024,
    **config: Any,
) -> Path:
    """A Llama of two small layers and its tokenizer, saved to ``folder``, which is returned."""
    import torch
    import transformers

    torch.manual_seed(seed)
    size = make_tokenizer(folder, template)
    settings = {
        "vocab_size": size,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": context,
        "eos_token_id": 0,
        "pad_token_id": 0,
        "bos_token_id": 0,
        "initializer_range": 0.3,
        **config,
    }
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**settings))
    model.save_pretrained(folder)
    return folder
