"""Fine-tuning with TRL and PEFT for real, on a model of a few thousand weights."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError, GovernanceError, ResumeMismatch, Stopped
from pipeline.training.data import open_set
from pipeline.training.folder import read_log
from pipeline.training.merge import merge
from pipeline.training.other import write_files
from pipeline.training.presets import load_preset, resolve
from pipeline.training.train import TrainJob, finetune
from tests.training.folders import training_set

pytestmark = pytest.mark.heavy

SMALL = [
    "scratch.hidden=32",
    "scratch.layers=2",
    "scratch.heads=2",
    "scratch.vocabulary=400",
    "batch_size=2",
    "max_steps=6",
    "log_every=1",
    "save_every=2",
    "eval_every=3",
]


def job(data: Path, out: Path, *items: str, **changes: Any) -> TrainJob:
    config = resolve(load_preset("tiny"), None, [*SMALL, *items])
    return replace(TrainJob(data, out, config, None), **changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return training_set(tmp_path_factory.mktemp("data") / "set", "trl", 40)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    out = tmp_path_factory.mktemp("out") / "model"
    return out, finetune(job(data, out), lambda line: None)


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(str(folder / "model.safetensors"))


def stopping(say: list[str]) -> Any:
    """Says lines into a list, and presses Ctrl-C when training begins."""

    def take(line: str) -> None:
        say.append(line)
        if line.startswith("training:"):
            os.kill(os.getpid(), signal.SIGINT)

    return take


def test_what_is_left_is_a_model_and_its_record(trained: tuple[Path, dict[str, Any]]) -> None:
    out, manifest = trained
    names = {path.name for path in out.iterdir()}
    assert {"model.safetensors", "tokenizer.json", "chat_template.jinja", "loss.svg"} <= names
    assert not names & {"training_args.bin", "optimizer.pt", "checkpoints", "tokens"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in out.rglob("*"))
    assert (manifest["state"], manifest["steps"], manifest["kind"]) == ("done", 6, "model")
    assert manifest["tokens"]["train"]["samples"] == 24
    assert manifest["data"]["manifest"] and manifest["base"]["sha256"]
    assert set(manifest["files"]) == names - {"train.json", "base", ".lock"}
    log = read_log(out / "loss.jsonl")
    assert [line["step"] for line in log if "loss" in line] == [1, 2, 3, 4, 5, 6]
    assert [line["step"] for line in log if "eval_loss" in line] == [3, 6]


def test_the_same_command_finds_it_done(data: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    out, manifest = trained
    said: list[str] = []
    assert finetune(job(data, out), said.append) == manifest
    assert said == [f"{out} is done: 6 steps"]


def test_a_stopped_training_ends_like_one_that_was_not(
    data: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    import torch

    out = tmp_path / "model"
    with pytest.raises(Stopped, match="after step 1 of 6; run the same command"):
        finetune(job(data, out), stopping([]))
    with pytest.raises(ResumeMismatch, match="learning_rate"):
        finetune(job(data, out, "learning_rate=1e-5"), lambda line: None)
    manifest = finetune(job(data, out), lambda line: None)
    assert [one["from_step"] for one in manifest["sessions"]] == [0, 1]
    theirs = weights(trained[0])
    assert all(torch.equal(value, theirs[name]) for name, value in weights(out).items())
    steps = [line["step"] for line in read_log(out / "loss.jsonl") if "loss" in line]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_batch_hides_the_prompts(data: Path, trained: tuple[Path, dict[str, Any]]) -> None:
    batch, tokenizer = first_batch(data, trained[0], packing=False)
    texts = []
    for ids, labels in zip(batch["input_ids"], batch["labels"], strict=True):
        assert not ((labels != -100) & (labels != ids)).any()
        texts.append(tokenizer.decode(labels[labels != -100]))
    assert all(text.startswith("It is of size") for text in texts)
    assert not any("Question" in text for text in texts)
    assert all("Question" in tokenizer.decode(ids) for ids in batch["input_ids"])


def test_packed_samples_do_not_see_each_other(
    data: Path, trained: tuple[Path, dict[str, Any]]
) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    batch, _ = first_batch(data, trained[0], packing=True)
    places, ids = batch["position_ids"][0], batch["input_ids"][0]
    starts = [*(places == 0).nonzero().flatten().tolist(), len(ids)]
    assert len(starts) > 3
    model = AutoModelForCausalLM.from_pretrained(trained[0]).eval()
    with torch.inference_mode():
        together = model(input_ids=ids[None], position_ids=places[None]).logits[0]
        for start, end in pairwise(starts):
            alone = model(input_ids=ids[None, start:end]).logits[0]
            assert torch.allclose(together[start:end], alone, atol=1e-4)


def first_batch(data: Path, model: Path, *, packing: bool) -> tuple[Any, Any]:
    from transformers import AutoTokenizer

    from pipeline.training.base_model import read_model
    from pipeline.training.tokens import SampleTokenizer, load_rows, tokenize_parts
    from pipeline.training.trainer import make_trainer

    config = resolve(load_preset("tiny"), None, [*SMALL, "max_length=256"])
    if packing:
        config = config.model_copy(update={"packing": True, "group_by_length": False})
    tokenizer = AutoTokenizer.from_pretrained(model)
    tokens = model.parent / f"tokens-{packing}"
    samples = SampleTokenizer(tokenizer, config.max_length, "reject")
    tokenize_parts(open_set(data), ["train"], samples, tokens, "k")
    trainer = make_trainer(
        config,
        read_model(model),
        tokenizer,
        "fp32",
        train=load_rows(tokens, "train"),
        validation=None,
        checkpoints=tokens / "checkpoints",
    )
    return next(iter(trainer.get_train_dataloader())), tokenizer


@pytest.fixture(scope="module")
def adapter(
    data: Path, trained: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("adapter") / "lora"
    options = ["method=lora", "max_steps=3", "learning_rate=1e-2", "keep=best", "save_every=3"]
    finetune(job(data, out, *options, model=str(trained[0])), lambda line: None)
    return out


def test_an_adapter_merges_into_the_model_it_stands_for(
    trained: tuple[Path, dict[str, Any]], adapter: Path, tmp_path: Path
) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    made = merge(adapter, tmp_path / "merged")
    assert 0 <= made.difference < 1e-4
    merged = AutoModelForCausalLM.from_pretrained(made.out)
    base = AutoModelForCausalLM.from_pretrained(trained[0])
    ids = torch.arange(3, 60)[None]
    with torch.inference_mode():
        before = base(input_ids=ids).logits
        after = merged(input_ids=ids).logits
        lora = PeftModel.from_pretrained(base, str(adapter)).eval()(input_ids=ids).logits
    assert torch.allclose(after, lora, atol=1e-4)
    assert not torch.allclose(after, before, atol=1e-3)
    assert (made.out / "chat_template.jinja").is_file()
    assert not (adapter / "training_args.bin").exists()
    assert "adapter_model.safetensors" not in {path.name for path in made.out.iterdir()}


def test_a_base_that_moved_is_named_and_another_one_refused(
    trained: tuple[Path, dict[str, Any]], adapter: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(trained[0], moved)
    assert merge(adapter, tmp_path / "a", base=str(moved)).difference < 1e-4
    with pytest.raises(ConfigError, match="not the model that the adapter was trained on"):
        merge(adapter, tmp_path / "b", base=str(trained[0] / "base"))
    with pytest.raises(ConfigError, match="not empty"):
        merge(adapter, moved)
    with pytest.raises(ConfigError, match="no adapter"):
        merge(moved, tmp_path / "c")


def test_what_was_trained_on_credentialed_data_stays_so(data: Path, tmp_path: Path) -> None:
    secret = training_set(tmp_path / "set", "trl", 40, data_class="credentialed")
    open_to_all = tmp_path / "open"
    open_to_all.mkdir(mode=0o755)
    with pytest.raises(GovernanceError, match="chmod 700"):
        finetune(job(secret, open_to_all), lambda line: None)
    first = finetune(job(secret, tmp_path / "first", "max_steps=1"), lambda line: None)
    assert first["contains_restricted_derivatives"]
    again = job(data, tmp_path / "second", "max_steps=1", model=str(tmp_path / "first"))
    assert finetune(again, lambda line: None)["data_class"] == "credentialed"
    assert "credentialed" in (tmp_path / "second" / "README.md").read_text()


def test_what_cannot_work_is_said_before_training(
    data: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    model = str(trained[0])
    for items, said in (
        (["max_length=2048"], "more than the 1,024 tokens"),
        (["method=lora", "lora.targets=[c_attn]"], "no modules c_attn"),
        (["precision=fp16"], "fp16 needs a GPU"),
        (["max_length=16"], "longer than max_length"),
    ):
        with pytest.raises(ConfigError, match=said):
            finetune(job(data, tmp_path / "out", *items, model=model), lambda line: None)
    # What was refused leaves nothing that stands in the way of the next attempt.
    finetune(job(data, tmp_path / "out", "max_steps=1"), lambda line: None)


def test_llama_factory_s_own_parser_takes_the_file(
    trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    parser = pytest.importorskip(
        "llamafactory.hparams", reason="it pins older libraries: an environment of its own"
    )
    import yaml

    exported = training_set(tmp_path / "set", "llama-factory")
    asked = job(exported, tmp_path / "out", "method=lora", "precision=fp32", model=str(trained[0]))
    made = write_files(asked, ["llama-factory"])
    values = yaml.safe_load(next(p for p in made if "train" in p.name).read_text())
    model, files, training, tuning, _ = parser.get_train_args(values)
    assert tuning.finetuning_type == "lora" and files.dataset == ["toy_train"]
    assert training.max_steps == 6 and model.model_name_or_path == str(trained[0])


def test_a_length_nobody_chose_is_what_the_model_reads(
    data: Path, trained: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    config = resolve(None, None, ["max_steps=1", "batch_size=2", "eval_every=never"])
    made = finetune(TrainJob(data, tmp_path / "model", config, trained[0]), lambda line: None)
    assert (config.max_length, made["options"]["max_length"]) == (2048, 1024)
