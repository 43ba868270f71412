"""``retry``: put rejected records back to work."""

from __future__ import annotations

from typing import Annotated

import typer

from pipeline.cli import shared
from pipeline.core.errors import ConfigError


def retry(
    run_dir: shared.RunDir,
    reason: Annotated[
        str | None, typer.Option("--only", help="Records rejected for this reason.")
    ] = None,
    stage: Annotated[str | None, typer.Option("--stage", help="Records of this stage.")] = None,
    workers: shared.Workers = None,
) -> None:
    """Put rejected records back to work.

    The new records join the others in input order, and later stages follow.

    Without --only, all that failed; what was filtered on purpose is retried when named by --only.
    """
    from pipeline.cli.run_command import carry_out
    from pipeline.run.folder import RunFolder
    from pipeline.run.job import mark_for_retry, stored_recipe
    from pipeline.run.runner import Selection
    from pipeline.run.status import stage_rows
    from pipeline.run.store import StageStore

    folder = RunFolder(run_dir)
    recipe = stored_recipe(folder)
    marked = mark_for_retry(folder, recipe, stage=stage, reason=reason)
    if not marked:
        reasons: set[str] = set()
        for row in stage_rows(folder):
            counts = (StageStore(folder.stage(row.stage)).manifest() or {}).get("counts", {})
            reasons.update(counts.get("reasons", {}), counts.get("filtered_reasons", {}))
        known = f"; reasons there are: {', '.join(sorted(reasons))}" if reasons else ""
        raise ConfigError(f"nothing to retry in {run_dir}{known}")
    for name, count in marked.items():
        typer.echo(f"{name}: {count:,} records back to work")
    carry_out(folder, recipe, Selection(), workers)
