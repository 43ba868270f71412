"""The report and the card of a run, written into its folder."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pipeline
from pipeline.core.atomic import write_bytes
from pipeline.core.errors import StorageError
from pipeline.report.blocks import Document, Section
from pipeline.report.card import run_card
from pipeline.report.gather import Run, gather
from pipeline.report.render import render_html
from pipeline.report.sections.about import about, repeat
from pipeline.report.sections.captions import captions
from pipeline.report.sections.evaluation import evaluations
from pipeline.report.sections.exports import exports
from pipeline.report.sections.flow import flow
from pipeline.report.sections.keyinfo import keyinfo
from pipeline.report.sections.labels import labels
from pipeline.report.sections.models import models
from pipeline.report.sections.questions import questions
from pipeline.report.sections.samples import samples
from pipeline.report.sections.studies import studies
from pipeline.run.folder import RunFolder
from pipeline.run.progress import Reporter

REPORT = "report.html"
CARD = "card.md"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written.

    Attributes:
        report: the HTML file.
        card: the data-set card.
        sections: titles of the report's sections.
        unfinished: stages that are not complete.
    """

    report: Path
    card: Path
    sections: tuple[str, ...]
    unfinished: tuple[str, ...]


def write_report(
    folder: RunFolder, evaluation_files: Iterable[Path] = (), reporter: Reporter | None = None
) -> Written:
    """Write ``report.html`` and ``card.md`` into a run folder.

    Args:
        folder: the run; it may be under way.
        evaluation_files: JSON of evaluations to show beside those kept in the run.
        reporter: told about progress.

    Raises:
        ConfigError: no run folder, a manifest or an evaluation that cannot be read.
        DataError: a file of records is damaged.
        StorageError: the folder cannot be written to.
    """
    try:
        run = gather(folder, evaluation_files, reporter)
        document = make_document(run, datetime.now(UTC))
        written = Written(
            folder.root / REPORT,
            folder.root / CARD,
            tuple(section.title for section in document.sections),
            tuple(row.stage for row in run.rows if row.state != "complete"),
        )
        write_bytes(written.report, render_html(document).encode())
        write_bytes(written.card, run_card(run).encode())
    except OSError as error:
        where = error.filename or folder.root
        raise StorageError(f"cannot read or write {where}: {error.strerror}") from None
    return written


def make_document(run: Run, now: datetime) -> Document:
    """The report before it becomes HTML; each section is there if the run has it."""
    found: list[Section | None] = [
        about(run),
        flow(run),
        studies(run),
        models(run),
        keyinfo(run),
        questions(run),
        labels(run),
        captions(run),
        samples(run),
        *evaluations(run),
        exports(run),
        repeat(run),
    ]
    return Document(
        title=f"{run.recipe['name']}: report of a run",
        notice=run.facts["notice"],
        restricted=run.restricted,
        sections=[section for section in found if section is not None],
        made=f"Made {now:%Y-%m-%d %H:%M} UTC by cxr-pipeline {pipeline.__version__}. "
        "This file holds counts and scores, no text of reports or replies and no ids of studies.",
    )
