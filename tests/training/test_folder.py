from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError, GovernanceError, ResumeMismatch
from pipeline.training.folder import TrainFolder, read_log
from pipeline.training.loss_plot import write_plot


def checkpoint(folder: TrainFolder, step: int, *, whole: bool = True) -> Path:
    path = folder.checkpoints / f"checkpoint-{step}"
    path.mkdir(parents=True)
    text = json.dumps({"global_step": step})
    (path / "trainer_state.json").write_text(text if whole else text[:5])
    return path


def test_the_newest_whole_checkpoint_counts(tmp_path: Path) -> None:
    folder = TrainFolder(tmp_path)
    assert folder.last_checkpoint() is None
    checkpoint(folder, 90)
    newest = checkpoint(folder, 200)
    torn = checkpoint(folder, 300, whole=False)
    assert folder.last_checkpoint() == newest
    assert not torn.exists()


def test_a_resumed_training_must_be_the_same(tmp_path: Path) -> None:
    folder = TrainFolder(tmp_path / "out")
    folder.prepare()
    deciding = {"options": {"seed": 1, "lora": {"rank": 8}}, "data": {"train": "a"}}
    assert folder.check_same(deciding) is False
    folder.write({"deciding": deciding})
    assert folder.check_same(deciding) is True
    changed = {"options": {"seed": 1, "lora": {"rank": 16}}, "data": {"train": "b"}}
    with pytest.raises(ResumeMismatch, match=r"data\.train, lora\.rank"):
        folder.check_same(changed)


def test_other_peoples_folders_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ConfigError, match="not empty"):
        TrainFolder(tmp_path).prepare()


def test_a_folder_others_can_read_is_refused(tmp_path: Path) -> None:
    folder = TrainFolder(tmp_path / "out")
    folder.prepare()
    folder.guard()
    folder.root.chmod(0o755)
    with pytest.raises(GovernanceError, match="chmod 700"):
        folder.guard()


def test_the_log_is_cut_where_training_goes_on(tmp_path: Path) -> None:
    folder = TrainFolder(tmp_path)
    folder.log.write_text(
        '{"step":1,"loss":2.5}\n{"step":5,"eval_loss":2}\n{"step":6,"loss":1}\n{"st'
    )
    folder.cut_log(5)
    assert [line["step"] for line in read_log(folder.log)] == [1, 5]


def test_the_plot_is_svg_without_anything_foreign(tmp_path: Path) -> None:
    log = [{"step": step, "loss": 5 / step} for step in range(1, 60, 3)]
    log += [{"step": 30, "eval_loss": 0.4}, {"step": 60, "loss": float("nan")}]
    write_plot(log, tmp_path / "loss.svg", "a <set> & more")
    text = (tmp_path / "loss.svg").read_text()
    assert text.startswith("<svg") and text.rstrip().endswith("</svg>")
    assert text.count("<polyline") == 3
    assert "a &lt;set&gt; &amp; more" in text
    assert "nan" not in text and "<script" not in text and text.count("http") == 1
