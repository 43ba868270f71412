"""The words of chest reports: findings and devices, sites, degrees and kinds, read from ``libs/``.

One vocabulary serves the rule-based reader, the standardisation of model replies and the question
tables. It is data: a radiologist extends it by adding rows to the CSV files (see
``libs/README.md``). Every term is lower case, words are separated by single blanks and hyphens
count as blanks, so that ``air-space``, ``air space`` and ``Air  space`` are the same wording.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

CLASSES = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Enlarged Cardiomediastinum",
    "Fracture",
    "Lung Lesion",
    "Lung Opacity",
    "Pleural Effusion",
    "Pleural Other",
    "Pneumonia",
    "Pneumothorax",
    "Support Devices",
)
"""The 13 classes of the CheXpert label set, without ``No Finding``."""

_WORD = re.compile(r"[^\W_]+(?:\.\d+)?")
_IRREGULAR = MappingProxyType(
    {
        "bulla": "bullae",
        "prosthesis": "prostheses",
        "metastasis": "metastases",
        "diagnosis": "diagnoses",
        "pneumothorax": "pneumothoraces",
        "hydropneumothorax": "hydropneumothoraces",
        "hemothorax": "hemothoraces",
        "apex": "apices",
        "vertebra": "vertebrae",
        "embolus": "emboli",
        "calculus": "calculi",
        "hilum": "hila",
        "diaphragm": "diaphragms",
        "angle": "angles",
    }
)
_NO_PLURAL_ENDINGS = ("itis", "osis", "asis", "disease", "pathy", "ia", "ing", "edema")


def normalise(term: str) -> str:
    """``term`` in the form used as a key: lower case, words only, single blanks."""
    return " ".join(_WORD.findall(term.lower()))


def plural(term: str) -> str | None:
    """The English plural of a term's last word, or None when it has none of its own."""
    head, blank, last = term.rpartition(" ")
    if last in _IRREGULAR:
        return head + blank + _IRREGULAR[last]
    if not last.isascii() or not last.isalpha() or len(last) < 3:
        return None
    if last.endswith("s") and not last.endswith("ss"):
        return None
    if term.endswith(_NO_PLURAL_ENDINGS):
        return None
    if last.endswith("y") and last[-2] not in "aeiou":
        return term[:-1] + "ies"
    if last.endswith(("x", "ch", "sh", "ss")):
        return term + "es"
    return term + "s"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the disease library: a finding, device, procedure or variant.

    Attributes:
        name: the canonical name, singular.
        wordings: all accepted wordings, the name first, without generated plurals.
        kind: ``finding``, ``disease``, ``device``, ``procedure``, ``variant``, ``artifact`` or
            ``general`` (words such as *abnormality* that name no finding).
        classes: the `CLASSES` it belongs to, the main one first.
        icd10: an ICD-10-CM code, or "".
        notes: remarks of the editors.
        location: the anatomical site when the text names none, or "".
    """

    name: str
    wordings: tuple[str, ...]
    kind: str
    classes: tuple[str, ...]
    icd10: str
    notes: str
    location: str


@dataclass(frozen=True, slots=True)
class Site:
    """One row of the location library.

    Attributes:
        name: the wording to write; empty for words that say no place (*pulmonary*).
        side: ``left``, ``right``, ``bilateral``; ``pair`` for a plural that means both of a pair,
            ``organ`` for a word that means both where it is the organ concerned (*diaphragm*);
            ``spread`` for an adjective that means both when said of what can spread (*basilar*
            atelectasis, but not a *basilar* nodule).
        region: the group that rules speak about (``heart``, ``lung base`` ...).
        group: the larger area (``lung``, ``bone`` ...); ``any`` for words such as *left*.
        noun: whether the wording can stand alone (*hilum*) or needs a noun (*hilar*).
    """

    name: str
    side: str
    region: str
    group: str
    noun: bool


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The vocabulary of one language.

    ``locations``, ``levels`` and ``types`` map every wording to the wording to write;
    ``sites`` and ``ranks`` hold what else the libraries know about them; ``groups`` maps a region
    to its larger area.
    """

    findings: tuple[Finding, ...]
    locations: Mapping[str, str]
    levels: Mapping[str, str]
    types: Mapping[str, str]
    sites: Mapping[str, Site]
    ranks: Mapping[str, int]
    groups: Mapping[str, str]
    by_name: Mapping[str, Finding]
    wordings: Mapping[str, str] = field(repr=False)

    def canonical(self, term: str) -> str | None:
        """The canonical name of any known wording, singular or plural; None when unknown."""
        return self.wordings.get(term) or self.wordings.get(normalise(term))

    def kind(self, name: str) -> str | None:
        """The kind of a finding, given its canonical name or any wording; None when unknown."""
        finding = self.find(name)
        return finding.kind if finding else None

    def is_device(self, name: str) -> bool:
        """Whether the name or wording is a device."""
        return self.kind(name) == "device"

    def find(self, term: str) -> Finding | None:
        """The library row of any known wording."""
        name = self.canonical(term)
        return self.by_name[name] if name is not None else None


