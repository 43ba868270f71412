"""Image files are found by the names records know them by, in every layout."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError, DataError
from pipeline.sources.image_index import ImageIndex, has_image
from pipeline.sources.views import view_class


def touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def find(root: Path, image: str, study: str = "") -> str | None:
    return ImageIndex(root).find({"dicom_id": image}, study)


@pytest.mark.parametrize(
    ("file", "image"),
    [
        ("files/p10/p10000032/s50414267/02aa804e-bde0afdd.jpg", "02aa804e-bde0afdd"),
        ("02aa804e-bde0afdd.JPG", "02aa804e-bde0afdd"),
        ("images/images_normalized/1_IM-0001-4001.dcm.png", "1_IM-0001-4001"),
        ("CXR1_1_IM-0001-4001.png", "CXR1_1_IM-0001-4001"),
        ("CXR1_1_IM-0001-4001.png", "1_IM-0001-4001"),
        ("1_IM-0001-4001.dcm.png", "CXR1_1_IM-0001-4001"),
        ("1/1_IM-0001-4001.dcm", "CXR1_1_IM-0001-4001"),
        ("a.tiff", "a"),
        ("b.png", "b.png"),
    ],
)
def test_an_image_is_found_by_its_id(tmp_path: Path, file: str, image: str) -> None:
    touch(tmp_path, file, "notes/1.txt", ".hidden/other.png", "10_IM-0001-4001.dcm.png")
    assert find(tmp_path, image) == file


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    touch(tmp_path, "a.png", "b.txt")
    for image in ("b", "c", "", "A", "png"):
        assert find(tmp_path, image) is None


def test_of_two_files_with_an_id_the_easier_one_is_taken(tmp_path: Path) -> None:
    touch(tmp_path, "a.dcm", "a.jpg", "b.dcm", "c.jpg", "c.png")
    assert [find(tmp_path, name) for name in "abc"] == ["a.jpg", "b.dcm", "c.png"]


def test_files_of_one_name_are_told_apart_by_study_or_not_at_all(tmp_path: Path) -> None:
    touch(tmp_path, "p1/s50/view1.jpg", "p1/s51/view1.jpg", "p2/52/view1.jpg")
    assert find(tmp_path, "view1", "50") == "p1/s50/view1.jpg"
    assert find(tmp_path, "view1", "52") == "p2/52/view1.jpg"
    for study in ("", "53"):
        with pytest.raises(DataError) as caught:
            find(tmp_path, "view1", study)
        assert caught.value.reason == "ambiguous_image"


def test_paths_stay_below_the_root(tmp_path: Path) -> None:
    root = touch(tmp_path / "root", "train/p1/view1.jpg", "train/p2/view1.jpg", "top.png")
    touch(tmp_path, "outside.png")
    index = ImageIndex(root)
    for path, found in (
        ("train/p2/view1.jpg", "train/p2/view1.jpg"),
        ("./train/p1/../p2/view1.jpg", "train/p2/view1.jpg"),
        ("top.png", "top.png"),
        (str(root / "top.png"), "top.png"),
        ("../outside.png", None),
        (str(tmp_path / "outside.png"), None),
        ("p1/view1.jpg", None),
        ("train/p3/view1.jpg", None),
    ):
        assert index.find({"dicom_id": "x", "path": path}) == found


def test_what_nobody_asked_for_is_left(tmp_path: Path) -> None:
    index = ImageIndex(touch(tmp_path, "b/2.png", "a/1.png", "3.png", "a/4.png", "b/4.png"))
    assert len(index) == 5
    index.find({"dicom_id": "1"})
    index.find({"dicom_id": "4", "path": "b/4.png"})
    assert list(index.unused()) == ["3.png", "a/4.png", "b/2.png"]


def test_a_list_of_files_spares_the_folders(tmp_path: Path) -> None:
    listing = tmp_path / "IMAGE_FILENAMES"
    listing.write_text("files/p10/p1/s1/a.jpg\n./files/p10/p1/s1/b.jpg\n\nfiles/index.html\n")
    index = ImageIndex(tmp_path / "elsewhere", listing)
    assert len(index) == 2
    assert index.find({"dicom_id": "b"}) == "files/p10/p1/s1/b.jpg"


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path / "real", "a.png")
    root = touch(tmp_path / "root", "b.png")
    (root / "linked").symlink_to(tmp_path / "real")
    (root / "again").symlink_to(tmp_path / "real")
    (root / "loop").symlink_to(root)
    index = ImageIndex(root)
    assert len(index) == 2
    assert index.find({"dicom_id": "a"}) in ("linked/a.png", "again/a.png")


def test_nothing_to_index_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no image files"):
        ImageIndex(touch(tmp_path, "a.txt"))
    with pytest.raises(ConfigError, match="cannot be read"):
        ImageIndex(tmp_path / "none")
    with pytest.raises(ConfigError, match="cannot be read"):
        ImageIndex(tmp_path, tmp_path / "none")
    assert not has_image(tmp_path)
    assert has_image(touch(tmp_path, "deep/er/x.PNG"))


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ("postero-anterior", "pa"),
        ("antero-posterior", "ap"),
        ("PA", "pa"),
        ("AP", "ap"),
        ("AP AXIAL", "ap"),
        ("POSTERO_ANTERIOR", "pa"),
        ("ANTERO_POSTERIOR", "ap"),
        ("Frontal", "frontal"),
        ("left lateral", "lateral"),
        ("LATERAL", "lateral"),
        ("LL", "lateral"),
        ("L", "lateral"),
        ("Lateral", "lateral"),
        ("left anterior oblique", "other"),
        ("lateral decubitus", "other"),
        ("", "unknown"),
        (None, "unknown"),
        ("strange", "other"),
    ],
)
def test_views_have_classes(view: str | None, expected: str) -> None:
    assert view_class(view) == expected
