from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.finetune import Method, Scratch, Trainer, finetune
from pipeline.core.errors import ConfigError
from tests.training.folders import model_folder, training_set


def test_one_base_is_needed(tmp_path: Path) -> None:
    for model, scratch in ((None, None), ("model", Scratch.tiny)):
        with pytest.raises(ConfigError, match="give --model PATH, or --from-scratch tiny"):
            finetune(tmp_path, tmp_path / "out", model=model, from_scratch=scratch)
    with pytest.raises(ConfigError, match="trained whole"):
        finetune(tmp_path, tmp_path, from_scratch=Scratch.tiny, method=Method.lora)


def test_files_for_another_trainer_are_listed_with_their_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = training_set(tmp_path / "set", "llama-factory")
    base = model_folder(tmp_path / "base")
    out = tmp_path / "out"
    finetune(
        data, out, model=str(base), preset="llmlf", write=[Trainer.llama_factory, Trainer.deepspeed]
    )
    said = capsys.readouterr().out
    assert f"llamafactory-cli train {out / 'llama-factory-train.yaml'}" in said
    assert (out / "deepspeed-zero3.json").is_file()
    assert not (out / "llama-factory-export.yaml").exists()  # nothing to merge: all weights
