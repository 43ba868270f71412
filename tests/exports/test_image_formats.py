"""Formats with images: the layouts their trainers read, their rules, and paths that hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.exports.images import IMAGE
from tests.exports.sample_records import export, facts, record
from tests.support.images import grey, save

FORMATS = ("visualglm", "llava", "qwen-vl", "llama-factory", "trl", "label-studio", "parquet")
MARKING = ("llava", "qwen-vl", "llama-factory")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number in range(12):
        save(tmp_path / "jpg" / f"p{number % 3}" / f"{number}.png", grey(seed=number))
    return tmp_path / "jpg"


def image(number: int, **changes: Any) -> dict[str, Any]:
    paths = [f"p{number % 3}/{number}.png"]
    return record(number, **{"image_paths": paths, "input": "", **changes})


def train(folder: Path) -> list[dict[str, Any]]:
    (path,) = (one for one in folder.iterdir() if one.stem.endswith("train"))
    text = path.read_text("utf-8")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.split("\n") if line]
    rows: list[dict[str, Any]] = json.loads(text)
    return rows


def made(format_: str, rows: list[dict[str, Any]], out: Path, **options: Any) -> Any:
    manifest = export(format_, rows, out, facts("chest"), by="none", **options)
    return train(out), manifest["skipped"]


def test_visualglm_is_the_published_layout(tmp_path: Path, root: Path) -> None:
    rows, skipped = made("visualglm", [image(0), image(1)], tmp_path / "out", root=root)
    assert rows == [
        {"img": "p0/0.png", "prompt": "Question 0?", "label": "It is of size 0."},
        {"img": "p1/1.png", "prompt": "Question 1?", "label": "It is of size 1."},
    ]
    assert skipped == {}


def test_visualglm_skips_what_it_cannot_hold(tmp_path: Path, root: Path) -> None:
    rows = [
        image(0),
        image(1, image_paths=["p1/1.png", "p2/2.png"]),
        image(2, image_paths=None),
        image(3, history=[["First?", "Yes."]]),
    ]
    (first, turned), skipped = made("visualglm", rows, tmp_path / "out", root=root)
    assert skipped == {"several_images": 1, "no_image": 1}
    assert first["label"] == "It is of size 0."
    assert turned == {"img": "p0/3.png", "prompt": "First?", "label": "Yes."}  # the first turn


def test_llava_and_qwen_mark_images_before_the_first_question(tmp_path: Path, root: Path) -> None:
    rows = [
        image(0, history=[["What is it?", "A chest."]]),
        image(1, system="Be short."),
        image(2, image_paths=None),
    ]
    for format_ in ("llava", "qwen-vl"):
        first, second, third = made(format_, rows, tmp_path / format_, root=root)[0]
        assert first == {
            "id": "0/answers/0",
            "image": "p0/0.png",
            "conversations": [
                {"from": "human", "value": "<image>\nWhat is it?"},
                {"from": "gpt", "value": "A chest."},
                {"from": "human", "value": "Question 0?"},
                {"from": "gpt", "value": "It is of size 0."},
            ],
        }
        assert second["conversations"][0]["value"] == "Be short.\n<image>\nQuestion 1?"
        assert "image" not in third and IMAGE not in json.dumps(third)


def test_qwen_takes_several_images_and_llava_does_not(tmp_path: Path, root: Path) -> None:
    rows = [image(0), image(1, image_paths=["p1/1.png", "p2/2.png"])]
    (_, several), skipped = made("qwen-vl", rows, tmp_path / "qwen", root=root)
    assert skipped == {}
    assert several["images"] == ["p1/1.png", "p2/2.png"]
    assert several["conversations"][0]["value"].startswith("<image>\n<image>\nQuestion")
    assert made("llava", rows, tmp_path / "llava", root=root)[1] == {"several_images": 1}


def test_llama_factory_keeps_its_rule(tmp_path: Path, root: Path) -> None:
    rows = [
        image(0),
        image(1, image_paths=["p1/1.png", "p2/2.png"], input="Both views."),
        image(2, image_paths=None),
        image(3, history=[["What is it?", "A chest."]]),
        image(4, instruction="Left: <image> What is seen?"),
    ]
    written, skipped = made("llama-factory", rows, tmp_path / "out", root=root)
    assert skipped == {}
    for row in written:
        assert isinstance(row["images"], list)
        asked = row["instruction"] + row["input"] + "".join(q for q, _ in row["history"])
        answered = row["output"] + "".join(a for _, a in row["history"])
        assert asked.count(IMAGE) == len(row["images"])
        assert IMAGE not in answered
    assert written[1]["instruction"] == "<image>\n<image>\nQuestion 1?"
    assert written[1]["input"] == "Both views."
    assert written[2]["images"] == []
    assert written[3]["history"][0][0] == "<image>\nWhat is it?"
    assert written[3]["instruction"] == "Question 3?"
    assert written[4]["instruction"] == "Left: <image> What is seen?"
    info = json.loads((tmp_path / "out" / "dataset_info.json").read_text())
    assert info["chest_train"]["columns"]["images"] == "images"


@pytest.mark.parametrize("format_", MARKING)
def test_marks_that_fit_no_image_are_skipped(tmp_path: Path, root: Path, format_: str) -> None:
    rows = [
        image(0),
        image(1, instruction="<image><image> Two marks, one image?"),
        image(2, output="I see <image>."),
        image(3, image_paths=None, instruction="What is <image>?"),
    ]
    assert made(format_, rows, tmp_path / "out", root=root)[1] == {"image_tokens": 3}


def test_trl_has_parts_and_a_list_of_images(tmp_path: Path, root: Path) -> None:
    rows = [image(0, history=[["What is it?", "A chest."]]), image(2, image_paths=None)]
    first, second = made("trl", rows, tmp_path / "out", root=root)[0]
    assert first["images"] == ["p0/0.png"] and second["images"] == []
    assert [part["type"] for part in first["prompt"][0]["content"]] == ["image", "text"]
    assert [part["type"] for part in first["prompt"][2]["content"]] == ["text"]
    assert first["completion"] == [
        {"role": "assistant", "content": [{"type": "text", "text": "It is of size 0."}]}
    ]
    marks = sum(p["type"] == "image" for m in first["prompt"] for p in m["content"])
    assert marks == len(first["images"])


def test_trl_without_images_is_as_before(tmp_path: Path) -> None:
    (row,) = made("trl", [record(0)], tmp_path / "out")[0]
    assert row == {
        "prompt": [{"role": "user", "content": "Question 0?\nFINDINGS: The heart is of size 0."}],
        "completion": [{"role": "assistant", "content": "It is of size 0."}],
    }


def test_label_studio_has_tasks_with_predictions(tmp_path: Path, root: Path) -> None:
    (task,) = made("label-studio", [image(0)], tmp_path / "out", root=root)[0]
    assert task["data"]["image"] == "/data/local-files/?d=p0/0.png"
    (answer,) = task["predictions"][0]["result"]
    assert answer["value"] == {"text": ["It is of size 0."]}
    page = (tmp_path / "out" / "label_config.xml").read_text()
    for name in (answer["from_name"], answer["to_name"]):
        assert f'name="{name}"' in page


@pytest.mark.parametrize("format_", FORMATS)
def test_missing_images_are_said_and_nothing_is_written(
    tmp_path: Path, root: Path, format_: str
) -> None:
    rows = [image(0), image(1, image_paths=["p1/none.png"])]
    with pytest.raises(ConfigError, match=r"1 of 2 images are not below .*p1/none\.png"):
        export(format_, rows, tmp_path / "out", root=root)
    assert not list((tmp_path / "out").iterdir())
    export(format_, rows, tmp_path / "out", root=root, images={"check": False})


def test_names_get_a_prefix_and_absolute_ones_lose_the_root(tmp_path: Path, root: Path) -> None:
    rows = [image(0), image(1, image_paths=[str(root / "p1" / "1.png")])]
    options = {"prefix": "./data/Xray/"}
    written, _ = made("visualglm", rows, tmp_path / "out", root=root, images=options)
    assert [row["img"] for row in written] == ["./data/Xray/p0/0.png", "./data/Xray/p1/1.png"]
    assert str(tmp_path) not in json.dumps(written)


@pytest.mark.parametrize("format_", ["visualglm", "llama-factory"])
def test_files_are_copied_only_when_asked(tmp_path: Path, root: Path, format_: str) -> None:
    out = tmp_path / "out"
    made(format_, [image(0)], out, root=root)
    assert not (out / "images").exists()
    options = {"copy_files": True}
    rows, _ = made(format_, [image(0), image(1)], out, root=root, images=options)
    copies = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert copies == {"images/p0/0.png", "images/p1/1.png"}
    names = {row["img"] if "img" in row else row["images"][0] for row in rows}
    assert names == copies
    for path in out.rglob("*.png"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.read_bytes() == (root / path.relative_to(out / "images")).read_bytes()


def test_a_copy_stays_inside_the_export(tmp_path: Path, root: Path) -> None:
    save(tmp_path / "outside.png")
    rows = [image(0, image_paths=["../outside.png"])]
    made("visualglm", rows, tmp_path / "out", root=root, images={"copy_files": True})
    assert (tmp_path / "out" / "images" / "outside.png").is_file()


def test_options_that_cannot_work_are_refused(tmp_path: Path, root: Path) -> None:
    for options, message in (
        ({"copy_files": True}, "--images-root"),
        ({"copy_files": True, "prefix": "a"}, "prefix"),
        ({"root": str(tmp_path / "none")}, "is no folder"),
    ):
        with pytest.raises(ConfigError, match=message):
            export("visualglm", [image(0)], tmp_path / "out", images=options)
