"""Images in requests: a part that names a file, and what is sent of it.

A message's content may hold parts besides text::

    part = image_part(Path("1.png"), max_side=1024, detail="low")
    Message("user", ({"type": "text", "text": "What is seen?"}, part))

The part holds where the file lies and its SHA-256. The file is read again when the request is sent,
so that requests that wait hold no pixels; one that changed in between is refused. What is sent are
the pixels alone, made smaller and packed anew: no EXIF, no text chunks, no file name. The key of a
request is over the content, never over the path.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from pipeline.core.errors import DataError
from pipeline.core.hashing import sha256_hex
from pipeline.llm.types import IMAGE_PART, Message, Request
from pipeline.sources.pictures import decode, facts_of, read_image_file

if TYPE_CHECKING:
    from PIL import Image

Detail = Literal["auto", "low", "high"]
Encoding = Literal["jpeg", "png"]

MAX_SIDE: Final = 1024
"""Usual longer side of what is sent, in pixels."""
LONGEST_SIDE: Final = 8192
SHORTEST_SIDE: Final = 32
JPEG_QUALITY: Final = 90

MAX_IMAGE_BYTES: Final = 20_000_000
"""Of one image as it is sent: the limit of OpenAI and Azure (20 MB)."""
MAX_REQUEST_BYTES: Final = 50_000_000
"""Of all images of a request (OpenAI: 50 MB of images)."""

_TILES: Final[Mapping[str, tuple[int, int]]] = {
    "gpt-4o": (85, 170),
    "gpt-4.1": (85, 170),
    "gpt-4.5": (85, 170),
    "gpt-4o-mini": (2833, 5667),
    "gpt-5": (70, 140),
    "gpt-5-chat": (70, 140),
    "o1": (75, 150),
    "o3": (75, 150),
}
"""Model -> tokens of an image, and of each tile of 512 x 512 at high detail."""

_PATCHES: Final[Mapping[str, float]] = {
    "gpt-4.1-mini": 1.62,
    "gpt-4.1-nano": 2.46,
    "gpt-5-mini": 1.62,
    "gpt-5-nano": 2.46,
    "o4-mini": 1.72,
}
"""Model -> tokens of each patch of 32 x 32; at most 1,536 patches are looked at.

