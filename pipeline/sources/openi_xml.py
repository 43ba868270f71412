"""One Open-i report out of its XML, without the doors that XML opens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from pipeline.core.errors import DataError

_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_ROOT: Final = "eCitation"
_ORDER: Final = ("EXAMINATION", "INDICATION", "TECHNIQUE", "COMPARISON", "FINDINGS", "IMPRESSION")


@dataclass(frozen=True, slots=True)
class OpeniReport:
    """Titled sections as one text, and the ids of the images."""

    text: str
    images: tuple[str, ...]


def parse_report(xml: str) -> OpeniReport:
    """Sections of ``AbstractText`` under their labels; unlabelled text stands first.

    Entities can only be defined in a document type, and the collection has none: a file with one is
    refused unread, so that nothing is expanded or fetched.

    Raises:
        DataError: ``empty``, ``unsafe_xml`` or ``bad_xml``.
    """
    if not xml.strip():
        raise DataError("empty")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise DataError("unsafe_xml", "it has a document type")
    try:
        # The text is decoded already; a declared encoding would be applied a second time.
        root = ElementTree.fromstring(_DECLARATION.sub("", xml, count=1))
    except (ElementTree.ParseError, ValueError):
        raise DataError("bad_xml") from None
    if root.tag != _ROOT:
        # Whatever else lies in such files is not Open-i, so not public either.
        raise DataError("bad_xml", "no Open-i report")
    sections: dict[str, list[str]] = {}
    for part in root.iter("AbstractText"):
        text = "".join(part.itertext()).strip()
        if text:
            sections.setdefault(part.get("Label", "").strip().upper(), []).append(text)
    known = [title for title in _ORDER if title in sections]
    rest = [title for title in sections if title not in _ORDER]
    parts = [
        f"{title}: {body}" if title else body
        for title in sorted(rest) + known
        for body in sections[title]
    ]
    images = (image.get("id", "") for image in root.iter("parentImage"))
    return OpeniReport("\n\n".join(parts), tuple(image for image in images if image))
