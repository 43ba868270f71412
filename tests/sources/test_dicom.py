"""DICOM files as they are to be looked at, and what is said where they cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.core.errors import DataError
from pipeline.sources.pictures import decode, look
from tests.support.images import drawn

pydicom = pytest.importorskip("pydicom")


def written(path: Path, pixels: np.ndarray[Any, Any] | None = None, **tags: Any) -> Path:
    """A DICOM file of 12 bits with the drawn picture."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian

    values = (drawn() * 4095).astype(np.uint16) if pixels is None else pixels
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = "1.2.3"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = meta.MediaStorageSOPClassUID, "1.2.3"
    dataset.PatientName = "Sentinel^Name"
    dataset.Rows, dataset.Columns = values.shape[:2]
    dataset.SamplesPerPixel = 3 if values.ndim == 3 else 1
    dataset.PhotometricInterpretation = "RGB" if values.ndim == 3 else "MONOCHROME2"
    if values.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = values.dtype.itemsize * 8
    dataset.BitsStored = 12 if values.dtype == np.uint16 else dataset.BitsAllocated
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(values.dtype.kind == "i")
    dataset.PixelData = values.tobytes()
    for name, value in tags.items():
        setattr(dataset, name, value)
    dataset.save_as(path, enforce_file_format=True)
    return path


def shown(path: Path) -> np.ndarray[Any, Any]:
    image = decode(path.read_bytes(), path.name)
    assert image.mode in ("L", "RGB")
    assert "Sentinel" not in repr(image.info)
    return np.asarray(image).astype(float)


def reason(path: Path) -> DataError:
    with pytest.raises(DataError) as caught:
        decode(path.read_bytes(), path.name)
    return caught.value


def test_the_header_is_looked_at_without_pixels(tmp_path: Path) -> None:
    facts = look(written(tmp_path / "a.dcm"))
    assert (facts.format, facts.width, facts.height, facts.frames) == ("DICOM", 64, 80, 1)


def test_without_a_window_the_range_is_shown(tmp_path: Path) -> None:
    values = shown(written(tmp_path / "a.dcm"))
    assert (values.min(), values.max()) == (0, 255)


def test_monochrome1_is_inverted(tmp_path: Path) -> None:
    plain = shown(written(tmp_path / "a.dcm"))
    inverted = shown(written(tmp_path / "b.dcm", PhotometricInterpretation="MONOCHROME1"))
    assert np.array_equal(inverted, 255 - plain)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT"])
def test_the_window_of_the_file_is_applied(tmp_path: Path, function: str) -> None:
    path = written(
        tmp_path / "a.dcm", WindowCenter=[2048, 10], WindowWidth=[1024, 10], VOILUTFunction=function
    )
    values, stored = shown(path), (drawn() * 4095).astype(np.uint16)
    assert (values[stored < 1500] == 0).all() and (values[stored > 2600] == 255).all()
    middle = values[(stored > 2000) & (stored < 2100)]
    assert 110 < middle.mean() < 145


def test_rescale_slope_comes_before_the_window(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.dcm",
        RescaleSlope=2,
        RescaleIntercept=-1000,
        RescaleType="US",
        WindowCenter=2 * 2048 - 1000,
        WindowWidth=2048,
    )
    values, stored = shown(path), (drawn() * 4095).astype(np.uint16)
    assert (values[stored < 1500] == 0).all() and (values[stored > 2600] == 255).all()


def test_a_lookup_table_of_the_file_is_applied(tmp_path: Path) -> None:
    from pydicom.dataset import Dataset

    table = Dataset()
    table.LUTDescriptor = [4096, 0, 12]
    table.add_new("LUTData", "US", list(range(4095, -1, -1)))
    values = shown(written(tmp_path / "a.dcm", VOILUTSequence=[table]))
    expected = 255 - np.round((drawn() * 4095).astype(int) / 4095 * 255)
    assert np.abs(values - expected).max() <= 1


def test_signed_colour_and_8_bit_pixels(tmp_path: Path) -> None:
    signed = (drawn() * 2000 - 1000).astype(np.int16)
    assert shown(written(tmp_path / "signed.dcm", signed)).max() == 255
    colour = np.stack([(drawn() * 255).astype(np.uint8)] * 3, axis=-1)
    assert np.array_equal(shown(written(tmp_path / "rgb.dcm", colour)), colour)
    assert shown(written(tmp_path / "8.dcm", colour[..., 0])).shape == (80, 64)


def test_packed_pixels_are_unpacked(tmp_path: Path) -> None:
    plain = written(tmp_path / "a.dcm")
    dataset = pydicom.dcmread(plain)
    dataset.compress(pydicom.uid.RLELossless)
    dataset.save_as(tmp_path / "rle.dcm")
    assert np.array_equal(shown(tmp_path / "rle.dcm"), shown(plain))


def test_packed_pixels_without_a_plugin_say_which(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(written(tmp_path / "a.dcm"))
    dataset.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    dataset["PixelData"].VR = "OB"
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.JPEGLSLossless
    dataset.save_as(tmp_path / "ls.dcm")
    error = reason(tmp_path / "ls.dcm")
    if error.reason == "dicom_compression":
        assert "JPEG-LS" in error.detail and "pip install" in error.detail
    else:  # the plugin is there: then the pixels are what is wrong
        assert error.reason == "unreadable_image"


def test_damaged_files_have_a_reason(tmp_path: Path) -> None:
    data = written(tmp_path / "a.dcm").read_bytes()
    for name, content in (
        ("cut.dcm", data[: len(data) // 2]),
        ("start.dcm", data[:200]),
        ("none.dcm", b"no image at all"),
        ("empty.dcm", b""),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert reason(path).reason == "unreadable_image"


def test_what_is_wrong_inside_is_not_said_with_its_values(
    tmp_path: Path, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Libraries quote the element they stumble over; here that may be a name."""
    data = written(tmp_path / "a.dcm").read_bytes()
    for old, new in (
        (b"1.2.3", b"Sent!"),
        (b"1.2.840.10008.1.2.1", b"1.2.840.Sentinel.1"),
        (b"PN\x0e\x00Sentinel", b"DA\x0e\x00Sentinel"),
        (b"MONOCHROME2 ", b"SENTINEL    "),
    ):
        path = tmp_path / "b.dcm"
        path.write_bytes(data.replace(old, new))
        try:
            decode(path.read_bytes(), path.name)
        except DataError as error:
            assert "sent" not in str(error).lower()
    said = caplog.text + "".join(str(one.message) for one in recwarn)
    assert "sent" not in said.lower()


def test_a_huge_one_is_refused_by_its_header(tmp_path: Path) -> None:
    path = written(tmp_path / "a.dcm", Rows=60_000, Columns=60_000)
    assert reason(path).reason == "image_too_large"


def test_without_the_library_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "a.dcm")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    error = reason(path)
    assert error.reason == "no_dicom_reader"
    assert "pip install 'cxr-pipeline[dicom]'" in error.detail
    with pytest.raises(DataError, match="no_dicom_reader"):
        look(path)
