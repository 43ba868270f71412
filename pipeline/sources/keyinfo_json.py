"""KeyInfo that is there already: the published ``all_diseases.json``, one record per study.

A record that is broken, or is no object, is a reject of its own; what stands around it is read. The
metadata of MIMIC-CXR (views, splits, order of studies) are joined where their tables lie beside the
file or in the folder ``metadata``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import orjson

from pipeline.clinical.keyinfo import CATEGORIES, from_published
from pipeline.core.errors import ConfigError, DataError
from pipeline.core.records import Record
from pipeline.exports.all_diseases import Reject, read
from pipeline.sources.base import Listing, Locator, Source, file_input
from pipeline.sources.columns import cell_text
from pipeline.sources.mimic_files import MetadataFiles, find_metadata
from pipeline.sources.mimic_metadata import load_metadata

_FIELDS = ("subject_id", "dicom_id", "view", "split", "study_date", "study_order")


class KeyInfoJson(Source):
    """A JSON list of KeyInfo records; memory does not grow with its length."""

    kind: ClassVar[str] = "keyinfo-json"

    def inputs(self) -> list[dict[str, Any]]:
        """The file and the tables that are joined."""
        tables = [file_input(path, "metadata") for path in self._metadata_files().found]
        return [file_input(self.path, "keyinfo"), *tables]

    def _metadata_files(self) -> MetadataFiles:
        return find_metadata(self.config.metadata, [self.folder])

    def listing(self) -> Listing:
        """List the records in file order, each with its KeyInfo: they are read only once."""
        table = load_metadata(self._metadata_files())

        def locators() -> Iterator[Locator]:
            try:
                for index, record in enumerate(read(self.path)):
                    locator = _locator(index, record)
                    row = table.get(locator["id"])
                    if row is not None:
                        known = {k: v for k, v in locator.items() if v is not None}
                        locator = {**locator, **row.as_fields(), **known}
                    yield locator
            except DataError as error:
                raise ConfigError(f"{self.path} is no KeyInfo file: {error.detail}") from None
            except OSError as error:
                raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from None

        return locators

    def read_at(self, locator: Locator) -> Record:
        """The record of one study: its identity and ``keyinfo`` as the file has it."""
        fields = {name: locator.get(name) for name in ("id", *_FIELDS)}
        return {
            **{"id": fields.pop("id"), "study_id": locator["id"]},
            **fields,
            "images": locator.get("images", []),
            "source": locator["at"],
            "keyinfo": locator["keyinfo"],
        }


def _locator(index: int, record: dict[str, Any] | Reject) -> Locator:
    if isinstance(record, Reject):
        return {"id": f"record-{index}", "at": index, "problem": record.reason}
    name = cell_text(record.get("study_id"))
    if not name:
        return {"id": f"record-{index}", "at": index, "problem": "no_id"}
    if not any(category in record for category in CATEGORIES):
        return {"id": name, "at": index, "problem": "no_keyinfo"}
    keyinfo = {key: value for key, value in record.items() if key in CATEGORIES}
    fields = {field: cell_text(record.get(field)) or None for field in _FIELDS}
    locator = {"id": name, "at": index, **fields, "keyinfo": from_published(keyinfo)}
    try:
        orjson.dumps(locator)
    except orjson.JSONEncodeError:  # too deep, half a surrogate pair, a number of 100 digits
        return {"id": f"record-{index}", "at": index, "problem": "not_storable"}
    return locator
