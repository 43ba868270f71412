"""The data-set card: what a set of samples is, how it was made and how it may be used; no rows.

The front matter is what ``datasets`` and hubs of data sets read. Nothing here uploads anything.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipeline.exports.sample_files import FolderFacts
from pipeline.exports.survey import TEXTS, Survey


@dataclass(frozen=True, slots=True)
class Licence:
    """How a set may be used.

    Attributes:
        name: of the licence.
        link: its text; "" where there is none to name.
        terms: what it means, in sentences.
    """

    name: str
    link: str
    terms: str


_SIZES = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)

_LICENCES: Mapping[str, Licence] = {
    "credentialed": Licence(
        "physionet-credentialed-health-data-1.5.0",
        "https://physionet.org/about/licenses/physionet-credentialed-health-data-license-150/",
        "It is to be treated as holding sensitive information. Only people who signed the data use "
        "agreement of the source may use it, each for themselves. It must not be passed on or "
        "uploaded to any hub. If shared at all, then on PhysioNet, under the agreement of its "
        "source, as a project that names its parents (Guidelines for creating datasets and models "
        "from MIMIC, PhysioNet, 24 April 2024). Models trained on it fall under the same rules. It "
        "must not be sent to online services of third parties (PhysioNet, 24 September 2025: local "
        "models are strongly recommended, and the researcher is responsible).",
    ),
    "public": Licence(
        "as-source",
        "",
        "The licence of the source applies to what is made of it. Name the source and its licence "
        "here before passing the set on.",
    ),
    "synthetic": Licence(
        "synthetic",
        "",
        "Synthetic reports describe nobody.",
    ),
}
"""By data class. The name of credentialed data is that of MIMIC-CXR, and is given only where the
source is known to be that."""


def licence_of(data_class: str, source_kind: str) -> Licence:
    """The licence of what is made of a source."""
    found = _LICENCES[data_class]
    if data_class == "credentialed" and not source_kind.startswith("mimic"):
        return Licence("credentialed-as-source", "", found.terms)
    return found


def front_matter(
    name: str, licence: Licence, rows: int, further: Mapping[str, Any] | None = None
) -> str:
    """The YAML between the dashes, which ``datasets`` and hubs of data sets read."""
    fields = {
        "license": "other",
        "license_name": licence.name,
        **({"license_link": licence.link} if licence.link else {}),
        "pretty_name": name,
        "task_categories": ["text-generation"],
        "tags": ["radiology", "medical"],
        "size_categories": [next((label for limit, label in _SIZES if rows < limit), "n>10M")],
        "viewer": False,
        **(further or {}),
    }
    return f"---\n{yaml.safe_dump(fields, sort_keys=False).rstrip()}\n---"


def data_set_card(facts: FolderFacts, survey: Survey, files: Mapping[str, str]) -> str:
    """The card as Markdown with front matter.

    Args:
        facts: name, data class and provenance.
        survey: counts of the samples.
        files: part -> file, relative to the folder of the card.
    """
    total = sum(counts.rows for counts in survey.parts.values())
    source = facts.provenance.get("source", {})
    licence = licence_of(facts.data_class, str(source.get("kind", "")))
    parts = [{"split": part, "path": file} for part, file in files.items()]
    configs = {"configs": [{"config_name": "default", "data_files": parts}]}
    lines = [
        front_matter(facts.name, licence, total, configs),
        f"# {facts.name}",
        "",
        *_about(facts, total),
        "",
        "## Counts",
        "",
        *_parts(survey),
        *_families(survey),
        *_lengths(survey),
        "",
        "## How it was made",
        "",
        *provenance_lines(facts.provenance),
        *_skipped(survey),
        "",
        "## Licence and data use",
        "",
        facts.notice,
        "",
        licence.terms,
        "",
        "## Limits",
        "",
        "Instructions and answers were made by programs (models or rules, see above) from "
        "radiology reports. They were checked by rules, which do not find every error, and they "
        "are no medical advice. All samples of a patient stand in one split.",
        "",
    ]
    return "\n".join(lines)


def _about(facts: FolderFacts, total: int) -> Iterator[str]:
    recipe = facts.provenance.get("recipe", {})
    about = str(recipe.get("description") or "").strip().rstrip(".")
    yield f"{total:,} samples made by the recipe `{recipe.get('name', facts.name)}`" + (
        f": {about}." if about else "."
    )


def _parts(survey: Survey) -> Iterator[str]:
    yield "| split | samples | patients | studies |"
    yield "| --- | ---: | ---: | ---: |"
    for part, counts in survey.parts.items():
        yield f"| {part} | {counts.rows:,} | {counts.patients:,} | {counts.studies:,} |"


def _families(survey: Survey) -> Iterator[str]:
    totals: Counter[str] = Counter()
    for counts in survey.parts.values():
        totals.update(counts.families)
    if not totals:
        return
    parts = list(survey.parts)
    yield ""
    yield f"| family | {' | '.join(parts)} |"
    yield f"| --- |{' ---: |' * len(parts)}"
    for family, _ in totals.most_common():
        cells = (f"{survey.parts[part].families.get(family, 0):,}" for part in parts)
        yield f"| {family} | {' | '.join(cells)} |"


def _lengths(survey: Survey) -> Iterator[str]:
    yield ""
    yield "| words | median | 95 % below | longest |"
    yield "| --- | ---: | ---: | ---: |"
    for name in TEXTS:
        words = sum((counts.words[name] for counts in survey.parts.values()), Counter[int]())
        cells = (f"{quantile(words, share):,}" for share in (0.5, 0.95, 1.0))
        yield f"| {name} | {' | '.join(cells)} |"


def quantile(counts: Counter[int], share: float) -> int:
    """The smallest value that at least ``share`` of all do not exceed."""
    needed = share * counts.total()
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= needed:
            return value
    return 0


def provenance_lines(provenance: Mapping[str, Any]) -> Iterator[str]:
    """Source, versions, stages with their counts and reasons, as Markdown."""
    source = provenance.get("source", {})
    yield f"- Source: {source.get('kind', 'unknown')}, data class {source.get('data_class', '?')}."
    for file in source.get("files", ()):
        yield f"- Input `{file['name']}`, SHA-256 `{file['sha256']}`."
    for name, version in provenance.get("versions", {}).items():
        yield f"- {name} {version}."
    yield f"- Run `{provenance.get('run_id', 'unknown')}`."
    yield ""
    yield "| stage | model | in | records | filtered | rejected |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for stage in provenance.get("stages", ()):
        counts = stage["counts"]
        yield (
            f"| {stage['name']} | {stage.get('model') or ''} | {counts['in']:,} "
            f"| {counts['records']:,} | {counts['filtered']:,} | {counts['rejected']:,} |"
        )
    reasons = [
        f"{stage['name']}: {reason} {count:,}"
        for stage in provenance.get("stages", ())
        for reason, count in stage.get("reasons", {}).items()
    ]
    if reasons:
        yield ""
        yield f"Left out, by stage and reason: {'; '.join(reasons)}."


def _skipped(survey: Survey) -> Iterator[str]:
    if survey.skipped:
        reasons = ", ".join(f"{reason} {n:,}" for reason, n in survey.skipped.most_common())
        yield ""
        yield f"Records that could not be exported: {reasons}."
