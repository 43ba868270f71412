"""Images that a table names by path or by id."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.sources import SourceConfig, open_source


def images(path: Path) -> Any:
    source = open_source(SourceConfig(path=str(path)))
    return [source.read(locator)["images"] for locator in source.locators()]


@pytest.mark.parametrize("column", ["image_path", "path_to_image", "Image File"])
def test_paths_come_from_a_column(tmp_path: Path, column: str) -> None:
    path = tmp_path / "reports.csv"
    path.write_text(
        f"id,report,view,{column}\n"
        "1,Clear.,PA,train/p1/view1.jpg\n"
        "2,Clear.,,a.png; b.dcm.png\n"
        "3,Clear.,PA,\n"
    )
    assert images(path) == [
        [{"dicom_id": "view1", "view": "PA", "path": "train/p1/view1.jpg"}],
        [
            {"dicom_id": "a", "view": None, "path": "a.png"},
            {"dicom_id": "b.dcm", "view": None, "path": "b.dcm.png"},
        ],
        [],
    ]


def test_an_id_and_a_path_belong_together(tmp_path: Path) -> None:
    path = tmp_path / "reports.jsonl"
    rows = (
        {"id": "1", "text": "Clear.", "dicom_id": "x", "image_path": "a.png"},
        {"id": "2", "text": "Clear.", "image_paths": ["a.png", "b.png"], "image_path": None},
        {"id": "3", "text": "Clear.", "dicom_id": "x"},
    )
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    first, _, third = images(path)
    assert first == [{"dicom_id": "x", "view": None, "path": "a.png"}]
    assert third == [{"dicom_id": "x", "view": None}]
