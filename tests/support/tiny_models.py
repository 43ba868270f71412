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


VISION_TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {% for part in m['content'] %}"
    "{% if part['type'] == 'image' %}IMAGE{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %} {% endfor %}"
)


def make_llava(folder: Path, seed: int = 0) -> Path:
    """A LLaVA of two small layers: a CLIP tower, a Llama, a processor; images of 28 x 28."""
    import torch
    import transformers

    torch.manual_seed(seed)
    size = make_tokenizer(folder, None, additional_special_tokens=["<image>"])
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    shape = {"height": 28, "width": 28}
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=shape)
    processor = transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=VISION_TEMPLATE.replace("IMAGE", "<image>"),
    )
    processor.save_pretrained(folder)
    vision = transformers.CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=28,
        patch_size=14,
        projection_dim=32,
    )
    config = transformers.LlavaConfig(
        vision_config=vision,
        text_config=_small(transformers.LlamaConfig, size + 1),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        image_seq_length=4,
    )
    transformers.LlavaForConditionalGeneration(config).save_pretrained(folder)
    return folder


def make_qwen_vl(folder: Path, seed: int = 0) -> Path:
    """A Qwen2-VL of two small layers, which counts places of images by their sides.

    Its own processor needs torchvision: :class:`QwenProcessor` takes its place.
    """
    import torch
    import transformers

    torch.manual_seed(seed)
    size = make_tokenizer(folder, None, additional_special_tokens=QWEN_MARKS)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    start, image, end, video = (tokenizer.convert_tokens_to_ids(mark) for mark in QWEN_MARKS)
    text = _small(transformers.Qwen2VLTextConfig, size + 4)
    text.rope_parameters = {
        "rope_type": "default",
        "rope_theta": 10_000.0,
        "mrope_section": [2, 3, 3],
    }
    config = transformers.Qwen2VLConfig(
        text_config=text.to_dict(),
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": 32,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        image_token_id=image,
        video_token_id=video,
        vision_start_token_id=start,
        vision_end_token_id=end,
    )
    transformers.Qwen2VLForConditionalGeneration(config).save_pretrained(folder)
    return folder


QWEN_MARKS = ["<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>"]


class QwenProcessor:
    """What Qwen2VLProcessor does with images, without the half of it that is for films."""

    def __init__(self, folder: Path) -> None:
        import transformers

        self.tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self.images = transformers.Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=84 * 84)
        self.chat_template = VISION_TEMPLATE.replace("IMAGE", "".join(QWEN_MARKS[:3]))

    def apply_chat_template(self, turns: Any, **options: Any) -> Any:
        """The conversation as text, one mark for each image."""
        options["chat_template"] = self.chat_template
        return self.tokenizer.apply_chat_template(turns, **options)

    def __call__(self, text: list[str], images: list[list[Any]], **options: Any) -> Any:
        """Tensors of texts and images, with as many marks as the image has tokens."""
        seen = self.images([one for row in images for one in row], return_tensors="pt")
        mark = QWEN_MARKS[1]
        counts = [int(grid.prod()) // 4 for grid in seen["image_grid_thw"]]
        texts = []
        for one in text:
            first, *rest = one.split(mark)
            texts.append(first + "".join(mark * counts.pop(0) + more for more in rest))
        made = self.tokenizer(texts, **{"return_tensors": "pt", **options})
        image = self.tokenizer.convert_tokens_to_ids(mark)
        made["mm_token_type_ids"] = (made["input_ids"] == image).int()
        return transformers_feature({**made, **seen})


def transformers_feature(values: dict[str, Any]) -> Any:
    """The values as processors return them."""
    import transformers

    return transformers.BatchFeature(values)


def _small(kind: Any, vocabulary: int) -> Any:
    """The text half of a vision model."""
    return kind(
        vocab_size=vocabulary,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=1024,
        eos_token_id=0,
        pad_token_id=0,
        bos_token_id=0,
        initializer_range=0.3,
    )
