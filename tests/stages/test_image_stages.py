"""Pairing reports with image files, and the samples made of the pairs."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.clinical.caption_prompts import LANGUAGES, caption_prompts
from pipeline.core.errors import ConfigError
from pipeline.core.records import Record
from pipeline.exports.samples import read_sample
from pipeline.exports.vqa_csv import COLUMNS
from pipeline.llm.types import Reply, Request
from pipeline.stages.base import Reject, Result
from pipeline.stages.image_pairs import ImagePairParams, ImagePairs
from pipeline.stages.image_samples import ImageSampleParams, ImageSamples
from tests.support.images import deep, grey, huge_png, save


class Rows:
    def __init__(self, rows: list[Record]) -> None:
        self._rows = rows

    def __iter__(self) -> Iterator[Record]:
        return iter(self._rows)

    def at(self, position: int) -> Record:
        return self._rows[position]


def study(number: int, *images: tuple[str, str | None], **more: Any) -> Record:
    listed = [{"dicom_id": name, "view": view} for name, view in images]
    return {
        "id": str(number),
        "study_id": str(number),
        "caption": "Clear.",
        "images": listed,
        **more,
    }


def pair(root: Path, *rows: Record, **params: Any) -> tuple[list[Result], list[str]]:
    stage = ImagePairs(ImagePairParams.model_validate({"images_root": str(root), **params}))
    results = list(stage.process(Rows(list(rows))))
    return results, [str(left["image"]) for left in stage.leftovers() or ()]


def records(result: Result) -> list[Record]:
    assert not isinstance(result, Reject), result
    return list(result)


def rejected(result: Result) -> tuple[str, bool]:
    assert isinstance(result, Reject)
    return result.reason, result.failed


PA, AP, LATERAL = "postero-anterior", "antero-posterior", "lateral"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for number, name in enumerate(("a", "b", "c", "d")):
        save(tmp_path / "jpg" / "p10" / f"s{number}" / f"{name}.jpg", grey(seed=number))
    return tmp_path / "jpg"


def test_a_study_gets_its_preferred_image(root: Path) -> None:
    row = study(1, ("a", LATERAL), ("b", AP), ("c", PA))
    (result,), left = pair(root, row)
    (made,) = records(result)
    assert made["image_paths"] == ["p10/s2/c.jpg"]
    assert (made["dicom_id"], made["view"], made["image_views"]) == ("c", PA, ["pa"])
    assert made["caption"] == "Clear." and made["images"] == row["images"]
    assert left == ["p10/s3/d.jpg"]


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        (["ap", "pa"], ["b", "c"]),
        (["lateral"], ["a"]),
        (["lateral", "ap"], ["a", "b"]),
        (["pa", "ap", "frontal", "lateral", "other", "unknown"], ["c", "b", "a", "d"]),
    ],
)
def test_views_select_and_order(root: Path, views: list[str], expected: list[str]) -> None:
    row = study(1, ("a", LATERAL), ("b", AP), ("c", PA), ("d", None))
    ((one,), _), ((each,), _), ((all_,), _) = (
        pair(root, row, views=views, images=images) for images in ("one", "each", "all")
    )
    assert [made["dicom_id"] for made in records(one)] == expected[:1]
    assert [made["dicom_id"] for made in records(each)] == expected
    (made,) = records(all_)
    assert [Path(path).stem for path in made["image_paths"]] == expected


def test_reports_without_a_file_are_rejects_and_without_a_view_are_filtered(root: Path) -> None:
    results, left = pair(
        root,
        study(1),
        study(2, ("a", LATERAL)),
        study(3, ("none", PA)),
        study(4, ("none", PA), ("b", AP)),
    )
    assert rejected(results[0]) == ("no_image", False)
    assert rejected(results[1]) == ("no_wanted_view", False)
    assert rejected(results[2]) == ("missing_image", True)
    (made,) = records(results[3])
    assert made["image_paths"] == ["p10/s1/b.jpg"]
    assert made["bad_images"] == [{"image": "none", "reason": "missing_image"}]
    assert left == ["p10/s2/c.jpg", "p10/s3/d.jpg"]  # a lateral view belongs to its report


def test_files_that_cannot_be_read_are_rejects_with_their_reason(tmp_path: Path) -> None:
    root = tmp_path / "png"
    whole = save(root / "whole.png", grey(200, 200)).read_bytes()
    (root / "text.png").write_bytes(b"no image")
    (root / "cut.png").write_bytes(whole[: len(whole) // 2])
    save(root / "deep.png", deep())
    huge_png(root / "bomb.png")
    (root / "scan.dcm").write_bytes(b"no dicom")
    names = ("whole", "text", "cut", "deep", "bomb", "scan")
    rows = [study(number, (name, PA)) for number, name in enumerate(names)]

    def outcome(check: str) -> dict[str, str]:
        results, _ = pair(root, *rows, check=check)
        reasons = (one.reason if isinstance(one, Reject) else "" for one in results)
        return dict(zip(names, reasons, strict=True))

    bad = {"text": "unreadable_image", "bomb": "image_too_large"}
    header = outcome("header")
    assert header.pop("scan") in ("unreadable_image", "no_dicom_reader")
    assert {name: why for name, why in header.items() if why} == bad
    assert outcome("full")["cut"] == "unreadable_image"
    assert not any(outcome("none").values())


def test_a_bad_image_gives_way_to_the_next(root: Path) -> None:
    (root / "p10" / "s2" / "c.jpg").write_bytes(b"")
    (result,), _ = pair(root, study(1, ("c", PA), ("b", AP)))
    (made,) = records(result)
    assert made["dicom_id"] == "b"
    assert made["bad_images"] == [{"image": "p10/s2/c.jpg", "reason": "unreadable_image"}]


def test_results_keep_the_order_of_the_records(root: Path) -> None:
    rows = [study(number, ("abcd"[number % 4], PA)) for number in range(1000)]
    results, _ = pair(root, *rows)
    assert [records(result)[0]["id"] for result in results] == [row["id"] for row in rows]


def test_without_images_the_stage_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    params = ImagePairParams(source={"path": str(tmp_path / "notes")})
    message = params.missing("image-pairs")
    assert "--set stages.image-pairs.images_root=FOLDER" in message and "--until" in message
    with pytest.raises(ConfigError, match="holds no image files"):
        pair(tmp_path / "notes", study(1, ("a", PA)))
    save(tmp_path / "notes" / "deep" / "a.png")
    assert params.missing("image-pairs") == ""


def sample(record: Record, **params: Any) -> Any:
    stage = ImageSamples(ImageSampleParams.model_validate(params))

    async def ask(request: Request) -> Reply:
        raise AssertionError("nothing is asked")

    return asyncio.run(stage.process(record, ask))


CAPTIONED = {
    **study(1, ("a", PA)),
    "subject_id": "7",
    "split": "train",
    "dicom_id": "a",
    "image_paths": ["a.jpg"],
    "caption": "The heart is normal.",
    "translation": "心影正常。",
}


def test_a_sample_asks_in_the_language_of_the_answer() -> None:
    (made,) = sample(CAPTIONED)
    checked = read_sample(made)
    assert checked.output == "心影正常。" and checked.instruction in caption_prompts("zh")
    assert checked.image_paths == ("a.jpg",) and checked.patient == "patient 7"
    (english,) = sample(CAPTIONED, text="caption")
    assert english["output"] == "The heart is normal."
    assert english["instruction"] in caption_prompts("en")
    (mixed,) = sample(CAPTIONED, prompts="en")
    assert mixed["instruction"] in caption_prompts("en")
    (own,) = sample(CAPTIONED, instruction="Report:")
    assert own["instruction"] == "Report:"
    (several,) = sample({**CAPTIONED, "image_paths": ["a.jpg", "b.jpg"]})
    assert several["instruction"] in caption_prompts("zh", several=True)


def test_prompts_vary_by_record_and_seed_and_stay() -> None:
    rows = [{**CAPTIONED, "id": f"{n}/image-pairs/0"} for n in range(300)]
    first = [sample(row)[0]["instruction"] for row in rows]
    assert first == [sample(row)[0]["instruction"] for row in rows]
    assert set(first) == set(caption_prompts("zh"))
    assert first != [sample(row, seed=1)[0]["instruction"] for row in rows]


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_are_prompts_for_one_and_for_several_images(language: str) -> None:
    for several, least in ((False, 10), (True, 4)):
        prompts = caption_prompts(language, several)
        assert len(prompts) == len(set(prompts)) >= least


def test_a_record_without_text_or_image_is_rejected() -> None:
    assert sample({**CAPTIONED, "image_paths": []}).reason == "no_image"
    assert sample({**CAPTIONED, "caption": " ", "translation": None}).reason == "no_text"
    assert sample(CAPTIONED, text="other").reason == "no_text"


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    rows = [
        ("1", "presence", "is there effusion?", "no", "a"),
        ("1", "presence", "is there effusion?", "no", "a"),
        ("1", "location", "where is the opacity?", "left lower lung", "a"),
        ("1", "view", "which view is this?", "AP", "other"),
        ("1", "difference", "what has changed?", "nothing", "a"),
        ("2", "presence", "is there edema?", "yes", "b"),
    ]
    path = tmp_path / "questions.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for study_id, kind, question, answer, image in rows:
            writer.writerow(
                {
                    "study_id": study_id,
                    "subject_id": "7",
                    "question_type": kind,
                    "question": question,
                    "answer": answer,
                    "dicom_id": image,
                }
            )
    return path


def test_questions_about_the_image_become_turns(questions: Path) -> None:
    (made,) = sample(CAPTIONED, questions=str(questions))
    first, *rest = made["history"]
    assert first[1] == "心影正常。" and first[0] in caption_prompts("zh")
    turns = [*map(tuple, rest), (made["instruction"], made["output"])]
    assert turns == [
        ("is there effusion?", "no"),
        ("where is the opacity?", "left lower lung"),
    ]
    assert made["family"] == "image_dialogue"
    (short,) = sample(CAPTIONED, questions=str(questions), turns=1)
    assert len(short["history"]) == 1
    (alone,) = sample({**CAPTIONED, "study_id": "3"}, questions=str(questions))
    assert "history" not in alone


def test_a_missing_question_table_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        sample(CAPTIONED, questions=str(tmp_path / "none.csv"))
