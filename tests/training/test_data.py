from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.training.data import FORMATS, TrainingSet, open_set
from tests.training.folders import training_set


def read(data: TrainingSet, part: str = "train") -> tuple[list[tuple[int, str, str]], Counter[str]]:
    """Turns before the answer, last question and answer of each sample, and what was skipped."""
    skipped = Counter[str]()
    rows = [(len(d.prompt), d.prompt[-1][1], d.answer) for d in data.dialogues(part, skipped)]
    return rows, skipped


@pytest.mark.parametrize("format_", FORMATS)
def test_every_format_gives_the_same_dialogues(tmp_path: Path, format_: str) -> None:
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    data = open_set(training_set(tmp_path / "set", format_))
    assert (data.format, data.data_class, data.changed) == (format_, "synthetic", ())
    assert set(data.parts) == {"train", "validation", "test"}
    rows, skipped = read(data)
    assert not skipped
    assert len(rows) == 12
    # Sample 0 has a system prompt and an earlier turn, sample 1 has neither.
    assert rows[0] == (
        4,
        "Question 0?\nFINDINGS: The heart is of size 0.",
        "It is of size 0.",
    )
    assert rows[1][0] == 1
    assert len(read(data, "validation")[0]) == 4


def test_a_manifest_may_be_named_where_sets_share_a_folder(tmp_path: Path) -> None:
    folder = training_set(tmp_path / "set", "llama-factory")
    (folder / "other_manifest.json").write_text((folder / "toy_manifest.json").read_text())
    with pytest.raises(ConfigError, match="several data sets"):
        open_set(folder)
    assert open_set(folder / "toy_manifest.json").name == "toy"


def test_a_file_that_was_edited_is_noticed(tmp_path: Path) -> None:
    folder = training_set(tmp_path / "set", "trl")
    path = folder / "train.jsonl"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])
    assert open_set(folder).changed == ("train",)


def test_a_csv_of_instructions_and_responses(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text('INSTRUCTION,RESPONSE\n"双肺, 清晰",未见异常\n心影增大,\n', encoding="utf-8")
    data = open_set(path, data_class="synthetic")
    rows, skipped = read(data)
    assert rows == [(1, "双肺, 清晰", "未见异常")]
    assert skipped == {"bad_sample": 1}


def test_a_folder_of_loose_parts(tmp_path: Path) -> None:
    row = {"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]}
    for name in ("train.jsonl", "valid.jsonl"):
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    data = open_set(tmp_path)
    assert set(data.parts) == {"train", "validation"}
    assert read(data, "validation")[0] == [(1, "q", "a")]


def test_loose_files_are_credentialed_unless_they_say_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "q", "completion": "a"}\n')
    assert open_set(path).data_class == "credentialed"
    assert open_set(path, data_class="public").data_class == "public"
    (tmp_path / "DATA_CLASS").write_text("credentialed\n")
    assert open_set(path, data_class="public").data_class == "credentialed"


def test_an_option_cannot_loosen_a_manifest(tmp_path: Path) -> None:
    folder = training_set(tmp_path / "set", "trl", data_class="credentialed")
    assert open_set(folder, data_class="synthetic").data_class == "credentialed"


def test_samples_with_images_are_counted_not_trained(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"instruction": "q", "output": "a", "images": ["x.png"]}\n'
        '{"instruction": "q", "output": "a"}\nnot json\n'
    )
    rows, skipped = read(open_set(path))
    assert len(rows) == 1
    assert skipped == {"has_images": 1, "bad_row": 1}


def test_what_is_no_set_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        open_set(tmp_path / "none")
    with pytest.raises(ConfigError, match="no train file"):
        open_set(tmp_path)
    (tmp_path / "rows.txt").write_text("x")
    with pytest.raises(ConfigError, match="none of"):
        open_set(tmp_path / "rows.txt")
    (tmp_path / "manifest.json").write_text(
        '{"format": "visualglm", "data_class": "public", "parts": {}, "files": {}}'
    )
    with pytest.raises(ConfigError, match="export for visualglm"):
        open_set(tmp_path)
