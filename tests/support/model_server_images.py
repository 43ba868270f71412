"""What the test server sees of images: it unpacks them, so that a broken one is no answer."""

from __future__ import annotations

import base64
import binascii
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from PIL import Image

IMAGE_CHARACTERS = 4 * 765
"""What an image counts as in the token limit: 765 tokens, as 1024 x 1024 at high detail."""


@dataclass(frozen=True, slots=True)
class SeenImage:
    """One image of a request.

    Attributes:
        format: ``JPEG`` or ``PNG``.
        width: pixels.
        height: pixels.
        mode: Pillow's mode.
        detail: as asked for.
        metadata: names of everything the file says besides its pixels.
        image: the pixels.
    """

    format: str
    width: int
    height: int
    mode: str
    detail: str
    metadata: tuple[str, ...]
    image: Image.Image

    def as_json(self) -> dict[str, Any]:
        """Without the pixels."""
        names = ("format", "width", "height", "mode", "detail")
        return {name: getattr(self, name) for name in names}


def seen_images(messages: Sequence[Mapping[str, Any]]) -> Iterator[SeenImage]:
    """The images of a request, unpacked.

    Raises:
        ValueError: one is no image, or not a ``data:`` address.
    """
    for message in messages:
        content = message.get("content")
        for part in content if isinstance(content, list) else ():
            if part.get("type") == "image_url":
                yield _seen(part["image_url"])
            elif part.get("type") != "text":
                raise ValueError(f"no such content part: {part.get('type')}")


def _seen(address: Mapping[str, Any]) -> SeenImage:
    header, _, data = str(address["url"]).partition(",")
    try:
        image = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
        image.load()
    except (OSError, binascii.Error) as error:
        raise ValueError("not an image") from error
    if header != f"data:image/{str(image.format).lower()};base64":
        raise ValueError("the media type is not that of the image")
    said = {name for name in image.info if not name.startswith("jfif")}
    return SeenImage(
        str(image.format),
        *image.size,
        image.mode,
        address.get("detail", "auto"),
        tuple(sorted({*said, *map(str, image.getexif())})),
        image,
    )


def describe_images(messages: Sequence[Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """An answer that says what the images were: the ``answer`` of a server in tests of vision."""
    return orjson.dumps({"images": [one.as_json() for one in seen_images(messages)]}).decode()
