"""A model in this process, through the engine: tiny, random, real."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import BackendError, ConfigError
from pipeline.llm.backends.local import load, memory
from pipeline.llm.config import parse_backend
from pipeline.llm.open import Answering, open_engine
from pipeline.llm.types import Message, Outcome, Reply, Request
from tests.support.tiny_models import make_model, make_tokenizer

pytestmark = pytest.mark.heavy
pytest.importorskip("torch")

WORDS = ("clear lungs", "small effusion", "cardiomegaly", "no pneumothorax seen today", "x")
SCHEMA = {
    "type": "object",
    "properties": {
        "present": {"type": "boolean"},
        "side": {"enum": ["left", "right", None]},
        "names": {"type": "array", "items": {"enum": ["edema", "mass"]}, "maxItems": 2},
    },
    "required": ["present", "side", "names"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@asynccontextmanager
async def engine(path: Path, journal: Path, **options: Any) -> AsyncIterator[Answering]:
    raw = {"kind": "transformers", "path": str(path), "device": "cpu", **options}
    raw.setdefault("params", {"max_tokens": 24})
    async with open_engine(parse_backend(raw), journal, _allow) as opened:
        yield opened


def _allow(target: object) -> None:
    assert target is None, "a model in this process is no place to send anything to"


def requests(count: int, **fields: Any) -> list[Request]:
    texts = [f"{WORDS[n % len(WORDS)]} {n} " + "report " * (n * 7 % 23) for n in range(count)]
    return [Request("t", (Message("user", text),), **fields) for text in texts]


async def ask_all(engine: Answering, asked: list[Request]) -> list[Reply]:
    return list(await asyncio.gather(*map(engine.for_stage("s"), asked)))


async def test_a_batch_answers_as_one_by_one(model: Path, tmp_path: Path) -> None:
    asked = requests(40)
    async with engine(model, tmp_path / "together", batch_sequences=8) as opened:
        together = await ask_all(opened, asked)
    async with engine(model, tmp_path / "alone", batch_sequences=1, concurrency=1) as opened:
        alone = await ask_all(opened, asked)
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.usage for one in together] == [one.usage for one in alone]


async def test_rows_of_all_lengths_come_and_go(model: Path, tmp_path: Path) -> None:
    dice = random.Random(4)
    asked = [
        Request("t", (Message("user", "w" * dice.randint(1, 300)),), params={"max_tokens": most})
        for most in (dice.choice((1, 2, 9, 40, 90)) for _ in range(60))
    ]
    async with engine(model, tmp_path / "together", batch_sequences=6) as opened:
        ask = opened.for_stage("s")
        leaving = [asyncio.ensure_future(ask(one)) for one in requests(3)]
        together = await ask_all(opened, asked[:30])
        for task in leaving:
            task.cancel()
        together += await ask_all(opened, asked[30:])
    async with engine(model, tmp_path / "alone", batch_sequences=1) as opened:
        alone = await ask_all(opened, asked)
    assert [one.text for one in together] == [one.text for one in alone]
    assert [one.usage.completion_tokens for one in together] == [
        min(one.usage.completion_tokens, request.params["max_tokens"])
        for one, request in zip(alone, asked, strict=True)
    ]


async def test_the_answers_are_those_of_generate(model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    asked = requests(6)
    async with engine(model, tmp_path) as opened:
        replies = await ask_all(opened, asked)
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    plain = transformers.AutoModelForCausalLM.from_pretrained(model)
    for request, reply in zip(asked, replies, strict=True):
        turns = [{"role": "user", "content": request.messages[0].content}]
        ids = tokenizer.apply_chat_template(
            turns, return_tensors="pt", add_generation_prompt=True, return_dict=True
        )["input_ids"]
        with torch.no_grad():
            out = plain.generate(ids, max_new_tokens=24, do_sample=False)[0, ids.shape[1] :]
        assert reply.text == tokenizer.decode(out, skip_special_tokens=True)
        assert reply.usage.prompt_tokens == ids.shape[1]
        assert reply.usage.completion_tokens == len(out)


async def test_finish_reasons(model: Path, tmp_path: Path) -> None:
    async with engine(model, tmp_path) as opened:
        ask = opened.for_stage("s")
        (whole,) = await ask_all(opened, requests(1))
        assert whole.outcome is Outcome.LENGTH
        stop = whole.text[4:6]
        cut = await ask(requests(1, params={"stop": stop})[0])
    assert cut.outcome is Outcome.OK
    assert cut.finish_reason == "stop"
    assert cut.text == whole.text[: whole.text.index(stop)]


async def test_a_drawn_answer_does_not_depend_on_its_neighbours(
    model: Path, tmp_path: Path
) -> None:
    wishes = {"temperature": 1.2, "top_p": 0.9}
    asked = requests(12, params=wishes)
    async with engine(model, tmp_path / "a") as opened:
        together = await ask_all(opened, [*asked, *requests(9)])
    async with engine(model, tmp_path / "b", batch_sequences=1) as opened:
        alone = await ask_all(opened, asked)
        again = await ask_all(opened, requests(12, params=wishes, sample=1))
        seeded = await ask_all(opened, requests(12, params={**wishes, "seed": 7}))
    assert [one.text for one in together[:12]] == [one.text for one in alone]
    assert all(a.text != b.text for a, b in zip(alone, again, strict=True))
    assert all(a.text != b.text for a, b in zip(alone, seeded, strict=True))


async def test_what_streams_is_what_is_returned(model: Path, tmp_path: Path) -> None:
    async with engine(model, tmp_path) as opened:
        (request,) = requests(1)
        (reply,) = await ask_all(opened, [request])
        pieces: list[str] = []
        streamed = await opened.converse(request, pieces.append)
        cut: list[str] = []
        stop = reply.text[6:9]
        stopped = await opened.converse(requests(1, params={"stop": stop})[0], cut.append)
    assert streamed == reply
    assert "".join(pieces) == reply.text
    assert len(pieces) > 1
    assert "".join(cut) == stopped.text == reply.text[: reply.text.index(stop)]


async def test_an_untrained_model_keeps_to_the_schema(model: Path, tmp_path: Path) -> None:
    pytest.importorskip("llguidance")
    asked = requests(10, schema=SCHEMA, params={"max_tokens": 200})
    async with engine(model, tmp_path) as opened:
        replies = await ask_all(opened, [*asked, *requests(5)])
    for reply in replies[:10]:
        assert reply.outcome is Outcome.OK
        value = json.loads(reply.text)
        assert list(value) == ["present", "side", "names"]
        assert isinstance(value["present"], bool)
        assert value["side"] in ("left", "right", None)
        assert len(value["names"]) <= 2
        assert set(value["names"]) <= {"edema", "mass"}


async def test_without_the_schema_it_does_not(model: Path, tmp_path: Path) -> None:
    async with engine(model, tmp_path, structured="none") as opened:
        (reply,) = await ask_all(opened, requests(1, schema=SCHEMA))
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.text)


async def test_a_prompt_longer_than_the_context(model: Path, tmp_path: Path) -> None:
    long = Request("t", (Message("user", "word " * 400),))
    async with engine(model, tmp_path) as opened:
        reply, other = await ask_all(opened, [long, *requests(1)])
    assert reply.outcome is Outcome.FAILED
    assert reply.detail.startswith("context_length_exceeded: the prompt has 2,0")
    assert reply.detail.endswith("the context is 1,024")
    assert other.outcome is Outcome.LENGTH


async def test_an_answer_ends_with_the_context(model: Path, tmp_path: Path) -> None:
    request = Request("t", (Message("user", "w" * 20),), params={"max_tokens": 500})
    async with engine(model, tmp_path, context=40) as opened:
        (reply,) = await ask_all(opened, [request])
    assert reply.outcome is Outcome.LENGTH
    assert reply.usage.prompt_tokens + reply.usage.completion_tokens == 40


async def test_out_of_memory_halves_the_batch(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    import transformers

    asked = requests(24)
    async with engine(model, tmp_path / "a") as opened:
        enough = await ask_all(opened, asked)
    forward = transformers.LlamaForCausalLM.forward
    sizes = []

    def small(self: Any, input_ids: Any, attention_mask: Any, **rest: Any) -> Any:
        sizes.append(len(input_ids))
        if attention_mask.numel() > 900:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids, attention_mask, **rest)

    small.__signature__ = __import__("inspect").signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(transformers.LlamaForCausalLM, "forward", small)
    monkeypatch.setattr(load, "_kept", {})
    notes: list[str] = []
    raw = {"kind": "transformers", "path": str(model), "device": "cpu"}
    config = parse_backend({**raw, "params": {"max_tokens": 24}})
    async with open_engine(config, tmp_path / "b", _allow, note=notes.append) as opened:
        replies = await ask_all(opened, asked)
        alone = Request("t", (Message("user", "word " * 190),))
        (reply,) = await ask_all(opened, [alone])
    assert [one.text for one in replies] == [one.text for one in enough]
    assert max(sizes) == 24
    assert any("out of memory" in note for note in notes)
    assert reply.outcome is Outcome.FAILED
    assert reply.detail.startswith("out_of_memory: one answer needs more memory than there is")


async def test_a_cancelled_question_leaves_the_others_alone(model: Path, tmp_path: Path) -> None:
    slow = requests(1, params={"max_tokens": 900})[0]
    async with engine(model, tmp_path) as opened:
        ask = opened.for_stage("s")
        await ask_all(opened, requests(2)[1:])  # from here on the model is loaded
        task = asyncio.ensure_future(ask(slow))
        await asyncio.sleep(0.02)  # it is under way, and no machine makes 900 tokens in that time
        task.cancel()
        replies = await ask_all(opened, requests(3))
    assert task.cancelled()
    assert {one.outcome for one in replies} == {Outcome.LENGTH}


async def test_other_weights_in_the_same_folder_answer_anew(model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    asked = requests(2)
    async with engine(folder, tmp_path / "journal") as opened:
        old = await ask_all(opened, asked)
    async with engine(model, tmp_path / "journal", model="model") as opened:
        copied = await ask_all(opened, asked)
    assert all(one.reused for one in copied), "a copy of the folder is the same model"
    make_model(folder, seed=1)
    async with engine(folder, tmp_path / "journal") as opened:
        new = await ask_all(opened, asked)
    assert not any(one.reused for one in new)
    assert [one.text for one in new] != [one.text for one in old]
    assert new[0].model != old[0].model


async def test_the_next_engine_does_not_load_it_again(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load, "_kept", {})
    notes: list[str] = []
    config = parse_backend({"kind": "transformers", "path": str(model), "device": "cpu"})
    for stage in ("first", "second"):
        async with open_engine(config, tmp_path / stage, _allow, note=notes.append) as opened:
            await ask_all(opened, requests(1, params={"max_tokens": 2}))
    assert notes == ["loading model tiny: 0.0 GB as fp32 on cpu"]


async def test_a_tokenizer_without_chat_template(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "base", template=None)
    async with engine(folder, tmp_path / "a") as opened:
        with pytest.raises(BackendError, match="no chat template; set template: plain"):
            await ask_all(opened, requests(1))
    async with engine(folder, tmp_path / "b", template="plain") as opened:
        (reply,) = await ask_all(opened, requests(1))
    assert reply.usage.prompt_tokens == len("clear lungs 0 ")


async def test_a_template_without_system_role(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "m")
    make_tokenizer(
        folder,
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{% for m in messages %}{{ m['content'] }}|{% endfor %}",
    )
    request = Request("t", (Message("system", "Be brief."), Message("user", "Hello.")))
    async with engine(folder, tmp_path / "a") as opened:
        (reply,) = await ask_all(opened, [request])
    assert reply.usage.prompt_tokens == len("Be brief.\n\nHello.|")


async def test_parameters_that_are_not_known(model: Path, tmp_path: Path) -> None:
    async with engine(model, tmp_path, params={"presence_penalty": 1}) as opened:
        with pytest.raises(BackendError, match="presence_penalty is not known"):
            await ask_all(opened, requests(1))


async def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"config\.json is missing"):
        async with engine(tmp_path, tmp_path / "a"):
            pass


async def test_a_model_too_big_for_the_memory(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "free_main_memory", lambda: 120_000)
    monkeypatch.setattr(load, "_kept", {})
    async with engine(model, tmp_path) as opened:
        with pytest.raises(BackendError, match=r"dtype: bf16 .* fits"):
            await ask_all(opened, requests(1))


async def test_an_adapter_is_put_on_top(model: Path, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    import torch
    import transformers

    base = transformers.AutoModelForCausalLM.from_pretrained(model)
    torch.manual_seed(3)
    config = peft.LoraConfig(r=4, init_lora_weights=False, target_modules="all-linear")
    lora = peft.get_peft_model(base, config)
    lora.save_pretrained(tmp_path / "adapter")
    merged = lora.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    make_tokenizer(tmp_path / "merged")
    asked = requests(4)
    async with engine(model, tmp_path / "a", adapter=str(tmp_path / "adapter")) as opened:
        on_top = await ask_all(opened, asked)
    async with engine(tmp_path / "merged", tmp_path / "b") as opened:
        inside = await ask_all(opened, asked)
    async with engine(model, tmp_path / "c") as opened:
        without = await ask_all(opened, asked)
    assert [one.text for one in on_top] == [one.text for one in inside]
    assert [one.text for one in on_top] != [one.text for one in without]


@pytest.mark.parametrize("kind", ["gpt2", "mistral-window", "qwen3"])
async def test_other_architectures(kind: str, model: Path, tmp_path: Path) -> None:
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path / kind
    size = make_tokenizer(folder)
    common = {"vocab_size": size, "eos_token_id": 0, "bos_token_id": 0, "pad_token_id": 0}
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}
    built: Any
    if kind == "gpt2":
        config = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=512, **common)
        built = transformers.GPT2LMHeadModel(config)
    elif kind == "qwen3":
        config = transformers.Qwen3Config(head_dim=8, **layers, **heads, **common)
        built = transformers.Qwen3ForCausalLM(config)
    else:
        config = transformers.MistralConfig(sliding_window=16, **layers, **heads, **common)
        built = transformers.MistralForCausalLM(config)
    built.save_pretrained(folder)
    asked = requests(12)
    async with engine(folder, tmp_path / "a", batch_sequences=5) as opened:
        together = await ask_all(opened, asked)
    async with engine(folder, tmp_path / "b", batch_sequences=1) as opened:
        alone = await ask_all(opened, asked)
    assert [one.text for one in together] == [one.text for one in alone]
