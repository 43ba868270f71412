"""Open-ended phrases against gold: exactly, normalised, by likeness, and by their codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rapidfuzz import fuzz

from pipeline.clinical.icd10 import load_code_book
from pipeline.clinical.lexicon import load_lexicon, normalise
from pipeline.core.errors import ConfigError
from pipeline.evaluation.columns import STUDY_COLUMNS
from pipeline.evaluation.resample import Interval, bootstrap, cluster_sums, interval
from pipeline.evaluation.rows import json_rows, no_file
from pipeline.evaluation.scores import MEASURES, precision_recall_f1
from pipeline.evaluation.tally import clean_id

MATCHES = ("exact", "normalised", "fuzzy", "code", "category")


@dataclass(frozen=True, slots=True)
class PhraseOptions:
    """How phrases are scored.

    Attributes:
        threshold: likeness (0-100, rapidfuzz ``token_sort_ratio`` of normalised phrases) from which
            two phrases are the same.
        hedged: count predicted phrases that are not certain.
        replicates: bootstrap samples; 0 for no intervals.
        level: of the intervals.
        seed: of the bootstrap.
    """

    threshold: float = 85
    hedged: bool = False
    replicates: int = 1000
    level: float = 0.95
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase with its code ("" without one)."""

    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class StudyPhrases:
    """The phrases of one study."""

    phrases: tuple[Phrase, ...]
    patient: str = ""


@dataclass(frozen=True, slots=True)
class PhraseScore:
    """Scores of one prediction file: way of matching -> measure -> value.

    ``code`` and ``category`` are there where gold has codes.
    """

    studies: int
    missing: tuple[str, ...]
    threshold: float
    gold_phrases: int
    predicted_phrases: int
    matches: Mapping[str, Mapping[str, Interval]]

    def as_json(self) -> dict[str, Any]:
        """The form of the JSON report."""
        return {
            "studies": self.studies,
            "missing": len(self.missing),
            "missing_examples": list(self.missing[:20]),
            "fuzzy_threshold": self.threshold,
            "gold_phrases": self.gold_phrases,
            "predicted_phrases": self.predicted_phrases,
            "matches": {
                name: {measure: value.as_json() for measure, value in measures.items()}
                for name, measures in self.matches.items()
            },
        }


def read_phrases(
    path: Path, options: PhraseOptions, study_column: str = ""
) -> dict[str, StudyPhrases]:
    """Study id -> phrases, of a JSONL file or JSON list whose rows have a list ``phrases``.

    An entry is a text, or an object with ``phrase`` and perhaps ``code`` and ``certain``.

    Raises:
        ConfigError: the file cannot be read, a study stands twice, or a row has no list.
    """
    if not path.is_file():
        raise no_file(path)
    found: dict[str, StudyPhrases] = {}
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
        entries = row.get("phrases")
        if not isinstance(entries, list):
            raise ConfigError(f"{where} has no list 'phrases'")
        phrases = [_phrase(entry, where, options) for entry in entries]
        kept = tuple(dict.fromkeys(phrase for phrase in phrases if phrase is not None))
        found[study] = StudyPhrases(kept, clean_id(str(row.get("subject_id") or "")))
    if not found:
        raise ConfigError(f"{path} holds no record that can be scored")
    return found


def _phrase(entry: Any, where: str, options: PhraseOptions) -> Phrase | None:
    if isinstance(entry, str):
        entry = {"phrase": entry}
    if not isinstance(entry, dict) or not isinstance(entry.get("phrase"), str):
        raise ConfigError(f"{where}: an entry of 'phrases' has no 'phrase'")
    if entry.get("certain") is False and not options.hedged:
        return None
    code = load_code_book().check(str(entry.get("code") or "")).code
    return Phrase(" ".join(entry["phrase"].split()), code)


def score_phrases(
    gold: Mapping[str, StudyPhrases],
    predicted: Mapping[str, StudyPhrases],
    options: PhraseOptions,
) -> PhraseScore:
    """Score predictions; a phrase of gold matches one predicted phrase at most.

    Raises:
        ConfigError: no study in common.
    """
    if not gold.keys() & predicted.keys():
        raise ConfigError("gold and prediction share no study; are the id keys right (--id KEY)?")
    has_codes = any(phrase.code for study in gold.values() for phrase in study.phrases)
    ways = [way for way in MATCHES if has_codes or way not in ("code", "category")]
    counts = np.zeros((len(gold), len(ways), 3))
    said_total = 0
    for row, (study, truth) in enumerate(gold.items()):
        said = predicted[study].phrases if study in predicted else ()
        said_total += len(said)
        for column, way in enumerate(ways):
            hits = _matched(truth.phrases, said, _LIKENESS[way], _least(way, options))
            counts[row, column] = hits, len(said) - hits, len(truth.phrases) - hits
    patients = [one.patient or f"study {study}" for study, one in gold.items()]
    drawn = bootstrap(cluster_sums(counts, patients), options.replicates, options.seed)
    values, draws = precision_recall_f1(counts.sum(axis=0)), precision_recall_f1(drawn)
    return PhraseScore(
        studies=len(gold),
        missing=tuple(study for study in gold if study not in predicted),
        threshold=options.threshold,
        gold_phrases=sum(len(study.phrases) for study in gold.values()),
        predicted_phrases=said_total,
        matches={
            way: {
                measure: interval(float(values[m][k]), draws[m][:, k], options.level)
                for m, measure in enumerate(MEASURES)
            }
            for k, way in enumerate(ways)
        },
    )


def _least(way: str, options: PhraseOptions) -> float:
    return options.threshold if way == "fuzzy" else 100


def _matched(
    gold: Sequence[Phrase],
    said: Sequence[Phrase],
    likeness: Callable[[Phrase, Phrase], float],
    least: float,
) -> int:
    """Number of pairs, the most alike first, each phrase in one pair at most."""
    pairs = sorted(
        (
            (-score, g, s)
            for g, ours in enumerate(gold)
            for s, theirs in enumerate(said)
            if (score := likeness(ours, theirs)) >= least
        ),
    )
    used_gold: set[int] = set()
    used_said: set[int] = set()
    for _, g, s in pairs:
        if g not in used_gold and s not in used_said:
            used_gold.add(g)
            used_said.add(s)
    return len(used_gold)


def canonical_phrase(text: str) -> str:
    """A phrase as normalised matching sees it: the lexicon's name, or its words in lower case."""
    words = normalise(text)
    return load_lexicon().canonical(words) or words


def _exact(a: Phrase, b: Phrase) -> float:
    return 100.0 * (a.text == b.text)


def _normalised(a: Phrase, b: Phrase) -> float:
    return 100.0 * (canonical_phrase(a.text) == canonical_phrase(b.text))


def _fuzzy(a: Phrase, b: Phrase) -> float:
    if _normalised(a, b):
        return 100.0
    return fuzz.token_sort_ratio(normalise(a.text), normalise(b.text))


def _code(a: Phrase, b: Phrase) -> float:
    return 100.0 * (a.code == b.code != "")


def _category(a: Phrase, b: Phrase) -> float:
    return 100.0 * (a.code[:3] == b.code[:3] != "")


_LIKENESS: Mapping[str, Callable[[Phrase, Phrase], float]] = {
    "exact": _exact,
    "normalised": _normalised,
    "fuzzy": _fuzzy,
    "code": _code,
    "category": _category,
}
