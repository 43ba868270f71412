from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.core.errors import ConfigError
from pipeline.sources import Source, SourceConfig, open_source
from tests.sources.mimic_tree import write_tree, write_zip


def opened(path: Path, **options: Any) -> Source:
    return open_source(SourceConfig(path=str(path), **options))


def complaint(path: Path, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        list(opened(path, **options).locators())
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_path_that_does_not_exist(tmp_path: Path) -> None:
    assert "does not exist" in complaint(tmp_path / "nowhere")


def test_empty_folder(tmp_path: Path) -> None:
    assert "is empty" in complaint(tmp_path)
    assert "holds no MIMIC-CXR notes" in complaint(tmp_path, kind="mimic-tree")


def test_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").write_bytes(b"x")
    assert "no reports of a known kind" in complaint(tmp_path)
    (tmp_path / "notes.csv").write_bytes(b"id,text\n")
    assert "point path at one, such as notes.csv" in complaint(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 not a zip", b"plain text"])
def test_zip_that_is_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "mimic-cxr-reports.zip"
    path.write_bytes(data)
    assert "is not a whole zip file" in complaint(path)
    assert "is not a whole zip file" in complaint(tmp_path)


def test_truncated_zip(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "mimic-cxr-reports.zip")
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        assert "is not a whole zip file" in complaint(path)


def test_zip_without_notes(tmp_path: Path) -> None:
    path = write_zip(tmp_path / "other.zip", {"readme.txt": b"x"})
    assert "holds no MIMIC-CXR notes" in complaint(path)


def test_unknown_file_and_kind(tmp_path: Path) -> None:
    path = tmp_path / "notes.docx"
    path.write_bytes(b"x")
    assert "of no known kind" in complaint(path)
    with pytest.raises(ValidationError):
        SourceConfig.model_validate({"path": str(path), "kind": "word"})
    with pytest.raises(ValidationError):
        SourceConfig.model_validate({"path": str(path), "colums": {}})


@pytest.mark.parametrize("kind", ["mimic-zip", "openi-csv", "table"])
def test_folder_of_another_kind(tmp_path: Path, kind: str) -> None:
    write_tree(tmp_path)
    assert f"is no {kind}" in complaint(tmp_path, kind=kind)


def test_data_class_beside_the_tree(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "DATA_CLASS").write_text("Synthetic\n")
    for below in ("", "files", "files/p10", "files/p10/p10000001"):
        assert opened(tmp_path / below).data_class == "synthetic"
    assert opened(tmp_path, data_class="public").data_class == "public"
    assert opened(tmp_path, data_class="credentialed").data_class == "credentialed"


def test_a_recipe_cannot_loosen_what_lies_with_the_data(tmp_path: Path) -> None:
    write_tree(tmp_path)
    assert opened(tmp_path, data_class="synthetic").data_class == "synthetic"
    (tmp_path / "DATA_CLASS").write_text("credentialed")
    assert opened(tmp_path, data_class="synthetic").data_class == "credentialed"


def test_data_class_of_no_known_word(tmp_path: Path) -> None:
    write_tree(tmp_path)
    (tmp_path / "DATA_CLASS").write_text("free for all")
    assert "must hold one word" in complaint(tmp_path)


def test_tables_are_credentialed_unless_said_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "notes.csv"
    path.write_text("uid,indication,comparison,findings,impression\n1,a,b,c,d\n")
    source = opened(path)
    assert (source.kind, source.data_class) == ("table", "credentialed")
    (tmp_path / "projections.csv").write_text("uid,filename,projection\n1,1.png,Frontal\n")
    source = opened(path)
    assert (source.kind, source.data_class) == ("openi-csv", "public")
