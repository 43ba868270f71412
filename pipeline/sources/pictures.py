"""Image files as they come from archives: looked at, checked, and brought to 8 bits.

PNG (8 and 16 bits), JPEG, TIFF, BMP, GIF, WebP, PGM and JPEG 2000 are read with Pillow; DICOM with
pydicom where it is installed (:mod:`pipeline.sources.dicom`). What a file says besides its pixels
(EXIF, text chunks, colour profile) stays behind. Of several frames the first is taken.
"""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cache
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.core.errors import DataError
from pipeline.sources.dicom import dicom_image, dicom_size, is_dicom

if TYPE_CHECKING:
    from PIL import Image

FORMATS: Final = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "JPEG2000")
"""Formats that are read; Pillow knows others whose decoders start programs or are little tried."""

MAX_PIXELS: Final = 1 << 26
"""67 megapixels, 8192 x 8192: a large X-ray has 20 to 25. Checked before anything is unpacked."""

MAX_FILE_BYTES: Final = 256 << 20
"""A 16-bit image of :data:`MAX_PIXELS` without compression takes 128 MiB."""

CLIPPED: Final = 0.001
"""Share of the darkest and of the brightest pixels that the window of a deep image cuts off."""

_ROWS: Final = 256

_SWAPPED: Final = frozenset({5, 6, 7, 8})
"""Values of EXIF Orientation (tag 274) that turn an image by 90 degrees."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of an image file says.

    Attributes:
        format: ``PNG``, ``JPEG``, ..., ``DICOM``.
        width: pixels, as the image is to be looked at (EXIF orientation applied).
        height: pixels.
        mode: Pillow's mode of the stored pixels, such as ``L``, ``RGB``, ``I;16``; "" for DICOM.
        frames: images in the file.
    """

    format: str
    width: int
    height: int
    mode: str = ""
    frames: int = 1


def read_image_file(path: Path) -> bytes:
    """The bytes of an image file.

    Raises:
        DataError: ``missing_image``, ``unreadable_image`` or ``image_too_large``.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise DataError("image_too_large", f"{path.name}: {size >> 20} MiB")
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("missing_image", path.name) from None
    except OSError as error:
        raise DataError("unreadable_image", f"{path.name}: {error.strerror}") from None


def look(path: Path) -> ImageFacts:
    """The header of an image file; pixels are not unpacked.

    Raises:
        DataError: ``missing_image``, ``unreadable_image``, ``image_too_large`` or
            ``no_dicom_reader``.
    """
    try:
        with path.open("rb") as file:
            start = file.read(132)
            if is_dicom(start, path.name):
                file.seek(0)
                width, height, frames = dicom_size(file, path.name)
                return _checked(ImageFacts("DICOM", width, height, frames=frames), path.name)
            file.seek(0)
            with _open(file, path.name) as image:
                return _facts(image, path.name)
    except (FileNotFoundError, NotADirectoryError):
        raise DataError("missing_image", path.name) from None
    except OSError as error:
        raise DataError("unreadable_image", f"{path.name}: {error.strerror}") from None


def facts_of(data: bytes, name: str) -> ImageFacts:
    """The header of an image file in memory; ``name`` is for messages.

    Raises:
        DataError: ``unreadable_image``, ``image_too_large`` or ``no_dicom_reader``.
    """
    if is_dicom(data, name):
        width, height, frames = dicom_size(io.BytesIO(data), name)
        return _checked(ImageFacts("DICOM", width, height, frames=frames), name)
    with _open(io.BytesIO(data), name) as image:
        return _facts(image, name)


def decode(data: bytes, name: str, least_side: int | None = None) -> Image.Image:
    """The pixels of an image file in memory, as mode ``L`` or ``RGB``.

    Args:
        data: the whole file.
        name: for messages.
        least_side: the longer side may be as short as this, where the format can be unpacked at a
            smaller scale (JPEG); None for full size.

    Raises:
        DataError: ``unreadable_image`` (damaged, cut, no image), ``image_too_large``,
            ``no_dicom_reader`` or ``dicom_compression``.
    """
    if is_dicom(data, name):
        width, height, frames = dicom_size(io.BytesIO(data), name)
        _checked(ImageFacts("DICOM", width, height, frames=frames), name)
        return dicom_image(data, name)
    from PIL import ImageOps

    _verify(data, name)
    with _open(io.BytesIO(data), name) as image:
        _facts(image, name)
        turned = _orientation(image) != 1
        if least_side is not None and image.format == "JPEG" and image.mode in ("L", "RGB"):
            scale = least_side / max(image.size)
            image.draft(image.mode, (ceil(image.width * scale), ceil(image.height * scale)))
        try:
            image.load()
            return _plain(ImageOps.exif_transpose(image) if turned else image.copy())
        except DataError:
            raise
        except Exception as error:  # decoders of damaged files raise whatever they stumble over
            raise _unreadable(error, name) from None


def window(values: Any) -> Image.Image:
    """A greyscale image of more than 8 bits as mode ``L``: its range, less the outermost 0.1 %.

    Args:
        values: numpy array, height x width, of integers or floats.
    """
    import numpy as np
    from PIL import Image

    if values.dtype == np.uint16:
        return _window_by_table(values)
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values.reshape(-1)
    if not finite.size:
        return Image.fromarray(np.zeros(values.shape, np.uint8))
    low, high = np.quantile(finite, (CLIPPED, 1 - CLIPPED))
    return rescale(values, float(low), float(high))


def _window_by_table(values: Any) -> Image.Image:
    """The same for 16 bits: exact by a histogram, and a table of all values does the rest."""
    import numpy as np
    from PIL import Image

    counts = np.zeros(1 << 16, np.int64)
    for start in range(0, len(values), _ROWS):  # in pieces: it is done in 64 bits
        counts += np.bincount(values[start : start + _ROWS].reshape(-1), minlength=1 << 16)
    below = np.cumsum(counts)
    low = int(np.searchsorted(below, CLIPPED * below[-1], side="right"))
    high = int(np.searchsorted(below, (1 - CLIPPED) * below[-1]))
    table = rescale(np.arange(1 << 16).reshape(256, 256), float(low), float(high))
    return Image.fromarray(np.asarray(table).reshape(-1)[values])


def rescale(values: Any, low: float, high: float) -> Image.Image:
    """Values from ``low`` to ``high`` as 0 to 255; what lies outside is cut off."""
    import numpy as np
    from PIL import Image

    if not high > low:
        low, high = low - 0.5, low + 0.5
    scaled = np.clip(np.nan_to_num(values).astype(np.float32), low, high)
    return Image.fromarray(((scaled - low) * (255.0 / (high - low)) + 0.5).astype(np.uint8))


@cache
def _pillow() -> Any:
    """Pillow's ``Image`` module, without its warnings: what is damaged or huge is refused here."""
    import warnings

    from PIL import Image

    warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)
    warnings.filterwarnings("ignore", module=r"PIL\.")
    return Image


