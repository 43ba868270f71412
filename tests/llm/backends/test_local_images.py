"""Image-text models in this process: tiny, random, real; what they see changes what they say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import BackendError, DataError
from pipeline.llm.config import parse_backend
from pipeline.llm.images import image_part
from pipeline.llm.open import open_engine
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.images import grey, save
from tests.support.tiny_models import QwenProcessor, make_llava, make_model, make_qwen_vl

pytestmark = pytest.mark.heavy
pytest.importorskip("torch")
MODELS = {"llava": make_llava, "qwen2-vl": make_qwen_vl}


def pictures(folder: Path) -> list[Path]:
    sizes = ((60, 80), (90, 50), (28, 28))
    return [
        save(folder / f"{n}.png", grey(*size, seed=n).convert("RGB").rotate(90 * n))
        for n, size in enumerate(sizes)
    ]


def ask_for(paths: list[Path]) -> list[Request]:
    requests = []
    for number, path in enumerate([*paths, *paths]):
        words = "What is seen here? " * (number + 1)
        parts: tuple[Any, ...] = (image_part(path), {"type": "text", "text": words})
        if number == 4:
            parts = (image_part(paths[0]), *parts)  # two images in one turn
        requests.append(Request("t", (Message("user", parts),)))
    return [*requests, Request("t", (Message("user", "No image."),))]


async def ask_all(
    folder: Path, journal: Path, requests: list[Request], **options: Any
) -> list[Reply]:
    raw = {"kind": "transformers", "path": str(folder), "device": "cpu", **options}
    config = parse_backend({**raw, "params": {"max_tokens": 12}})
    async with open_engine(config, journal, lambda _: None) as engine:
        return list(await asyncio.gather(*map(engine.for_stage("s"), requests)))


@pytest.mark.parametrize("kind", MODELS)
async def test_images_are_seen_and_a_batch_answers_as_one_by_one(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make: Callable[[Path], Path] = MODELS[kind]
    folder = make(tmp_path / kind)
    if kind == "qwen2-vl":
        import transformers

        def processor(path: Path, **_: object) -> QwenProcessor:
            return QwenProcessor(path)

        monkeypatch.setattr(transformers.AutoProcessor, "from_pretrained", processor)
    requests = ask_for(pictures(tmp_path / "images"))
    together = await ask_all(folder, tmp_path / "a", requests)
    alone = await ask_all(folder, tmp_path / "b", requests, batch_sequences=1)
    assert {one.outcome for one in together} <= {Outcome.LENGTH, Outcome.OK}
    assert [one.text for one in together] == [one.text for one in alone]
    texts = [_generated(folder, one) for one in requests[:3]]
    assert [one.text for one in together[:3]] == texts
    same_words = [
        Request("t", (Message("user", (image_part(path), {"type": "text", "text": "Look."})),))
        for path in pictures(tmp_path / "images")
    ]
    seen = await ask_all(folder, tmp_path / "c", same_words)
    assert len({one.text for one in seen}) > 1


def _generated(folder: Path, request: Request) -> str:
    """What transformers' own generate makes of it."""
    import torch
    import transformers
    from PIL import Image

    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.AutoModelForImageTextToText.from_pretrained(folder)
    image, words = request.messages[0].content
    turn = {"role": "user", "content": [{"type": "image"}, dict(words)]}  # type: ignore[call-overload]
    text = processor.apply_chat_template([turn], tokenize=False, add_generation_prompt=True)
    with Image.open(image["path"]) as picture:  # type: ignore[index]
        inputs = processor(text=[text], images=[[picture.convert("RGB")]], return_tensors="pt")
    inputs.pop("token_type_ids", None)
    with torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=12, do_sample=False)
    made = out[0, inputs["input_ids"].shape[1] :]
    text = processor.tokenizer.decode(made, skip_special_tokens=True)
    return str(text)


async def test_a_changed_image_is_a_reject_of_its_record_alone(tmp_path: Path) -> None:
    folder = make_llava(tmp_path / "llava")
    first, second, _ = pictures(tmp_path / "images")
    requests = ask_for([first, second])
    save(first, grey(40, 40, seed=5))
    raw = {"kind": "transformers", "path": str(folder), "device": "cpu"}
    config = parse_backend({**raw, "params": {"max_tokens": 4}})
    async with open_engine(config, tmp_path / "j", lambda _: None) as engine:
        ask = engine.for_stage("s")
        with pytest.raises(DataError, match="image_changed"):
            await ask(requests[0])
        assert (await ask(requests[1])).outcome is Outcome.LENGTH


async def test_a_model_of_text_alone_refuses_images(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "tiny")
    requests = ask_for(pictures(tmp_path / "images"))
    with pytest.raises(BackendError, match="takes no images"):
        await ask_all(folder, tmp_path / "j", requests[:1])
