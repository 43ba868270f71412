"""Image rows in the loaders they are made for, where these are installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.exports.sample_records import export, facts, record
from tests.support.images import grey, save

pytestmark = pytest.mark.heavy


def exported(format_: str, folder: Path, **images: Any) -> Path:
    root = folder / "jpg"
    rows = []
    for number in range(12):
        save(root / f"{number}.png", grey(seed=number))
        history = [["What is it?", "A chest."]] if number % 3 == 0 else None
        paths = [f"{number}.png"] if number != 5 else None
        rows.append(record(number, input="", history=history, image_paths=paths))
    rows[7]["image_paths"] = ["7.png", "8.png"]
    export(format_, rows, folder / "out", facts("chest"), root=root, images=images, by="none")
    return folder / "out"


def test_trl_rows_open_their_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    out = exported("trl", tmp_path, copy_files=True)
    monkeypatch.chdir(out)
    loaded = datasets.load_dataset(
        "json", data_files="train.jsonl", cache_dir=str(tmp_path / "cache"), split="train"
    ).cast_column("images", datasets.List(datasets.Image()))
    for row in loaded:
        marks = sum(part["type"] == "image" for turn in row["prompt"] for part in turn["content"])
        assert marks == len(row["images"])
        assert all(image.size == (64, 80) for image in row["images"])
    assert sorted(len(row["images"]) for row in loaded) == [0, *[1] * 10, 2]


@pytest.mark.parametrize("copied", [True, False])
def test_llama_factory_finds_the_images(tmp_path: Path, copied: bool) -> None:
    """With ``media_dir`` at its default, the data set's folder, and set to that of the images."""
    pytest.importorskip("llamafactory", reason="it pins older libraries: an environment of its own")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    out = exported("llama-factory", tmp_path, copy_files=copied)
    media = out if copied else tmp_path / "jpg"
    arguments = DataArguments(dataset="chest_train", dataset_dir=str(out), media_dir=str(media))
    (attribute,) = get_dataset_list(["chest_train"], str(out))
    model = ModelArguments(model_name_or_path="none", cache_dir=str(tmp_path / "cache"))
    training = Seq2SeqTrainingArguments(output_dir=str(tmp_path / "t"), report_to=[])
    rows = _load_single_dataset(attribute, model, arguments, training)
    assert len(rows) == 12
    for row in rows:
        images = row["_images"] or []
        text = "".join(turn["content"] for turn in (*row["_prompt"], *row["_response"]))
        assert text.count("<image>") == len(images)
        assert all(Path(image).is_file() for image in images)


def test_datasets_reads_the_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    for format_ in ("visualglm", "llava", "qwen-vl"):
        out = exported(format_, tmp_path / format_)
        path = out / "train.json"
        loaded = datasets.load_dataset(
            "json", data_files=str(path), cache_dir=str(tmp_path / "cache"), split="train"
        )
        assert len(loaded) == len(json.loads(path.read_text("utf-8")))
