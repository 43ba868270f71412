"""One evaluation of label files from beginning to end: read, check, score, compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

from pipeline.clinical.agreement import PairCounts
from pipeline.core.errors import ConfigError
from pipeline.core.hashing import sha256_file
from pipeline.evaluation.annotators import agreed, annotator_agreement, common_classes
from pipeline.evaluation.columns import ColumnOptions
from pipeline.evaluation.compare import Comparison, compare
from pipeline.evaluation.labels import LabelOptions, LabelScore, score_labels
from pipeline.evaluation.read_labels import read_labels
from pipeline.evaluation.table import LabelTable

GoldRule = Literal["first", "agreed"]


@dataclass(frozen=True, slots=True)
class LabelFile:
    """A file of predictions.

    Attributes:
        path: the file.
        name: how tables call it.
        reader: for records of a run, one of their readers; "" takes the combined labels.
    """

    path: Path
    name: str
    reader: str = ""


@dataclass(frozen=True, slots=True)
class LabelEvaluation:
    """Everything one evaluation found.

    Attributes:
        gold: files of gold.
        options: how it was scored.
        classes: the classes scored.
        studies: gold studies.
        patients: patients resampled; studies where no patient is known.
        notes: what a reader of the figures has to know, as sentences without ids.
        scores: one per prediction file.
        comparisons: one per pair of prediction files.
        annotators: class -> agreement of two annotators; empty with one.
        files: path -> SHA-256 of everything that was read.
    """

    gold: tuple[str, ...]
    options: LabelOptions
    gold_rule: str
    classes: tuple[str, ...]
    studies: int
    patients: int
    notes: tuple[str, ...]
    scores: tuple[LabelScore, ...]
    comparisons: tuple[Comparison, ...] = ()
    annotators: Mapping[str, PairCounts] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The JSON report: figures and ids, no text."""
        return {
            "kind": "labels",
            "gold": list(self.gold),
            "gold_rule": self.gold_rule,
            "options": asdict(self.options),
            "classes": list(self.classes),
            "studies": self.studies,
            "resampled": self.patients,
            "notes": list(self.notes),
            "predictions": [score.as_json() for score in self.scores],
            "comparisons": [one.as_json() for one in self.comparisons],
            "annotators": {
                name: {
                    "both": pair.both,
                    "only_first": pair.only_a,
                    "only_second": pair.only_b,
                    "neither": pair.neither,
                    "agreement": pair.observed,
                    "kappa": pair.kappa,
                }
                for name, pair in self.annotators.items()
            },
            "files": dict(self.files),
        }


def evaluate_labels(
    gold: Sequence[Path],
    predictions: Sequence[LabelFile],
    options: LabelOptions,
    columns: ColumnOptions | None = None,
    gold_rule: GoldRule = "first",
) -> LabelEvaluation:
    """Score prediction files against gold, and against each other.

    Args:
        gold: one file, or one per annotator.
        predictions: at least one.
        options: how to score.
        columns: what the caller says about columns, of all files.
        gold_rule: with two annotators: score against the ``first``, or only where they ``agreed``.

    Raises:
        ConfigError: a file cannot be read or makes no sense; says what to change.
    """
    tables = [table for path in gold for table in _named(path, columns)]
    if len(tables) > 2:
        raise ConfigError(f"gold has {len(tables)} annotators; one or two can be compared")
    notes = [note for table in tables for note in table.notes]
    reference = tables[0]
    annotators: Mapping[str, PairCounts] = {}
    if len(tables) == 2:
        annotators = annotator_agreement(
            tables[0], tables[1], options.uncertain_gold, options.blank
        )
        if gold_rule == "agreed":
            reference = agreed(*tables)
    read = [_prediction(file, columns) for file in predictions]
    classes = common_classes(reference, read)
    left_out = [name for name in reference.classes if name not in classes]
    if left_out:
        notes.append(f"not scored, since a prediction file lacks them: {', '.join(left_out)}")
    patients = reference.patients or _patients_of(read, reference.ids)
    reference = replace(reference, patients=patients)
    scores = [score_labels(reference, table, classes, options) for table in read]
    for table, score in zip(read, scores, strict=True):
        notes += [*table.notes, *_coverage(score, len(reference.ids), options)]
    return LabelEvaluation(
        gold=tuple(str(path) for path in gold),
        options=options,
        gold_rule=gold_rule,
        classes=classes,
        studies=len(reference.ids),
        patients=len(set(patients or reference.ids)),
        notes=tuple(dict.fromkeys(notes)),
        scores=tuple(scores),
        comparisons=tuple(compare(a, b, options) for a, b in combinations(scores, 2)),
        annotators=annotators,
        files={str(path): sha256_file(path) for path in [*gold, *(f.path for f in predictions)]},
    )


def _named(path: Path, columns: ColumnOptions | None) -> list[LabelTable]:
    tables = read_labels(path, columns)
    return [replace(t, name=f"{path.name} {t.name}".strip()) for t in tables]


def _prediction(file: LabelFile, columns: ColumnOptions | None) -> LabelTable:
    tables = read_labels(file.path, columns, file.reader)
    if len(tables) > 1:
        raise ConfigError(f"{file.path} has two annotators; a prediction file has one")
    return replace(tables[0], name=file.name)


def _coverage(score: LabelScore, studies: int, options: LabelOptions) -> list[str]:
    notes = []
    if score.missing:
        done = "not scored" if options.missing == "exclude" else "scored as having no label"
        notes.append(
            f"{score.name} lacks {len(score.missing):,} of {studies:,} gold studies: {done}"
        )
    if score.extra:
        notes.append(f"{score.name} has {score.extra:,} studies that gold lacks: passed over")
    return notes


def _patients_of(tables: Sequence[LabelTable], ids: Sequence[str]) -> list[str]:
    """Patients of gold's studies from a prediction file, where gold does not name them."""
    for table in tables:
        if table.patients:
            known = dict(zip(table.ids, table.patients, strict=True))
            return [known.get(study) or f"study {study}" for study in ids]
    return []