Both tables: OpenAI, "Images and vision", section "Calculating costs"; Azure counts alike.
"""

_MOST_PATCHES: Final = 1_536
_OTHER_PATCH: Final = 28
"""Side of the square that is one token in Qwen2-VL and Qwen2.5-VL, by their model cards."""


def image_part(
    path: Path,
    *,
    max_side: int = MAX_SIDE,
    detail: Detail = "auto",
    encoding: Encoding = "jpeg",
) -> dict[str, Any]:
    """The part of a message that stands for an image file; its header is checked.

    Args:
        path: the file: PNG, JPEG, TIFF, ... or DICOM.
        max_side: what is sent has a longer side of at most so many pixels.
        detail: how closely the service is to look; backends without levels pass over it.
        encoding: ``jpeg`` (quality 90) or ``png`` (without loss, five to ten times the size).

    Returns:
        JSON: ``type``, ``path``, ``sha256``, ``max_side``, ``detail``, ``encoding``, and
        ``width`` and ``height`` in pixels as it will be sent.

    Raises:
        DataError: ``missing_image``, ``unreadable_image``, ``image_too_large`` or
            ``no_dicom_reader``.
        ValueError: ``max_side`` is below 32 or above 8192.
    """
    if not SHORTEST_SIDE <= max_side <= LONGEST_SIDE:
        raise ValueError(f"max_side must be from {SHORTEST_SIDE} to {LONGEST_SIDE}")
    data = read_image_file(path)
    facts = facts_of(data, path.name)
    width, height = _fit(facts.width, facts.height, max_side)
    return {
        "type": IMAGE_PART,
        "path": str(path),
        "sha256": sha256_hex(data),
        "max_side": max_side,
        "detail": detail,
        "encoding": encoding,
        "width": width,
        "height": height,
    }


def image_parts(request: Request) -> Iterator[Mapping[str, Any]]:
    """The image parts of a request, in order."""
    for message in request.messages:
        if not isinstance(message.content, str):
            yield from (part for part in message.content if part.get("type") == IMAGE_PART)


def has_images(request: Request) -> bool:
    """Whether files have to be read to send ``request``."""
    return next(image_parts(request), None) is not None


def load_image(part: Mapping[str, Any]) -> Image.Image:
    """The image of a part as it is sent: mode ``L`` or ``RGB``, no larger than ``max_side``.

    Raises:
        DataError: as :func:`image_part`; ``image_changed``: the file is not the one the part was
            made of; ``dicom_compression``.
    """
    from PIL import Image

    path = Path(part["path"])
    data = read_image_file(path)
    if sha256_hex(data) != part["sha256"]:
        raise DataError("image_changed", f"{path.name} is not the file the request was made of")
    image = decode(data, path.name, least_side=int(part["max_side"]))
    size = int(part["width"]), int(part["height"])
    if image.size == size:
        return image
    return image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)


def encode_image(part: Mapping[str, Any]) -> bytes:
    """The image of a part as a JPEG or PNG file without metadata.

    Raises:
        DataError: as :func:`load_image`; ``image_too_large``: more than 20 MB.
    """
    image, file = load_image(part), io.BytesIO()
    image.info.clear()
    if part["encoding"] == "png":
        image.save(file, "PNG", compress_level=6)
    else:
        image.save(file, "JPEG", quality=JPEG_QUALITY)
    data = file.getvalue()
    if len(data) > MAX_IMAGE_BYTES:
        raise DataError(
            "image_too_large",
            f"{len(data) / 1e6:.0f} MB of {MAX_IMAGE_BYTES / 1e6:.0f}; lower max_side or use jpeg",
        )
    return data


def data_url(part: Mapping[str, Any]) -> str:
    """The image of a part as a ``data:`` address."""
    return f"data:image/{part['encoding']};base64,{base64.b64encode(encode_image(part)).decode()}"


def wire_messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Messages as chat APIs take them, with image parts as ``image_url``; reads the files.

    Raises:
        DataError: an image cannot be sent, or all together have more than 50 MB.
    """
    made, total = [], 0
    for message in messages:
        sent = message.as_json()
        if not isinstance(message.content, str):
            for position, part in enumerate(message.content):
                if part.get("type") != IMAGE_PART:
                    continue
                url = data_url(part)
                total += len(url) * 3 // 4
                if total > MAX_REQUEST_BYTES:
                    raise DataError("image_too_large", "the images of a request: more than 50 MB")
                address = {"url": url, "detail": part["detail"]}
                sent["content"][position] = {"type": "image_url", "image_url": address}
        made.append(sent)
    return made


def image_tokens(part: Mapping[str, Any], model: str = "") -> int:
    """Prompt tokens of an image part, as the service documents them.

    OpenAI's and Azure's models are known by the start of their name. For others each square of
    28 x 28 pixels counts as a token, and ``detail`` does not matter.

    Args:
        part: an image part of ours, or an ``image_url`` part, which counts as 1024 x 1024.
        model: name of the model.
    """
    width, height = int(part.get("width", MAX_SIDE)), int(part.get("height", MAX_SIDE))
    name = model.lower()
    known = [one for one in (*_TILES, *_PATCHES) if name == one or name.startswith(f"{one}-")]
    if not known:
        return math.ceil(width / _OTHER_PATCH) * math.ceil(height / _OTHER_PATCH)
    best = max(known, key=len)
    if best in _PATCHES:
        return math.ceil(_patches(width, height) * _PATCHES[best])
    base, tile = _TILES[best]
    return base if part.get("detail") == "low" else base + tile * _tiles(width, height)


def _tiles(width: int, height: int) -> int:
    """Tiles of 512 x 512 after scaling into 2048 x 2048 and the shorter side down to 768."""
    scale = min(1.0, 2048 / max(width, height))
    scale *= min(1.0, 768 / (min(width, height) * scale))
    # Rounded first: 768 x 1024 pixels must not become 513 by a hair.
    return math.prod(math.ceil(round(side * scale, 3) / 512) for side in (width, height))


def _patches(width: int, height: int) -> int:
    return min(math.ceil(width / 32) * math.ceil(height / 32), _MOST_PATCHES)


def _fit(width: int, height: int, most: int) -> tuple[int, int]:
    """Size of an image whose longer side is at most ``most``."""
    longer = max(width, height)
    if longer <= most:
        return width, height
    return max(1, round(width * most / longer)), max(1, round(height * most / longer))
