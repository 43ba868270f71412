"""Which column of a table is what, and the text that is made of section columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.core.errors import ConfigError

SECTION_FIELDS: Final = (
    "examination",
    "indication",
    "history",
    "technique",
    "comparison",
    "findings",
    "impression",
    "recommendations",
    "notification",
    "addendum",
)
"""Fields that become titled sections, in this order."""

ROW_NUMBER: Final = "#"
"""``columns: {id: "#"}`` takes the row number as the id, for tables that have none."""

_LONGEST_NAME: Final = 60
_MOST_NAMES: Final = 40

_NOT_MAPPED: Final = frozenset({"images", "source", "labels", "encoding", "at", "problem"})

_ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "study_id", "uid", "report_id", "studyid", "reportid"),
    "text": ("text", "report", "report_text", "note"),
    "history": ("history", "clinical_history"),
    "recommendations": ("recommendations", "recommendation"),
    "subject_id": ("subject_id", "patient_id", "subjectid", "patientid"),
    "dicom_id": ("dicom_id", "image_id"),
    "image_path": ("image_path", "image_paths", "image_file", "path_to_image"),
    "view": ("view",),
    "split": ("split",),
    "study_date": ("study_date",),
    "study_order": ("study_order",),
}
"""Field -> names it is found under without being mapped, the best first."""


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """Field -> column of one table.

    Attributes:
        sections: fields of :data:`SECTION_FIELDS`; empty where there is one text column.
        fields: all other fields.
    """

    sections: Mapping[str, str]
    fields: Mapping[str, str]

    def wanted(self) -> list[str]:
        """Columns a listing needs: those of id, patient and split."""
        names = (self.fields.get(field) for field in ("id", "subject_id", "split"))
        return [name for name in names if name is not None and name != ROW_NUMBER]

    def text(self, row: Mapping[str, Any]) -> str:
        """The text of a row, or "" where it has none."""
        column = self.fields.get("text")
        if column is not None:
            return cell_text(row.get(column))
        parts = ((field, cell_text(row.get(name))) for field, name in self.sections.items())
        return "\n\n".join(f"{field.upper()}: {text}" for field, text in parts if text)


def cell_text(value: Any) -> str:
    """A cell as text: "" for what tables write for nothing, no ``.0`` on whole numbers."""
    if value is None:
        return ""
    if isinstance(value, float) and (value != value or value.is_integer()):
        return "" if value != value else str(int(value))
    text = str(value).strip()
    return "" if text in {"nan", "NaN"} else text


def map_columns(path: Path, present: list[str], given: Mapping[str, str]) -> ColumnMap:
    """Fields that are mapped, completed by columns that say what they are by their name.

    Raises:
        ConfigError: a mapped column is missing, or there is no id or no text.
    """
    for field, column in given.items():
        if field in _NOT_MAPPED:
            raise ConfigError(f"columns.{field} cannot be mapped")
        if column not in present and not (field == "id" and column == ROW_NUMBER):
            raise ConfigError(_missing(path, f"no column {column!r} (columns.{field})", present))
    sections = {field: given[field] for field in SECTION_FIELDS if field in given}
    fields = {field: column for field, column in given.items() if field not in sections}
    if "text" in fields and sections:
        raise ConfigError("columns: map text, or sections such as findings, not both")
    by_name = {_simple(name): name for name in reversed(present)}
    taken = set(given.values())
    guess_text = "text" not in fields and not sections
    for field, names in _ALIASES.items():
        if field in SECTION_FIELDS or field in fields or (field == "text" and not guess_text):
            continue
        found = next((by_name[name] for name in names if name in by_name), None)
        if found is not None and found not in taken:
            fields[field] = found
    if guess_text and "text" not in fields:
        for field in SECTION_FIELDS:
            names = _ALIASES.get(field, (field,))
            found = next((by_name[name] for name in names if name in by_name), None)
            if found is not None and found not in taken:
                sections[field] = found
    if "id" not in fields:
        hint = f'; columns.id: "{ROW_NUMBER}" takes row numbers'
        raise ConfigError(_missing(path, "no column with ids (columns.id)", present) + hint)
    if "text" not in fields and not sections:
        what = "no column with report text (columns.text, columns.findings, columns.impression)"
        raise ConfigError(_missing(path, what, present))
    return ColumnMap(sections=sections, fields=fields)


def _simple(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _missing(path: Path, what: str, present: list[str]) -> str:
    return (
        f"{path.name} has {what}; it has {say_columns(present)}: map with columns: {{FIELD: NAME}}"
    )


def say_columns(names: list[str]) -> str:
    """Names of columns for a message; not what a first line of report text would put there."""
    if any(len(name) > _LONGEST_NAME or name.rstrip().endswith(".") for name in names):
        return f"a first line of {len(names)} cells that are no column names"
    shown = (" ".join(name.split()) for name in names[:_MOST_NAMES])
    return ", ".join(shown) + (", ..." if len(names) > _MOST_NAMES else "")
