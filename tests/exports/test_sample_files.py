"""Every format of samples: written, read back, counted, replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.core.errors import ConfigError, DataError
from pipeline.core.hashing import sha256_file
from tests.exports.sample_records import ODD, export, facts, record, records

parquet = pytest.importorskip("pyarrow.parquet", reason="the extra parquet is not installed")

FORMATS = ("alpaca", "sharegpt", "llama-factory", "trl", "parquet")


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
    if path.suffix == ".parquet":
        return list(parquet.read_table(path).to_pylist())
    found: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))
    return found


def turns(row: dict[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    """System prompt and pairs of a row of any format, as a trainer understands them."""
    if "conversations" in row:
        said = [(turn["from"], turn["value"]) for turn in row["conversations"]]
    elif "prompt" in row:
        said = [(turn["role"], turn["content"]) for turn in row["prompt"] + row["completion"]]
    else:
        question = "\n".join(text for text in (row["instruction"], row["input"]) if text)
        pairs = [(q, a) for q, a in row.get("history") or []]
        return row.get("system") or "", [*pairs, (question, row["output"])]
    system = said.pop(0)[1] if said[0][0] == "system" else ""
    assert [role for role, _ in said[::2]] == [said[0][0]] * (len(said) // 2)
    assert said[0][0] in ("human", "user")
    assert {role for role, _ in said[1::2]} <= {"gpt", "assistant"}
    texts = [text for _, text in said]
    return system, list(zip(texts[::2], texts[1::2], strict=True))


@pytest.mark.parametrize("format_", FORMATS)
def test_samples_come_back_as_written(tmp_path: Path, format_: str) -> None:
    rows = [
        record(0, split="train", output=ODD),
        record(3, split="train", input="", system="Answer in a sentence."),
        record(6, split="validate", history=[["First?", "Yes."], ["Then?", ODD]]),
        record(9, split="test"),
    ]
    manifest = export(format_, rows, tmp_path / "out")
    assert {part: about["rows"] for part, about in manifest["parts"].items()} == {
        "train": 2,
        "validation": 1,
        "test": 1,
    }
    found = {
        part: read(tmp_path / "out" / about["file"]) for part, about in manifest["parts"].items()
    }
    assert [turns(row) for row in found["train"]] == [
        ("", [("Question 0?\nFINDINGS: The heart is of size 0.", ODD)]),
        ("Answer in a sentence.", [("Question 3?", "It is of size 3.")]),
    ]
    (validation,) = found["validation"]
    assert turns(validation)[1][:2] == [("First?", "Yes."), ("Then?", ODD)]
    # Loaders make columns of keys: all rows must have the same.
    assert len({tuple(row) for rows in found.values() for row in rows}) == 1
    if format_ != "trl":
        assert found["test"][0]["id"] == "9/answers/0"


@pytest.mark.parametrize("format_", FORMATS)
def test_the_manifest_counts_and_says_how_the_data_may_be_used(
    tmp_path: Path, format_: str
) -> None:
    rows = [*records(30), record(40, output=""), record(41, instruction=7)]
    manifest = export(format_, rows, tmp_path / "out", facts(data_class="credentialed"))
    assert manifest["contains_restricted_derivatives"] is True
    assert manifest["notice"] == "Made of credentialed data."
    assert manifest["rows"] == 30
    assert manifest["skipped"] == {"bad_sample": 2}
    assert sum(about["patients"] for about in manifest["parts"].values()) == 10
    assert sum(about["studies"] for about in manifest["parts"].values()) == 30
    families = [about["families"] for about in manifest["parts"].values()]
    assert sum(found.get("qa", 0) for found in families) == 15
    for name, about in manifest["files"].items():
        path = tmp_path / "out" / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert sha256_file(path) == about["sha256"]
    (written,) = (tmp_path / "out").glob("*manifest.json")
    text = written.read_text()
    assert json.loads(text) == manifest
    assert "size 3" not in text
    assert "Question" not in text


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_samples_give_the_same_bytes_and_old_parts_go(
    tmp_path: Path, format_: str
) -> None:
    out = tmp_path / "out"
    first = export(format_, records(60), out)
    again = export(format_, records(60), out)
    assert first == again
    only = export(format_, records(60), out, by="none")
    assert list(only["parts"]) == ["train"]
    kept = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    (manifest,) = out.glob("*manifest.json")
    assert kept == {*only["files"], manifest.name}


def test_a_folder_of_another_format_is_not_written_over(tmp_path: Path) -> None:
    export("alpaca", records(9), tmp_path / "out")
    with pytest.raises(ConfigError, match="holds alpaca; write sharegpt into another folder"):
        export("sharegpt", records(9), tmp_path / "out")


def test_a_leak_leaves_what_was_there(tmp_path: Path) -> None:
    first = export("alpaca", records(9), tmp_path / "out")
    with pytest.raises(DataError, match="leakage"):
        export("alpaca", [record(0, split="train"), record(1, split="test")], tmp_path / "out")
    for name, about in first["files"].items():
        assert sha256_file(tmp_path / "out" / name) == about["sha256"]


def test_columns_that_no_sample_uses_are_left_out(tmp_path: Path) -> None:
    manifest = export("alpaca", records(3), tmp_path / "out", by="none")
    (row, *_) = read(tmp_path / "out" / manifest["parts"]["train"]["file"])
    assert set(row) == {"id", "instruction", "input", "output"}


def test_text_formats_skip_samples_with_images_and_say_so(tmp_path: Path) -> None:
    rows = [record(0), record(3, image_paths=["a.png"])]
    assert export("alpaca", rows, tmp_path / "out")["skipped"] == {"has_images": 1}


class TestLlamaFactory:
    def test_the_entries_describe_the_files(self, tmp_path: Path) -> None:
        rows = records(60, system="Be short.")
        export("llama-factory", rows, tmp_path, facts("chest"))
        info = json.loads((tmp_path / "dataset_info.json").read_text())
        assert info["chest_validation"] == {
            "file_name": "chest_validation.json",
            "formatting": "alpaca",
            "columns": {
                "prompt": "instruction",
                "query": "input",
                "response": "output",
                "system": "system",
            },
        }
        assert set(info) == {"chest_train", "chest_validation", "chest_test"}
        assert all((tmp_path / entry["file_name"]).is_file() for entry in info.values())

    def test_other_data_sets_of_the_folder_stay(self, tmp_path: Path) -> None:
        (tmp_path / "dataset_info.json").write_text('{"theirs": {"file_name": "theirs.json"}}')
        export("llama-factory", records(60), tmp_path, facts("one"))
        export("llama-factory", records(60), tmp_path, facts("two"), by="none")
        export("llama-factory", records(60), tmp_path, facts("one"), by="none")
        info = json.loads((tmp_path / "dataset_info.json").read_text())
        assert set(info) == {"theirs", "one_train", "two_train"}
        assert not (tmp_path / "one_test.json").exists()
        assert (tmp_path / "two_train.json").exists()

    def test_a_broken_info_file_is_not_written_over(self, tmp_path: Path) -> None:
        (tmp_path / "dataset_info.json").write_text("[")
        with pytest.raises(ConfigError, match="is no JSON object"):
            export("llama-factory", records(9), tmp_path)
        assert (tmp_path / "dataset_info.json").read_text() == "["

    def test_every_image_has_its_mark_in_the_text(self, tmp_path: Path) -> None:
        rows = [
            record(0, image_paths=["a.png", "b.png"]),
            record(1, image_paths=["c.png"], instruction="In <image>, where?"),
            record(2),
        ]
        export("llama-factory", rows, tmp_path, by="none")
        made = read(tmp_path / "toy_train.json")
        assert [row["instruction"].count("<image>") for row in made] == [2, 1, 0]
        assert [row["images"] for row in made] == [["a.png", "b.png"], ["c.png"], []]
        info = json.loads((tmp_path / "dataset_info.json").read_text())
        assert info["toy_train"]["columns"]["images"] == "images"


class TestParquet:
    def test_a_row_keeps_its_identity_and_flags(self, tmp_path: Path) -> None:
        rows = [record(4, split="test", flags=["short", {"kind": "unsupported", "span": [1, 2]}])]
        export("parquet", rows, tmp_path)
        (row,) = read(tmp_path / "data/test-00000-of-00001.parquet")
        assert (row["study_id"], row["subject_id"], row["split"]) == ("4", "1", "test")
        assert row["flags"] == ["short", '{"kind":"unsupported","span":[1,2]}']
        assert row["history"] == []

    def test_rows_are_written_in_groups(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pipeline.exports.parquet.GROUP_ROWS", 4)
        export("parquet", records(10), tmp_path, by="none")
        file = parquet.ParquetFile(tmp_path / "data/train-00000-of-00001.parquet")
        assert (file.num_row_groups, file.metadata.num_rows) == (3, 10)

    def test_the_card_has_counts_and_terms_but_no_row(self, tmp_path: Path) -> None:
        rows = [*records(60, output="Never in a card."), record(99, output="")]
        manifest = export("parquet", rows, tmp_path, facts(data_class="credentialed"))
        card = (tmp_path / "README.md").read_text()
        _, front, body = card.split("---\n", 2)
        about = yaml.safe_load(front)
        assert about["license_name"] == "credentialed-as-source"
        assert about["configs"][0]["data_files"] == [
            {"split": part, "path": facts_["file"]} for part, facts_ in manifest["parts"].items()
        ]
        for needed in (
            "60 samples made by the recipe `toy`: Toys.",
            "| output | 4 | 4 | 4 |",
            "| answer | m | 9 | 8 | 0 | 1 |",
            "answer: ungrounded 1",
            "bad_sample 1",
            "must not be passed on",
        ):
            assert needed in body
        assert "Never in a card" not in card
        assert "The heart" not in card
        assert "Question 1" not in card

    def test_only_mimic_is_given_the_licence_of_mimic(self, tmp_path: Path) -> None:
        about = facts(data_class="credentialed")
        about.provenance["source"]["kind"] = "mimic-tree"
        export("parquet", records(9), tmp_path, about)
        card = (tmp_path / "README.md").read_text()
        assert "license_name: physionet-credentialed-health-data-1.5.0" in card

    def test_without_the_library_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
        with pytest.raises(ConfigError, match=r"cxr-pipeline\[parquet\]"):
            export("parquet", records(3), tmp_path)
