"""Which export formats there are, and what they are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from pipeline.core.errors import ConfigError
from pipeline.core.records import Record
from pipeline.exports.sample_files import SampleFormat
from pipeline.exports.survey import Adapter

Writer = Callable[[Iterable[Record], Path], int]
"""Writes records to a file; gives the rows written."""


@dataclass(frozen=True, slots=True)
class Format:
    """One export format.

    Attributes:
        target: ``module:attribute``: a :data:`Writer`, or a ``SampleFormat`` where it is a folder.
        stage: the kind of stage whose records it takes; "" for samples (:data:`SAMPLE_STAGES`).
        file: usual name of the file or folder.
        takes: for samples, which ones: of ``text`` alone, with ``images``, or ``both``.
    """

    target: str
    stage: str
    file: str
    takes: Literal["text", "images", "both"] = "text"

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder of samples, one file per split."""
        return not self.stage


FORMATS: Mapping[str, Format] = {
    "vqa-csv": Format("pipeline.exports.vqa_csv:write", "questions", "questions.csv"),
    "all-diseases-json": Format(
        "pipeline.exports.all_diseases:write_records", "postprocess", "all_diseases.json"
    ),
    "mimic-all-csv": Format("pipeline.exports.mimic_all:write_records", "ingest", "mimic_all.csv"),
    "labels-csv": Format("pipeline.exports.label_tables:write_labels", "combine", "labels.csv"),
    "label-disputes-csv": Format(
        "pipeline.exports.label_tables:write_disputes", "combine", "label_disputes.csv"
    ),
    "label-agreement-csv": Format(
        "pipeline.exports.label_tables:write_agreement", "combine", "label_agreement.csv"
    ),
    "alpaca": Format("pipeline.exports.alpaca:FORMAT", "", "alpaca"),
    "sharegpt": Format("pipeline.exports.sharegpt:FORMAT", "", "sharegpt"),
    "llama-factory": Format("pipeline.exports.llama_factory:FORMAT", "", "llama-factory", "both"),
    "trl": Format("pipeline.exports.trl:FORMAT", "", "trl", "both"),
    "visualglm": Format("pipeline.exports.visualglm:FORMAT", "", "visualglm", "images"),
    "llava": Format("pipeline.exports.llava:FORMAT", "", "llava", "images"),
    "qwen-vl": Format("pipeline.exports.qwen_vl:FORMAT", "", "qwen-vl", "images"),
    "label-studio": Format("pipeline.exports.label_studio:FORMAT", "", "label-studio", "images"),
    "instruction-csv": Format("pipeline.exports.instruction_csv:FORMAT", "", "csv"),
    "parquet": Format("pipeline.exports.parquet:FORMAT", "", "parquet", "both"),
}
"""Name on the command line and in recipes -> format."""

SAMPLE_STAGES: Mapping[str, str] = {
    "check-answers": "",
    "label-samples": "",
    "keyinfo-samples": "",
    "image-samples": "",
    "csv-samples": "",
}
"""Kind of stage whose records are samples -> ``module:function`` that brings a record into sample
shape (``pipeline.exports.samples``), or "" where records have it. A stage that is not named here
can still be exported by name, if its records have the shape."""

IMAGE_STAGES = frozenset({"image-samples"})
"""Those of :data:`SAMPLE_STAGES` whose samples have images."""


def sample_stages(format_: Format) -> list[str]:
    """Kinds of stages whose samples a format takes."""
    kinds = {"images": IMAGE_STAGES, "text": SAMPLE_STAGES.keys() - IMAGE_STAGES}
    wanted = kinds.get(format_.takes, SAMPLE_STAGES.keys())
    return [kind for kind in SAMPLE_STAGES if kind in wanted]


def find_format(name: str) -> Format:
    """The format called ``name``.

    Raises:
        ConfigError: there is no such format.
    """
    try:
        return FORMATS[name]
    except KeyError:
        raise ConfigError(f"no export format {name!r}; there are: {', '.join(FORMATS)}") from None


def file_writer(name: str) -> Writer:
    """The function that writes a format of one file."""
    writer: Writer = _load(find_format(name).target)
    return writer


def sample_format(name: str) -> SampleFormat:
    """The description of a format that is a folder of samples."""
    format_: SampleFormat = _load(find_format(name).target)
    return format_


def sample_adapter(kind: str) -> Adapter:
    """What makes samples of the records of a kind of stage."""
    target = SAMPLE_STAGES.get(kind, "")
    if not target:
        return _as_it_is
    adapter: Adapter = _load(target)
    return adapter


def _as_it_is(record: Record) -> Record:
    return record


def _load(target: str) -> Any:
    module, attribute = target.split(":")
    return getattr(import_module(module), attribute)
