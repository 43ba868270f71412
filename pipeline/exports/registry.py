"""Which export formats there are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

from pipeline.core.errors import ConfigError
from pipeline.core.records import Record

Writer = Callable[[Iterable[Record], Path], int]

FORMATS = {
    "vqa-csv": ("pipeline.exports.vqa_csv:write", "questions", "questions.csv"),
    "all-diseases-json": (
        "pipeline.exports.all_diseases:write_records",
        "postprocess",
        "all_diseases.json",
    ),
    "mimic-all-csv": ("pipeline.exports.mimic_all:write_records", "ingest", "mimic_all.csv"),
}
"""Format -> (``module:function``, kind of stage whose records it takes, usual file name)."""


def export_writer(name: str) -> Writer:
    """The function that writes a format: takes records and a path, gives the rows written.

    Raises:
        ConfigError: there is no such format.
    """
    module, function = _format(name)[0].split(":")
    writer: Writer = getattr(import_module(module), function)
    return writer


def export_stage(name: str) -> str:
    """The kind of stage whose records a format is made of."""
    return _format(name)[1]


def export_file(name: str) -> str:
    """The usual file name of a format."""
    return _format(name)[2]


def _format(name: str) -> tuple[str, str, str]:
    try:
        return FORMATS[name]
    except KeyError:
        raise ConfigError(f"no export format {name!r}; there are: {', '.join(FORMATS)}") from None
