"""Which column of a table is what: study, patient, annotator, classes, lists of classes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rapidfuzz import process

from pipeline.clinical.class_names import class_name
from pipeline.clinical.labels import NORMAL
from pipeline.clinical.lexicon import CLASSES
from pipeline.core.errors import ConfigError
from pipeline.evaluation.table import ABSENT, BLANK, MASKED, PRESENT, UNCERTAIN

STUDY_COLUMNS = ("study_id", "uid", "id")
PATIENT_COLUMNS = ("subject_id", "patient_id")
ANNOTATOR = "annotator"

LISTS: Mapping[str, int] = {
    "labels": PRESENT,
    "uncertain": UNCERTAIN,
    "uncertain_labels": UNCERTAIN,
    "negated": ABSENT,
    "ambiguous": MASKED,
}
"""Columns that hold lists of classes -> what the classes in them are."""

CELL_VALUES: Mapping[str, int] = {
    **dict.fromkeys(("1", "1.0", "true", "yes", "present", "positive"), PRESENT),
    **dict.fromkeys(("0", "0.0", "false", "no", "absent", "negative"), ABSENT),
    **dict.fromkeys(("-1", "-1.0", "uncertain"), UNCERTAIN),
    **dict.fromkeys(("", "nan", "none", "null"), BLANK),
}
"""What a cell of a class column may hold, in lower case."""

MOST_SHOWN = 40
_NAME = re.compile(r"[\w ,()/&'+.:-]*")


@dataclass(frozen=True, slots=True)
class ColumnOptions:
    """What the caller says about columns.

    Attributes:
        study: name of the column with the study's id; "" finds it.
        renamed: other names of classes -> class.
        ignored: columns or classes to leave out.
    """

    study: str = ""
    renamed: Mapping[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    def name_of(self, text: str) -> str | None:
        """The class that a column or list entry names; None where it is none."""
        return class_name(self.renamed.get(text, text))


@dataclass(frozen=True, slots=True)
class Columns:
    """Where things stand in a row.

    Attributes:
        study: the study's id.
        patient: the patient's id, or "".
        annotator: who labelled, or "".
        classes: column -> class, for files with a column per class.
        lists: column -> what its classes are, for files with lists.
        others: columns of no known meaning.
    """

    study: str
    patient: str
    annotator: str
    classes: dict[str, str]
    lists: dict[str, int]
    others: tuple[str, ...]


def find_columns(names: Sequence[str], where: str, options: ColumnOptions) -> Columns:
    """What the columns ``names`` of the file ``where`` are.

    Raises:
        ConfigError: no column with ids or with labels, or two columns for one class.
    """
    study = options.study or next((name for name in STUDY_COLUMNS if name in names), "")
    if study not in names or not study:
        wanted = repr(options.study) if options.study else " or ".join(STUDY_COLUMNS)
        raise ConfigError(
            f"{where} has no column {wanted}; name the one with study ids: --id COLUMN. "
            f"Its columns: {shown(names)}"
        )
    patient = next((name for name in PATIENT_COLUMNS if name in names), "")
    annotator = ANNOTATOR if ANNOTATOR in names else ""
    classes: dict[str, str] = {}
    lists = {name: LISTS[name] for name in names if name in LISTS}
    others = []
    for name in names:
        if name in {study, patient, annotator, *lists} or name in options.ignored:
            continue
        found = options.name_of(name)
        if found is None:
            others.append(name)
        elif found in classes.values():
            twin = next(column for column, known in classes.items() if known == found)
            raise ConfigError(f"{where}: columns {twin!r} and {name!r} are both {found}")
        elif found not in options.ignored:
            classes[name] = found
    classes = {column: name for column, name in classes.items() if name != NORMAL}
    if not classes and "labels" not in lists:
        raise ConfigError(
            f"{where} has no label: neither a column that is one of the 13 classes nor a list "
            f"column 'labels'. Its columns: {shown(names)}"
        )
    return Columns(study, patient, annotator, classes, {} if classes else lists, tuple(others))


def unknown_class(name: str, where: str) -> ConfigError:
    """The error for a label that is none of the 13 classes; says which one it may be."""
    best = process.extractOne(name, CLASSES, score_cutoff=60)
    hint = f"; if it is {best[0]}, add --class '{name}={best[0]}'" if best and _safe(name) else ""
    return ConfigError(
        f"{where}: unknown class {shown([name])}{hint}; to leave it out, add --ignore with its "
        f"name. The classes: {', '.join(CLASSES)}"
    )


def shown(names: Sequence[str]) -> str:
    """Names for a message, the long ones left out: they could be text of a report."""
    safe = [repr(name) if _safe(name) else "(a long one)" for name in names]
    return ", ".join(safe[:20]) + (f" and {len(safe) - 20} more" if len(safe) > 20 else "")


def _safe(name: str) -> bool:
    return len(name) <= MOST_SHOWN and _NAME.fullmatch(name) is not None
