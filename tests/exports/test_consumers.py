"""The loaders that exports are made for, where they are installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.exports.sample_records import ODD, export, facts, record

pytestmark = pytest.mark.heavy

ROWS = [
    record(
        number,
        system="Be short." if number % 3 else "",
        history=[["First?", "Yes."], ["Then?", ODD]] if number % 4 == 0 else None,
    )
    for number in range(200)
]


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    for name in ("HF_HUB_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    return tmp_path / "cache"


@pytest.mark.parametrize("format_", ["alpaca", "sharegpt", "trl", "parquet", "llama-factory"])
def test_datasets_finds_the_parts_of_a_folder(tmp_path: Path, offline: Path, format_: str) -> None:
    datasets = pytest.importorskip("datasets")
    manifest = export(format_, ROWS, tmp_path / "out")
    loaded = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(offline))
    rows = {part: about["rows"] for part, about in manifest["parts"].items()}
    assert {part: len(rows) for part, rows in loaded.items()} == rows


def test_trl_learns_the_answer_alone(tmp_path: Path, offline: Path) -> None:
    datasets = pytest.importorskip("datasets")
    data_utils = pytest.importorskip("trl.data_utils")
    export("trl", ROWS, tmp_path / "out", by="none")
    file = str(tmp_path / "out" / "train.jsonl")
    loaded = datasets.load_dataset("json", data_files=file, cache_dir=str(offline), split="train")
    assert data_utils.is_conversational(loaded[0])
    assert set(loaded.column_names) == {"prompt", "completion"}
    assert all(row["completion"][0]["role"] == "assistant" for row in loaded)


def test_llama_factory_takes_the_entry(tmp_path: Path, offline: Path) -> None:
    pytest.importorskip("llamafactory", reason="it pins older libraries: an environment of its own")
    from llamafactory.data.loader import _load_single_dataset
    from llamafactory.data.parser import get_dataset_list
    from llamafactory.hparams import DataArguments, ModelArguments
    from transformers import Seq2SeqTrainingArguments

    manifest = export("llama-factory", ROWS, tmp_path / "out", facts("chest"))
    names = [f"chest_{part}" for part in manifest["parts"]]
    arguments = DataArguments(dataset=",".join(names), dataset_dir=str(tmp_path / "out"))
    model = ModelArguments(model_name_or_path="none", cache_dir=str(offline))
    training = Seq2SeqTrainingArguments(output_dir=str(tmp_path / "t"), report_to=[])
    found: dict[str, Any] = {
        name: _load_single_dataset(attribute, model, arguments, training)
        for name, attribute in zip(
            names, get_dataset_list(names, arguments.dataset_dir), strict=True
        )
    }
    counts = {f"chest_{part}": about["rows"] for part, about in manifest["parts"].items()}
    assert {name: len(rows) for name, rows in found.items()} == counts
    first = found["chest_train"][0]
    assert first["_prompt"][-1]["role"] == "user"
    assert first["_response"][-1]["content"]
