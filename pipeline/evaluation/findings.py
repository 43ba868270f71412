"""Findings of studies, read from KeyInfo files or from index terms, under canonical names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.clinical.keyinfo import ATTRIBUTES, CATEGORIES, ENTITY, NEGATED, UNCERTAIN, instances
from pipeline.clinical.standardise import Standardiser
from pipeline.core.errors import ConfigError
from pipeline.evaluation.columns import STUDY_COLUMNS
from pipeline.evaluation.rows import json_rows, no_file
from pipeline.evaluation.synonyms import Names
from pipeline.evaluation.tally import clean_id


@dataclass(slots=True)
class Finding:
    """A finding of a study; several instances are one, with the attributes of all.

    Attributes:
        names: what it is called, before any canonical name; part of it may be a site or kind.
        location: texts, likewise ``level`` and ``type``.
        optional: gold does not say for sure that it has to be found.
    """

    names: list[str] = field(default_factory=list)
    location: list[str] = field(default_factory=list)
    level: list[str] = field(default_factory=list)
    type: list[str] = field(default_factory=list)
    optional: bool = False

    def add(self, name: str, attributes: Mapping[str, Any]) -> None:
        """Take one more instance."""
        self.names.append(name)
        for text, values in (
            (attributes.get("location"), self.location),
            (attributes.get("level"), self.level),
            (attributes.get("type"), self.type),
        ):
            if text:
                values.append(str(text))


@dataclass(frozen=True, slots=True)
class StudyFindings:
    """The findings of one study, by category and canonical name."""

    entity: dict[str, Finding] = field(default_factory=dict)
    uncertain: dict[str, Finding] = field(default_factory=dict)
    negated: frozenset[str] = frozenset()
    patient: str = ""


def read_findings(path: Path, names: Names, study_column: str = "") -> dict[str, StudyFindings]:
    """Study id -> findings, of a JSONL file or a JSON list, in the order of the file.

    A row is a KeyInfo record (in any layout, perhaps under the key ``keyinfo``; what is not in
    standard form is brought into it), or holds
    a list ``entities`` of index terms: ``{"name", "laterality", "region", "level", "type",
    "optional"}``. Rows that say ``"scorable": false`` are left out.

    Raises:
        ConfigError: the file cannot be read, a study stands twice, or a row has neither shape.
    """
    if not path.is_file():
        raise no_file(path)
    standardiser = Standardiser()
    found: dict[str, StudyFindings] = {}
    for line, row in json_rows(path):
        if row.get("scorable") is False:
            continue
        where = f"{path}, line {line}"
        column = study_column or next((name for name in STUDY_COLUMNS if name in row), "")
        study = clean_id(str(row.get(column) or ""))
        if not study:
            raise ConfigError(f"{where} has no study id; name its key: --id KEY")
        if study in found:
            raise ConfigError(f"{where}: the study stands there a second time")
        patient = clean_id(str(row.get("subject_id") or ""))
        found[study] = _findings(row, names, standardiser, where, patient)
    if not found:
        raise ConfigError(f"{path} holds no record that can be scored")
    return found


def _findings(
    row: dict[str, Any], names: Names, standardiser: Standardiser, where: str, patient: str
) -> StudyFindings:
    if isinstance(row.get("entities"), list):
        return StudyFindings(_collected(_indexed(row["entities"], where), names), patient=patient)
    record = row.get("keyinfo", row)
    if not isinstance(record, dict) or not any(category in record for category in CATEGORIES):
        raise ConfigError(f"{where} is no KeyInfo: it has none of {', '.join(CATEGORIES)}")
    # Devices and the like stay where a record is in standard form already; standardising it again
    # would leave out what is no abnormality.
    standard = record if _is_standard(record) else standardiser.standardise(record).record
    return StudyFindings(
        _collected(_stated(standard, ENTITY), names),
        _collected(_stated(standard, UNCERTAIN), names),
        frozenset(names.canonical(name) for name in standard[NEGATED]),
        patient,
    )


def _is_standard(record: Mapping[str, Any]) -> bool:
    findings = [record.get(ENTITY), record.get(UNCERTAIN)]
    if not all(isinstance(part, dict) for part in findings):
        return False
    if not isinstance(record.get(NEGATED), list):
        return False
    sets = [one for part in findings if part for value in part.values() for one in _listed(value)]
    return all(isinstance(one, dict) and set(one) == set(ATTRIBUTES) for one in sets) and all(
        one[name] is None or isinstance(one[name], str) for one in sets for name in ATTRIBUTES
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _stated(record: Mapping[str, Any], category: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in record[category].items():
        for one in instances(value):
            yield name, dict(one)


def _indexed(entities: list[Any], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for entity in entities:
        if not isinstance(entity, dict) or not isinstance(entity.get("name"), str):
            raise ConfigError(f"{where}: an entry of 'entities' has no name")
        sites = [*(entity.get("laterality") or ()), *(entity.get("region") or ())]
        attributes = {
            "location": ", ".join(map(str, sites)),
            "level": entity.get("level"),
            "type": ", ".join(map(str, entity.get("type") or ())),
            "optional": bool(entity.get("optional")),
        }
        yield entity["name"], attributes


def _collected(stated: Iterator[tuple[str, dict[str, Any]]], names: Names) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for name, attributes in stated:
        canonical = names.canonical(
            name, attributes.get("location") or "", attributes.get("type") or ""
        )
        optional = bool(attributes.get("optional"))
        finding = found.setdefault(canonical, Finding(optional=optional))
        finding.optional &= optional
        finding.add(name, attributes)
    return found
