"""Scores of experts, or of another judge, that a judge's scores are compared with."""

from __future__ import annotations

from pathlib import Path

from pipeline.clinical.judge_reply import CRITERIA, SCALE
from pipeline.core.errors import ConfigError
from pipeline.evaluation.judged import Judgements
from pipeline.evaluation.rows import open_sheet


def read_expert_scores(path: Path) -> Judgements:
    """Scores of a CSV with the columns ``id``, ``system`` and one per criterion, 1 to 4.

    An empty cell is no score.

    Raises:
        ConfigError: a column is missing, a cell is off the scale, or an answer is scored twice.
    """
    found: dict[str, dict[tuple[str, str], int]] = {}
    with open_sheet(path) as sheet:
        header = [name.strip().lower() for name in sheet.header]
        criteria = [name for name in CRITERIA if name in header]
        if not {"id", "system"} <= set(header) or not criteria:
            raise ConfigError(f"{path} needs columns id, system and some of {', '.join(CRITERIA)}")
        for line, cells in sheet.rows:
            row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
            scores = found.setdefault(row["id"], {})
            for name in criteria:
                if not row[name]:
                    continue
                key = (row["system"], name)
                if row[name] not in map(str, SCALE):
                    raise ConfigError(f"{path}, line {line}: {name} must be 1, 2, 3 or 4")
                if key in scores:
                    raise ConfigError(f"{path}, line {line}: this answer is scored twice")
                scores[key] = int(row[name])
    return found
