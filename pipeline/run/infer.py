"""``infer``: a column of answers for a CSV, made by a run of two stages beside the output.

The run is one like any other (journal, resumption, governance, rejects). At its end the rows of the
input are copied to the output byte by byte and the answer is put behind each of them, so that
nothing but the new column changes: quoting, line ends, blank lines and encoding stay.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.core.atomic import atomic_writer
from pipeline.core.errors import ConfigError, GovernanceError, ResumeMismatch, StorageError
from pipeline.core.jsonl import iter_objects
from pipeline.llm.config import BackendConfig
from pipeline.llm.governance import GovernanceConfig
from pipeline.run.folder import RunFolder, git_would_track
from pipeline.run.job import run_job
from pipeline.run.progress import Reporter, SilentReporter
from pipeline.run.recipe import Recipe, first_problem
from pipeline.run.runner import Selection
from pipeline.run.store import StageStore
from pipeline.sources import open_source
from pipeline.sources.rows import CsvRows

STAGES = ("ingest", "infer")


@dataclass(frozen=True, slots=True)
class InferOptions:
    """What to ask and where to put the answers.

    Attributes:
        in_csv: CSV with a column of instructions.
        out_csv: the same with a column of answers; ``OUT.infer`` beside it holds the run.
        backend: what answers.
        instruction: name of the column that is asked.
        generated: name of the column that is added.
        images: column with image files, relative to the CSV; "" for none.
        params: parameters of the ``infer`` stage.
        data_class: of the CSV; ``auto`` takes its ``DATA_CLASS`` file, else ``credentialed``.
        encoding: of the CSV; ``auto`` finds it.
        limit: ask and write the first rows only.
        governance: that of the recipe, in ``folder``.
        folder: see ``governance``.
    """

    in_csv: Path
    out_csv: Path
    backend: BackendConfig
    instruction: str = "INSTRUCTION"
    generated: str = "GENERATED"
    images: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    data_class: str = "auto"
    encoding: str = "auto"
    limit: int | None = None
    governance: GovernanceConfig = field(default_factory=GovernanceConfig)
    folder: str = "."


@dataclass(frozen=True, slots=True)
class Inferred:
    """What came of it.

    Attributes:
        rows: rows written.
        answered: rows with an answer.
        rejected: rows without.
        cut: answers that end at the length limit.
        notes: the list of those two, or None where there are none.
    """

    rows: int
    answered: int
    rejected: int
    cut: int
    notes: Path | None


def infer(
    options: InferOptions, *, workers: int | None = None, reporter: Reporter | None = None
) -> Inferred:
    """Ask for the answers that are not there yet and write the output.

    A run that was stopped goes on. Where input or settings changed since, everything is asked
    again but for the requests that are the same: their replies are kept.

    Raises:
        PipelineError: with the exit code of the command.
    """
    rows = _open(options)
    folder = RunFolder(run_folder(options.out_csv))
    recipe = _recipe(options, rows)
    reporter = reporter or SilentReporter()
    if open_source(recipe.source).data_class == "credentialed":
        place = options.out_csv.absolute().parent
        if place.is_dir() and git_would_track(place):
            raise GovernanceError(
                f"{options.out_csv} lies in a git work tree that does not ignore it and would hold "
                "credentialed text; choose another --out-csv or add its folder to .gitignore"
            )
    try:
        run_job(folder, recipe, workers=workers, reporter=reporter)
    except ResumeMismatch:
        reporter.note("input or settings changed: asked anew; replies that still fit are reused")
        again = Selection(rebuild=STAGES)
        run_job(folder, recipe, selection=again, workers=workers, reporter=reporter)
    return _write(options, rows, folder)


def run_folder(out_csv: Path) -> Path:
    """The folder of the run that makes a CSV."""
    return out_csv.with_name(f"{out_csv.name}.infer")


def _open(options: InferOptions) -> CsvRows:
    if not options.in_csv.is_file():
        raise ConfigError(f"{options.in_csv} is no file; --in-csv takes a CSV")
    if options.in_csv.resolve() == options.out_csv.resolve():
        raise ConfigError("--out-csv must be another file than --in-csv")
    if not options.out_csv.absolute().parent.is_dir():
        raise ConfigError(f"the folder {options.out_csv.absolute().parent} does not exist")
    try:
        rows = CsvRows(options.in_csv, options.encoding)
        if rows.encoding is None:
            raise ConfigError(
                f"{options.in_csv} is neither UTF-8, UTF-16 nor GB18030 throughout; name its "
                "encoding (--encoding), or save it as UTF-8"
            )
    except ValueError as error:
        raise ConfigError(f"--encoding: {error}") from None
    columns = rows.columns()
    if options.generated in columns:
        raise ConfigError(
            f"{options.in_csv} has a column {options.generated} already; name another one "
            "(--column)"
        )
    if options.instruction not in columns:
        from pipeline.sources.columns import say_columns

        raise ConfigError(
            f"{options.in_csv} has no column {options.instruction!r}; it has "
            f"{say_columns(columns)}: name the one to ask (--instruction)"
        )
    return rows


def _recipe(options: InferOptions, rows: CsvRows) -> Recipe:
    from pipeline.stages.infer import InferParams

    columns = {"id": "#", "text": options.instruction}
    if options.images:
        columns["image_files"] = options.images
    params = {**options.params, "images": str(options.in_csv.absolute().parent)}
    if not options.images:
        params["images"] = ""
    backend = "model" if options.backend.kind != "rules" else "rules"
    source = {
        "path": str(options.in_csv),
        "kind": "table",
        "columns": columns,
        "encoding": options.encoding,
        "data_class": options.data_class,
        "limit": options.limit,
    }
    stages = [
        {"name": "ingest", "use": "ingest", "after": None, "backend": None, "params": {}},
        {
            "name": "infer",
            "use": "infer",
            "after": "ingest",
            "backend": backend,
            "params": InferParams.model_validate(params).model_dump(mode="json"),
        },
    ]
    raw = {
        "name": "infer",
        "description": "answers for a CSV",
        "source": source,
        "governance": options.governance,
        "folder": options.folder,
        "backend": backend,
        "backends": {backend: options.backend},
        "stages": stages,
    }
    try:
        return Recipe.model_validate(raw)
    except ValidationError as error:
        raise ConfigError(first_problem(error)) from None


def _write(options: InferOptions, rows: CsvRows, folder: RunFolder) -> Inferred:
    """Copy the rows with their answers, and list those without and those that were cut."""
    notes = list(_notes(folder))
    answers = _answers(folder)
    number = answered = cut = 0
    encoding = rows.encoding or "utf-8"
    waiting = next(answers, None)
    try:
        with atomic_writer(options.out_csv) as file:
            head = True
            for raw, cells in rows.records():
                if cells is not None and not cells:
                    file.write(raw)
                    continue
                if head:
                    head, quoted = False, _quotes_all(raw, encoding)
                    file.write(_extend(raw, options.generated, rows.delimiter, encoding, quoted))
                    continue
                if options.limit is not None and number == options.limit:
                    break
                number += 1
                text = ""
                if waiting is not None and waiting["id"] == str(number):
                    text = waiting["generated"]
                    answered += 1
                    if waiting["cut"]:
                        cut += 1
                        notes.append((number, "cut", "kept: it ends at the length limit"))
                    waiting = next(answers, None)
                file.write(_extend(raw, text, rows.delimiter, encoding, quoted))
    except OSError as error:
        raise StorageError(f"cannot write {options.out_csv}: {error.strerror}") from None
    path = options.out_csv.with_name(f"{options.out_csv.stem}.notes.csv")
    _write_notes(path, sorted(notes))
    return Inferred(number, answered, number - answered, cut, path if notes else None)


def _answers(folder: RunFolder) -> Iterator[Mapping[str, Any]]:
    yield from iter_objects(StageStore(folder.stage("infer")).records_path)


def _notes(folder: RunFolder) -> Iterator[tuple[int, str, str]]:
    for stage in STAGES:
        for reject in iter_objects(StageStore(folder.stage(stage)).rejects_path):
            name = str(reject["id"]).removeprefix("row-")
            yield int(name), str(reject["reason"]), str(reject["detail"])


def _write_notes(path: Path, notes: list[tuple[int, str, str]]) -> None:
    if not notes:
        path.unlink(missing_ok=True)
        return
    try:
        with atomic_writer(path) as file:
            text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(("row", "reason", "detail"))
            writer.writerows(notes)
            text.flush()
            text.detach()
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _quotes_all(raw: bytes, encoding: str) -> bool:
    """Whether the file quotes every cell, by its header."""
    header = raw.decode(encoding).removeprefix("\ufeff").strip()
    return header.startswith('"') and header.endswith('"')


def _extend(raw: bytes, text: str, delimiter: str, encoding: str, quoted: bool) -> bytes:
    """A record with one more cell before its line end."""
    line = raw.decode(encoding)
    body = line.rstrip("\r\n")
    if quoted or any(mark in text for mark in (delimiter, '"', "\n", "\r")) or text != text.strip():
        text = '"' + text.replace('"', '""') + '"'
    cell = (delimiter + text).encode(encoding, errors="replace")
    kept = len(body.encode(encoding))
    return raw[:kept] + cell + raw[kept:]
