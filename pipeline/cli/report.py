"""``report``: one HTML file that shows a run, and its data-set card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import shared


def report(
    run_dir: shared.RunDir,
    evaluation: Annotated[
        list[Path] | None,
        typer.Option(
            "--evaluation",
            help="Also show this JSON of an evaluate command; those of RUN_DIR are shown anyway.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Write a run's report (report.html) and data-set card (card.md) into its folder.

    The report is one file with tables and plots that needs no network and no script: what went in
    and came out, what models were asked and cost, findings, questions, labels, samples,
    evaluations, exports, and what is needed to repeat it. The card says in words how the set was
    made. Both hold counts and scores, no text of reports. A run that is not complete is shown as
    far as it is.

    Example: cxr-pipeline report runs/medical-cxr-vqa
    """
    from pipeline.report.write import write_report
    from pipeline.run.folder import RunFolder
    from pipeline.run.progress import reporter_for

    console = shared.make_console()
    reporter = reporter_for(console)
    try:
        written = write_report(RunFolder(run_dir), evaluation or (), reporter)
    finally:
        reporter.close()
    for what, path in (("report", written.report), ("data-set card", written.card)):
        console.print(f"{what:<13}  {path}", highlight=False, markup=False)
    console.print(f"sections: {', '.join(written.sections)}", highlight=False, markup=False)
    if written.unfinished:
        console.print(
            f"not complete, so missing in it: {', '.join(written.unfinished)}",
            highlight=False,
            markup=False,
        )
