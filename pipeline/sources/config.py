"""What a recipe or the command line says about the input."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DataClass = Literal["credentialed", "public", "synthetic"]
"""How strictly a source is governed; ``credentialed`` is the strictest."""

KINDS = ("mimic-tree", "mimic-zip", "openi-xml", "openi-csv", "table", "keyinfo-json")
"""Every kind of source; ``auto`` chooses by looking at the path."""


class SourceConfig(BaseModel):
    """The ``source`` part of a recipe.

    Attributes:
        path: folder or file to read.
        kind: one of :data:`KINDS`, or ``auto``.
        columns: for tables, field -> column name (``{"id": "study", "text": "report"}``). Section
            fields (``indication``, ``findings``, ...) become titled sections of the text.
        encoding: of a CSV table; ``auto`` tells UTF-8, UTF-16 and GB18030 apart.
        ids: file with one study id per line; only these are read.
        exclude: file with one study id per line; these are left out.
        split: only studies of this split (MIMIC-CXR: ``train``, ``validate``, ``test``).
        sample: number of studies drawn with ``seed``; a larger sample contains the smaller one.
        seed: seed of ``sample``.
        limit: stop after this many studies, in the order of the source.
        data_class: ``auto`` takes the file ``DATA_CLASS`` of the input or the default of the kind.
        metadata: folder with the ``mimic-cxr-2.*`` csv.gz files, or a ``mimic_all.csv``, where they
            do not lie beside the reports.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    path: str
    kind: Literal[
        "auto", "mimic-tree", "mimic-zip", "openi-xml", "openi-csv", "table", "keyinfo-json"
    ] = "auto"
    columns: dict[str, str] = Field(default_factory=dict)
    encoding: str = "auto"
    ids: str | None = None
    exclude: str | None = None
    split: str | None = None
    sample: int | None = Field(default=None, ge=1)
    seed: int = 0
    limit: int | None = Field(default=None, ge=1)
    data_class: Literal["auto", "credentialed", "public", "synthetic"] = "auto"
    metadata: str | None = None
