"""Scores of predicted KeyInfo against gold: findings by name, then their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pipeline.clinical.vocabulary import vocabulary
from pipeline.core.errors import ConfigError
from pipeline.evaluation.attributes import ASPECTS, AspectCounts, aspects
from pipeline.evaluation.findings import Finding, StudyFindings
from pipeline.evaluation.resample import Interval, bootstrap, cluster_sums, interval
from pipeline.evaluation.scores import MEASURES, Floats, ratio
from pipeline.evaluation.synonyms import Names

CATEGORIES = ("entity", "entity, relaxed", "uncertain", "negated")
OTHER_NAMES = "(names that no list knows)"
"""What names are counted under that are neither in the user's list nor made of known words."""

_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class KeyInfoOptions:
    """How KeyInfo is scored.

    Attributes:
        uncertain: ``absent``: an uncertain finding is not predicted; ``present``: it is.
        replicates: bootstrap samples; 0 for no intervals.
        level: of the intervals.
        seed: of the bootstrap.
        examples: studies listed per name and kind of error.
    """

    uncertain: Literal["absent", "present"] = "absent"
    replicates: int = 1000
    level: float = 0.95
    seed: int = 0
    examples: int = 5


@dataclass(slots=True)
class NameCounts:
    """Errors with one name; lists hold ids of studies."""

    found: int = 0
    wrong: int = 0
    missed: int = 0
    wrong_ids: list[str] | None = None
    missed_ids: list[str] | None = None


@dataclass(frozen=True, slots=True)
class KeyInfoScore:
    """The scores of one prediction file.

    Attributes:
        studies: gold studies.
        missing: those without prediction; they count as predicted to have nothing.
        categories: ``entity``, ``entity, relaxed`` (related names count as found), ``uncertain``,
            ``negated`` -> measure -> value; those that gold has.
        aspects: ``side``, ``region``, ``degree``, ``kind`` of findings found under the right name.
        names: the names with the most errors; those that no list knows are counted as one.
        empty_gold: studies without a finding in gold.
        empty_wrong: those of them with a predicted finding.
    """

    studies: int
    missing: tuple[str, ...]
    categories: Mapping[str, Mapping[str, Interval]]
    aspects: Mapping[str, AspectCounts]
    names: Mapping[str, NameCounts]
    empty_gold: int
    empty_wrong: int

    def as_json(self) -> dict[str, Any]:
        """The form of the JSON report; ids and names only."""
        return {
            "studies": self.studies,
            "missing": len(self.missing),
            "missing_examples": list(self.missing[:20]),
            "categories": {
                name: {measure: value.as_json() for measure, value in measures.items()}
                for name, measures in self.categories.items()
            },
            "attributes": {name: counts.as_json() for name, counts in self.aspects.items()},
            "studies_without_finding": self.empty_gold,
            "of_these_with_a_false_one": self.empty_wrong,
            "names": {
                name: {
                    "found": one.found,
                    "wrong": one.wrong,
                    "missed": one.missed,
                    "wrong_ids": one.wrong_ids or [],
                    "missed_ids": one.missed_ids or [],
                }
                for name, one in self.names.items()
            },
        }


