"""Image files: every kind that archives hold comes out as 8 bits, a bad one as a reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from pipeline.core.errors import DataError
from pipeline.sources.pictures import MAX_PIXELS, decode, look
from tests.support.images import deep, drawn, grey, huge_png, save


def opened(path: Path) -> Image.Image:
    return decode(path.read_bytes(), path.name)


def reason(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        decode(path.read_bytes(), path.name)
    return caught.value.reason


@pytest.mark.parametrize("most", [255, 4095, 65535])
def test_deep_images_use_all_of_8_bits(tmp_path: Path, most: int) -> None:
    path = save(tmp_path / "deep.png", deep(most=most))
    assert look(path).mode == "I;16"
    image = opened(path)
    assert image.mode == "L" and image.size == (64, 80)
    assert image.getextrema() == (0, 255)
    expected = drawn()
    expected = (expected - expected.min()) / (expected.max() - expected.min()) * 255
    assert np.abs(np.asarray(image) - expected).max() < 3


def test_a_single_hot_pixel_does_not_darken_a_deep_image(tmp_path: Path) -> None:
    values = (drawn(200, 200) * 1000).astype(np.uint16)
    values[0, 0] = 65535
    image = opened(save(tmp_path / "hot.png", Image.fromarray(values)))
    assert np.asarray(image).mean() > 60


@pytest.mark.parametrize("value", [0, 7, 65535])
def test_a_deep_image_of_one_value_is_even(tmp_path: Path, value: int) -> None:
    values = np.full((20, 30), value, np.uint16)
    image = opened(save(tmp_path / "even.png", Image.fromarray(values)))
    low, high = image.getextrema()
    assert low == high


@pytest.mark.parametrize(
    ("suffix", "mode", "becomes"),
    [
        (".png", "1", "L"),
        (".png", "L", "L"),
        (".png", "LA", "L"),
        (".png", "P", "RGB"),
        (".png", "RGB", "RGB"),
        (".png", "RGBA", "RGB"),
        (".jpg", "L", "L"),
        (".jpg", "CMYK", "RGB"),
        (".tif", "F", "L"),
        (".tif", "I", "L"),
        (".bmp", "L", "L"),
        (".webp", "RGB", "RGB"),
        (".gif", "P", "RGB"),
        (".pgm", "L", "L"),
    ],
)
def test_every_mode_becomes_grey_or_colour(
    tmp_path: Path, suffix: str, mode: str, becomes: str
) -> None:
    path = save(tmp_path / f"image{suffix}", grey().convert(mode))
    image = opened(path)
    assert (image.mode, image.size) == (becomes, (64, 80))
    if mode != "1":
        difference = np.asarray(image.convert("L"), float) - drawn() * 255
        assert np.abs(difference).mean() < 20


def test_transparent_pixels_are_black(tmp_path: Path) -> None:
    image = Image.new("RGBA", (4, 4), (255, 255, 255, 0))
    assert opened(save(tmp_path / "clear.png", image)).getextrema() == ((0, 0), (0, 0), (0, 0))


def test_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = save(tmp_path / "turned.jpg", grey(), exif=exif)
    facts = look(path)
    assert (facts.width, facts.height) == (80, 64)
    assert opened(path).size == (80, 64)
    assert opened(path).getpixel((40, 5)) == pytest.approx(grey().getpixel((5, 39)), abs=12)


def test_the_first_of_several_frames_is_taken(tmp_path: Path) -> None:
    path = save(
        tmp_path / "moving.gif", grey(), save_all=True, append_images=[Image.new("L", (64, 80))]
    )
    assert look(path).frames == 2
    assert opened(path).convert("L").getextrema()[1] > 100


def test_a_real_x_ray_size_is_read_and_a_bomb_is_not(tmp_path: Path) -> None:
    large = Image.fromarray(np.zeros((5000, 4000), np.uint16) + 7)
    assert opened(save(tmp_path / "large.png", large)).size == (4000, 5000)
    bomb = huge_png(tmp_path / "bomb.png")
    assert bomb.stat().st_size < 500_000
    assert reason(bomb) == "image_too_large"
    with pytest.raises(DataError, match="image_too_large"):
        look(bomb)
    just_above = huge_png(tmp_path / "above.png", 8200)
    assert MAX_PIXELS < 8200**2
    assert reason(just_above) == "image_too_large"


def test_damaged_files_have_a_reason(tmp_path: Path) -> None:
    for suffix, options in ((".png", {}), (".jpg", {"quality": 95}), (".tif", {})):
        whole = save(tmp_path / f"whole{suffix}", grey(300, 300), **options).read_bytes()
        for share in (0.01, 0.3, 0.6, 0.9):
            cut = tmp_path / f"cut{suffix}"
            cut.write_bytes(whole[: int(len(whole) * share)])
            assert reason(cut) == "unreadable_image", (suffix, share)
    for content in (b"", b"no image", b"\x89PNG\r\n\x1a\n", bytes(1000)):
        bad = tmp_path / "bad.png"
        bad.write_bytes(content)
        assert reason(bad) == "unreadable_image"
        with pytest.raises(DataError, match="unreadable_image"):
            look(bad)


def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path / "flip.png", grey(300, 300)).read_bytes())
    data[len(data) // 2] ^= 1
    path = tmp_path / "flipped.png"
    path.write_bytes(data)
    assert reason(path) == "unreadable_image"


def test_a_text_chunk_that_unpacks_to_gigabytes_is_refused(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "A" * (100 << 20), zip=True)
    assert reason(save(tmp_path / "text.png", grey(), pnginfo=info)) == "unreadable_image"


def test_missing_files_and_folders_have_a_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="missing_image"):
        look(tmp_path / "none.png")
    with pytest.raises(DataError, match="unreadable_image"):
        look(tmp_path)


def test_formats_that_start_programs_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "page.eps"
    Image.new("RGB", (4, 4)).save(path)
    assert reason(path) == "unreadable_image"


def test_a_name_does_not_make_a_png_a_dicom(tmp_path: Path) -> None:
    path = save(tmp_path / "1_IM-0001-4001.dcm.png")
    path.rename(tmp_path / "1_IM-0001-4001.dcm")
    assert look(tmp_path / "1_IM-0001-4001.dcm").format == "PNG"