def read_rows(path: Path, required: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Rows of a library CSV as dictionaries; empty lines and ``#`` comments are skipped.

    Raises:
        ConfigError: the file is not readable as CSV or lacks a required column.
    """
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            reader = csv.DictReader(line for line in handle if line.strip() and line[0] != "#")
            missing = set(required) - set(reader.fieldnames or ())
            if missing:
                raise ConfigError(f"{path}: column {', '.join(sorted(missing))} is missing")
            for row in reader:
                yield {key: (value or "").strip() for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error


def load_lexicon(root: Path | None = None) -> Lexicon:
    """The lexicon in ``root``, or the packaged English one; read once per process.

    Raises:
        ConfigError: a library file is missing or malformed, or a wording has two names.
    """
    return _load(root if root is not None else resource_path("libs"))


@cache
def _load(root: Path) -> Lexicon:
    findings = tuple(_findings(root / "disease_lib.csv"))
    groups = {
        row["region"]: row["group"]
        for row in read_rows(root / "region_lib.csv", ("region", "group"))
    }
    columns = ("location", "canonical", "side", "region", "form")
    sites = {
        normalise(row["location"]): Site(
            name=row["canonical"],
            side=row["side"],
            region=row["region"],
            group=groups.get(row["region"], "any"),
            noun=row["form"] != "adjective",
        )
        for row in read_rows(root / "location_lib.csv", columns)
    }
    levels: dict[str, str] = {}
    ranks: dict[str, int] = {}
    for row in read_rows(root / "level_lib.csv", ("level", "canonical", "rank")):
        levels[normalise(row["level"])] = row["canonical"]
        ranks[row["canonical"]] = int(row["rank"])
    types = {
        normalise(row["type"]): row["canonical"]
        for row in read_rows(root / "type_lib.csv", ("type", "canonical"))
    }
    return Lexicon(
        findings=findings,
        locations=MappingProxyType({term: s.name for term, s in sites.items() if s.name}),
        levels=MappingProxyType(levels),
        types=MappingProxyType(types),
        sites=MappingProxyType(sites),
        ranks=MappingProxyType(ranks),
        groups=MappingProxyType(groups),
        by_name=MappingProxyType({finding.name: finding for finding in findings}),
        wordings=MappingProxyType(_wordings(findings, root)),
    )


def _findings(path: Path) -> Iterator[Finding]:
    columns = ("report_name", "official_name", "location", "kind", "class", "icd10", "notes")
    for row in read_rows(path, columns):
        classes = tuple(filter(None, row["class"].split(";")))
        if not set(classes) <= set(CLASSES):
            raise ConfigError(f"{path}: unknown class {row['class']} of {row['official_name']}")
        name = row["official_name"]
        wordings = dict.fromkeys(
            [name, *(w for w in map(normalise, row["report_name"].split(";")) if w)]
        )
        yield Finding(
            name=name,
            wordings=tuple(wordings),
            kind=row["kind"],
            classes=classes,
            icd10=row["icd10"],
            notes=row["notes"],
            location=row["location"],
        )


def _wordings(findings: tuple[Finding, ...], root: Path) -> dict[str, str]:
    """Every wording, then every generated plural that is nobody's own wording."""
    table: dict[str, str] = {}
    for finding in findings:
        for wording in finding.wordings:
            for form in (wording, normalise(wording)):
                if table.setdefault(form, finding.name) != finding.name:
                    raise ConfigError(
                        f"{root}: {wording} belongs to {table[form]} and {finding.name}"
                    )
    for finding in findings:
        for wording in finding.wordings:
            several = plural(wording)
            if several is not None:
                table.setdefault(several, finding.name)
    return table