def score_keyinfo(
    gold: Mapping[str, StudyFindings],
    predicted: Mapping[str, StudyFindings],
    names: Names,
    options: KeyInfoOptions,
) -> KeyInfoScore:
    """Score predictions; studies that gold lacks are passed over.

    Raises:
        ConfigError: no study in common.
    """
    if not gold.keys() & predicted.keys():
        raise ConfigError("gold and prediction share no study; are the id keys right (--id KEY)?")
    counts = {name: np.zeros((len(gold), 4)) for name in CATEGORIES}
    agreement = {name: AspectCounts() for name in ASPECTS}
    per_name: dict[str, NameCounts] = {}
    empty_gold = empty_wrong = 0
    nothing = StudyFindings()
    for row, (study, truth) in enumerate(gold.items()):
        said = predicted.get(study, nothing)
        entities = dict(said.entity)
        if options.uncertain == "present":
            entities = {**said.uncertain, **entities}
        wanted = {name for name, finding in truth.entity.items() if not finding.optional}
        offered = {name for name in entities if name in wanted or name not in truth.entity}
        offered -= names.ignored - wanted
        counts["entity"][row] = _exact(wanted, offered)
        counts["entity, relaxed"][row] = _relaxed(wanted, offered, truth, entities, names)
        counts["uncertain"][row] = _exact(set(truth.uncertain), set(said.uncertain))
        counts["negated"][row] = _exact(set(truth.negated), set(said.negated))
        _count_names(per_name, study, wanted, offered, options.examples)
        for name in wanted & offered:
            _compare(agreement, name, truth.entity[name], entities[name])
        if not truth.entity:
            empty_gold += 1
            empty_wrong += bool(offered)
    patients = [study.patient or f"study {key}" for key, study in gold.items()]
    return KeyInfoScore(
        studies=len(gold),
        missing=tuple(study for study in gold if study not in predicted),
        categories={
            name: _measures(found, patients, options)
            for name, found in counts.items()
            if found[:, 3].any() or name == "entity"
        },
        aspects=agreement,
        names=_worst(_listed(per_name, names)),
        empty_gold=empty_gold,
        empty_wrong=empty_wrong,
    )


def _exact(wanted: set[str], offered: set[str]) -> tuple[int, int, int, int]:
    """Right among offered, number offered, found among wanted, number wanted."""
    right = len(wanted & offered)
    return right, len(offered), right, len(wanted)


def _relaxed(
    wanted: set[str],
    offered: set[str],
    truth: StudyFindings,
    entities: Mapping[str, Finding],
    names: Names,
) -> tuple[int, int, int, int]:
    near_gold = {near for name in truth.entity for near in names.related(name)}
    found = sum(not names.related(name).isdisjoint(entities) for name in wanted)
    return len(offered & near_gold), len(offered), found, len(wanted)


def _compare(
    agreement: Mapping[str, AspectCounts], name: str, gold: Finding, said: Finding
) -> None:
    ours, theirs = aspects(name, gold), aspects(name, said)
    for aspect, counts in agreement.items():
        counts.add(ours[aspect], theirs[aspect])


def _count_names(
    per_name: dict[str, NameCounts], study: str, wanted: set[str], offered: set[str], most: int
) -> None:
    for name in wanted | offered:
        one = per_name.setdefault(name, NameCounts(wrong_ids=[], missed_ids=[]))
        if name in wanted and name in offered:
            one.found += 1
            continue
        one.wrong += name in offered
        one.missed += name in wanted
        ids = one.wrong_ids if name in offered else one.missed_ids
        if ids is not None and len(ids) < most:
            ids.append(study)


def _listed(per_name: Mapping[str, NameCounts], names: Names) -> dict[str, NameCounts]:
    """Names of the user's list or of known words; the rest may be text of reports, and is one."""
    words = vocabulary()
    listed: dict[str, NameCounts] = {}
    for name, one in per_name.items():
        if name in names.listed or words.knows(name):
            listed[name] = one
            continue
        others = listed.setdefault(OTHER_NAMES, NameCounts())
        others.found += one.found
        others.wrong += one.wrong
        others.missed += one.missed
    return listed


def _worst(per_name: Mapping[str, NameCounts]) -> dict[str, NameCounts]:
    wrong = sorted(per_name.items(), key=lambda item: (-(item[1].wrong + item[1].missed), item[0]))
    return dict(wrong[:_MOST_NAMES])


def _measures(counts: Floats, patients: list[str], options: KeyInfoOptions) -> dict[str, Interval]:
    values = _scores(counts.sum(axis=0))
    drawn = _scores(bootstrap(cluster_sums(counts, patients), options.replicates, options.seed))
    return {
        name: interval(float(value), draws, options.level)
        for name, value, draws in zip(MEASURES, values, drawn, strict=True)
    }


def _scores(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """Precision over what is offered, recall over what is wanted, and their harmonic mean."""
    right, offered, found, wanted = (counts[..., k] for k in range(4))
    precision, recall = ratio(right, offered), ratio(found, wanted)
    return precision, recall, ratio(2 * precision * recall, precision + recall)
