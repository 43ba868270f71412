"""DICOM images through pydicom (extra ``dicom``), as they are to be looked at.

The modality and VOI transformations of the file are applied (PS3.3 C.11.1 and C.11.2), and
``MONOCHROME1``, where the lowest value is white, is inverted. Without a window in the file its
range is taken. Nothing else of the file is used or handed on.
"""

from __future__ import annotations

import io
import logging
import warnings
from functools import cache
from typing import IO, TYPE_CHECKING, Any, Final

from pipeline.core.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".dcm", ".dicom")
INSTALL: Final = "pip install 'cxr-pipeline[dicom]'"
PLUGINS: Final = "pip install pylibjpeg pylibjpeg-libjpeg pylibjpeg-openjpeg"

_KNOWN_SIGNATURES: Final = (
    b"\x89PNG",
    b"\xff\xd8\xff",
    b"II*\0",
    b"MM\0*",
    b"BM",
    b"GIF8",
    b"RIFF",
)


def is_dicom(start: bytes, name: str) -> bool:
    """Whether a file is DICOM, by its first 132 bytes, or else by its name."""
    if start[128:132] == b"DICM":
        return True
    return name.lower().endswith(SUFFIXES) and not start.startswith(_KNOWN_SIGNATURES)


def dicom_size(file: IO[bytes], name: str) -> tuple[int, int, int]:
    """Width, height and number of frames by the header.

    Raises:
        DataError: ``no_dicom_reader`` or ``unreadable_image``.
    """
    pydicom = _pydicom(name)
    try:
        header = pydicom.dcmread(file, stop_before_pixels=True, force=True)
        return int(header.Columns), int(header.Rows), int(header.get("NumberOfFrames") or 1)
    except Exception as error:  # pydicom raises whatever a damaged file makes it stumble over
        raise _unreadable(error, name) from None


def dicom_image(data: bytes, name: str) -> Image.Image:
    """The first frame of a DICOM file as mode ``L`` or ``RGB``.

    Raises:
        DataError: ``no_dicom_reader``, ``unreadable_image``, or ``dicom_compression``: its
            transfer syntax needs a plugin of pydicom.
    """
    pydicom = _pydicom(name)
    try:
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
        if "PixelData" not in dataset:
            raise DataError("unreadable_image", f"{name}: no pixels")
        if not getattr(dataset.file_meta, "TransferSyntaxUID", None):
            dataset.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    except DataError:
        raise
    except Exception as error:
        raise _unreadable(error, name) from None
    syntax = dataset.file_meta.TransferSyntaxUID
    try:
        from pydicom.pixels import pixel_array

        pixels = pixel_array(dataset, index=0)
    except (RuntimeError, NotImplementedError) as error:
        if _needs_plugin(syntax):
            problem = f"{name}: {syntax.name} needs a plugin; {PLUGINS}"
            raise DataError("dicom_compression", problem) from None
        raise _unreadable(error, name) from None
    except Exception as error:
        raise _unreadable(error, name) from None
    try:
        return _shown(dataset, pixels)
    except Exception as error:
        raise _unreadable(error, name) from None


def _shown(dataset: Any, pixels: Any) -> Image.Image:
    """Stored values as they are shown: modality transformation, window, polarity."""
    import numpy as np
    from PIL import Image, ImageOps
    from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi

    from pipeline.sources.pictures import rescale, window

    interpretation = str(dataset.get("PhotometricInterpretation", ""))
    if interpretation == "PALETTE COLOR":
        pixels = apply_color_lut(pixels, dataset)
        pixels = pixels >> 8 if pixels.dtype == np.uint16 else pixels
    if pixels.ndim == 3:
        if pixels.dtype != np.uint8:
            pixels = (pixels >> max(int(dataset.BitsStored) - 8, 0)).astype(np.uint8)
        return Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
    values = apply_modality_lut(pixels, dataset)
    if dataset.get("VOILUTSequence"):
        table = dataset.VOILUTSequence[0].LUTDescriptor
        shown = rescale(apply_voi(values, dataset), 0.0, 2.0 ** int(table[2]) - 1)
    elif (limits := _window(dataset)) is not None:
        shown = rescale(values, *limits)
    elif pixels.dtype == np.uint8:
        shown = rescale(values, float(values.min()), float(values.max()))
    else:
        shown = window(values.astype(np.float64) if values.dtype.kind == "f" else values)
    return ImageOps.invert(shown) if interpretation == "MONOCHROME1" else shown


def _window(dataset: Any) -> tuple[float, float] | None:
    """Lowest and highest value of the file's first window (PS3.3 C.11.2.1.2), if it has one."""
    centre, width = (_first(dataset.get(name)) for name in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None or width <= 0:
        return None
    if str(dataset.get("VOILUTFunction") or "LINEAR").upper() == "LINEAR":
        return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
    # LINEAR_EXACT; a SIGMOID is shown by the straight line through its middle.
    return centre - width / 2, centre + width / 2


def _first(value: Any) -> float | None:
    """The first of one or several numbers."""
    try:
        return float(value[0] if hasattr(value, "__getitem__") else value)
    except (TypeError, ValueError, IndexError):
        return None


def _needs_plugin(syntax: Any) -> bool:
    """Whether pixels are packed in a way that an installed pydicom could unpack with a plugin."""
    from pydicom.pixels import get_decoder

    try:
        return bool(syntax.is_compressed) and not get_decoder(syntax).is_available
    except NotImplementedError:
        return True
    except ValueError:  # no transfer syntax at all
        return False


def _pydicom(name: str) -> Any:
    try:
        import pydicom
    except ImportError:
        raise DataError("no_dicom_reader", f"{name} is DICOM: {INSTALL}") from None
    _silence()
    return pydicom


@cache
def _silence() -> None:
    """Keep pydicom from quoting damaged elements in warnings and logs: they may hold names."""
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)


def _unreadable(error: Exception, name: str) -> DataError:
    return DataError("unreadable_image", f"{name}: {type(error).__name__}")
