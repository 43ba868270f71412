"""Folders of samples: one file per part in some format, and a manifest that says what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import atomic_writer, write_json
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import sha256_file
from pipeline.core.jsonl import dump_line
from pipeline.exports.samples import Sample
from pipeline.exports.survey import Samples, Survey

RowWriter = Callable[[Sample], None]
MakeRow = Callable[[Sample, Survey], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What an export says of itself beside its counts; ids, names and numbers, no text of a record.

    Attributes:
        name: name of the data set; one word of letters, digits, ``.``, ``_``, ``-``.
        data_class: ``credentialed``, ``public`` or ``synthetic``.
        notice: how it may be passed on.
        provenance: for the manifest and the card: recipe, stages with counts, versions, models.
    """

    name: str
    data_class: str
    notice: str
    provenance: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SampleFormat:
    """A format of sample folders.

    Attributes:
        name: what the command line calls it.
        file: path of a part's file in the folder, with ``{name}`` and ``{part}``.
        open_part: opens the writer of one part.
        finish: writes what belongs to the folder as a whole; gives the names of those files.
        takes_images: whether a row can have images.
        least_images: images a row must have.
        most_images: images a row can have; None for any number.
        marks_images: whether the text holds one ``<image>`` for each.
        manifest: name of the manifest; with ``{name}`` in it and in ``file``, several data sets
            share a folder.
    """

    name: str
    file: str
    open_part: Callable[[Path, Survey], AbstractContextManager[RowWriter]]
    finish: Callable[[Path, FolderFacts, Survey, Mapping[str, str]], list[str]] | None = None
    takes_images: bool = False
    least_images: int = 0
    most_images: int | None = None
    marks_images: bool = False
    manifest: str = "manifest.json"

    def refusal(self, sample: Sample) -> str:
        """Why a sample cannot be a row of this format; "" where it can."""
        count = len(sample.image_paths)
        if count and not self.takes_images:
            return "has_images"
        if count < self.least_images:
            return "no_image"
        if self.most_images is not None and count > self.most_images:
            return "several_images"
        return ""


def write_folder(
    format_: SampleFormat, samples: Samples, folder: Path, facts: FolderFacts
) -> dict[str, Any]:
    """Write all parts of ``samples`` into ``folder`` and return its manifest.

    Files of an earlier export of the same format are replaced, and removed where their part is
    empty now. Each file appears whole or not at all, the manifest last.

    Raises:
        ConfigError: the folder holds an export of another format.
        OSError: it cannot be written.
    """
    manifest_path = folder / format_.manifest.format(name=facts.name)
    before = _earlier(manifest_path, format_.name)
    survey = samples.survey
    files = {part: format_.file.format(name=facts.name, part=part) for part in survey.parts}
    with ExitStack() as stack:
        writers: dict[str, RowWriter] = {}
        for part, file in files.items():
            path = folder / file
            path.parent.mkdir(mode=0o700, exist_ok=True)
            writers[part] = stack.enter_context(format_.open_part(path, survey))
        for part, sample in samples:
            writers[part](sample)
        samples.copy_images()
    common = format_.finish(folder, facts, survey, files) if format_.finish else []
    for stale in before - {*files.values(), *common}:
        (folder / stale).unlink(missing_ok=True)
    manifest = _manifest(format_, folder, facts, survey, files, common)
    write_json(manifest_path, manifest)
    return manifest


def json_list(row: MakeRow) -> Callable[[Path, Survey], AbstractContextManager[RowWriter]]:
    """Parts as one JSON list each, a row on every line."""

    @contextmanager
    def open_part(path: Path, survey: Survey) -> Iterator[RowWriter]:
        with atomic_writer(path) as file:
            separator = b"[\n"

            def write(sample: Sample) -> None:
                nonlocal separator
                file.write(separator + dump_line(row(sample, survey)).rstrip(b"\n"))
                separator = b",\n"

            yield write
            file.write(b"\n]\n" if separator == b",\n" else b"[]\n")

    return open_part


def json_lines(row: MakeRow) -> Callable[[Path, Survey], AbstractContextManager[RowWriter]]:
    """Parts as JSON Lines."""

    @contextmanager
    def open_part(path: Path, survey: Survey) -> Iterator[RowWriter]:
        with atomic_writer(path) as file:

            def write(sample: Sample) -> None:
                file.write(dump_line(row(sample, survey)))

            yield write

    return open_part


def _earlier(path: Path, format_: str) -> set[str]:
    """Files of the export whose manifest is there already."""
    manifest = _read_manifest(path)
    if manifest is None:
        return set()
    if manifest.get("format") != format_:
        raise ConfigError(
            f"{path.parent} holds {manifest.get('format', 'other files of a run')}; "
            f"write {format_} into another folder (--out)"
        )
    names = [Path(str(name)) for name in manifest.get("files", {})]
    return {str(name) for name in names if not name.is_absolute() and ".." not in name.parts}


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        value = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return value if isinstance(value, dict) else None


def _manifest(
    format_: SampleFormat,
    folder: Path,
    facts: FolderFacts,
    survey: Survey,
    files: Mapping[str, str],
    common: list[str],
) -> dict[str, Any]:
    rows = {file: survey.parts[part].rows for part, file in files.items()}
    return {
        "format": format_.name,
        "name": facts.name,
        "data_class": facts.data_class,
        "contains_restricted_derivatives": facts.data_class == "credentialed",
        "notice": facts.notice,
        "rows": sum(rows.values()),
        "skipped": dict(survey.skipped.most_common()),
        "parts": {
            part: {
                "file": files[part],
                "rows": counts.rows,
                "patients": counts.patients,
                "studies": counts.studies,
                "families": counts.families,
            }
            for part, counts in survey.parts.items()
        },
        "files": {
            name: {
                **({"rows": rows[name]} if name in rows else {}),
                "bytes": (folder / name).stat().st_size,
                "sha256": sha256_file(folder / name),
            }
            for name in [*files.values(), *common]
        },
        "provenance": dict(facts.provenance),
    }