def _open(file: Any, name: str) -> Image.Image:
    pillow = _pillow()
    try:
        image: Image.Image = pillow.open(file, formats=FORMATS)
    except pillow.DecompressionBombError:
        raise DataError("image_too_large", f"{name}: more than {MAX_PIXELS:,} pixels") from None
    except Exception as error:
        raise _unreadable(error, name) from None
    return image


def _verify(data: bytes, name: str) -> None:
    """Check the checksums of a PNG: Pillow passes over those of the pixels when it unpacks."""
    with _open(io.BytesIO(data), name) as image:
        if image.format == "PNG":
            try:
                image.verify()
            except Exception as error:
                raise _unreadable(error, name) from None


def _facts(image: Image.Image, name: str) -> ImageFacts:
    width, height = image.size
    try:
        if _orientation(image) in _SWAPPED:
            width, height = height, width
        frames = int(getattr(image, "n_frames", 1))
    except Exception as error:
        raise _unreadable(error, name) from None
    return _checked(ImageFacts(str(image.format), width, height, image.mode, frames), name)


def _orientation(image: Image.Image) -> int:
    """EXIF Orientation as the header has it; 1 is upright."""
    if image.format == "PNG" and "exif" not in image.info:
        return 1  # Pillow would unpack the pixels to look behind them
    return int(image.getexif().get(274, 1))


def _checked(facts: ImageFacts, name: str) -> ImageFacts:
    if facts.width * facts.height > MAX_PIXELS:
        size = f"{facts.width} x {facts.height}"
        raise DataError("image_too_large", f"{name}: {size}, at most {MAX_PIXELS:,} pixels")
    if facts.width < 1 or facts.height < 1:
        raise DataError("unreadable_image", f"{name}: no pixels")
    return facts


def _plain(image: Image.Image) -> Image.Image:
    """Pixels of any mode as ``L`` or ``RGB``; transparent ones on black, as X-rays have it."""
    import numpy as np

    mode = image.mode
    if mode in ("L", "RGB"):
        return image
    if mode == "1":
        return image.convert("L")
    if mode.startswith("I;16"):
        return window(np.asarray(image).astype(np.uint16))
    if mode in ("I", "F"):
        values = np.asarray(image)
        if mode == "I" and values.min() >= 0 and values.max() < 1 << 16:
            values = values.astype(np.uint16)
        return window(values)
    if mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        ground = _pillow().new("RGBA", image.size, (0, 0, 0, 255))
        ground.alpha_composite(image)
        image = ground
    plain = image.convert("RGB")
    return plain.convert("L") if mode in ("LA", "La") else plain


def _unreadable(error: Exception, name: str) -> DataError:
    if isinstance(error, OSError) and error.errno is not None:
        return DataError("unreadable_image", f"{name}: {os.strerror(error.errno)}")
    return DataError("unreadable_image", f"{name}: {type(error).__name__}")
