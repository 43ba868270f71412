"""The data-set card of a run: how the set was made, in words for a methods section."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.exports.card import front_matter, licence_of, provenance_lines
from pipeline.exports.registry import SAMPLE_STAGES
from pipeline.report.blocks import interval, words
from pipeline.report.gather import Run
from pipeline.report.sections.studies import part_name, part_order
from pipeline.run.counts.questions import type_mix
from pipeline.run.status import StageStatus

_DOES: Mapping[str, str] = {
    "sections": "Sections of the reports were found",
    "keyinfo": "Findings with place, degree and kind (KeyInfo) were read from each report",
    "followup": "Where model and rules differed, the model was asked again; this was done",
    "postprocess": "KeyInfo was brought into standard form",
    "pairs": "Studies were paired with an earlier one of the same patient",
    "questions": "Questions were made of KeyInfo",
    "rule-labels": "Reports were labelled with the 13 classes of CheXpert",
    "labels": "Reports were labelled with the 13 classes of CheXpert, as a second reading,",
    "icd10": "Phrases with an ICD-10-CM code were read from each report",
    "combine": "The labels of the readers were combined",
    "label-samples": "Samples were made of labels and phrases",
    "keyinfo-samples": "Samples were made of KeyInfo",
    "tasks": "Instructions to be written were drawn for each report",
    "fewshot": "Examples were drawn for instructions to be written",
    "instruct": "Instructions were written",
    "clean-instructions": "Instructions were cleaned and judged",
    "dedupe": "Instructions too like an earlier one were dropped",
    "answer": "Instructions were answered from their report",
    "check-answers": "Answers were checked against their report",
    "caption": "A caption was written of the findings of each report, and checked against it,",
    "translate": "Captions were translated, and checked against the original,",
    "csv-samples": "Samples were made of instructions and responses",
    "infer": "Instructions were answered",
    "image-pairs": "Texts were paired with the images of their study",
    "image-samples": "Samples were made of images and texts",
    "judge": "Answers were scored",
    "compare": "Answers of two systems were compared",
}
"""Kind of stage -> what it does, as the beginning of a sentence."""

_PARTS = ("prompts", "libs", "code")
_REASONS = 4


def run_card(run: Run) -> str:
    """The card as Markdown with front matter; counts, names and hashes, no text of a record."""
    name = str(run.recipe["name"])
    licence = licence_of(str(run.facts["data_class"]), str(run.facts["source_kind"]))
    complete = [row for row in run.rows if row.state == "complete"]
    rows = complete[-1].records if complete else 0
    lines = [
        front_matter(name, licence, rows),
        f"# {name}",
        "",
        *_summary(run),
        "",
        "## Contents",
        "",
        *(_contents(run) or ["No stage that makes samples, questions or labels is complete."]),
        "",
        "## Methods",
        "",
        *_methods(run),
        "",
        "## Evaluation",
        "",
        *(_evaluations(run) or ["This set was not scored against labels of people."]),
        "",
        "## Provenance",
        "",
        *provenance_lines(_provenance(run)),
        "",
        *_hashes(run),
        "",
        "## Licence and data use",
        "",
        str(run.facts["notice"]),
        "",
        licence.terms,
        "",
        "## Limits",
        "",
        *_limits(run),
        "",
    ]
    return "\n".join(lines)


def _summary(run: Run) -> Iterator[str]:
    about = str(run.recipe.get("description") or "").strip().rstrip(".")
    yield (
        f"{about[:1].upper()}{about[1:]}." if about else f"Made by the recipe {run.recipe['name']}."
    )
    missing = [row.stage for row in run.rows if row.state != "complete"]
    if missing:
        yield ""
        yield f"**Not complete:** {', '.join(missing)}."


def _contents(run: Run) -> list[str]:
    lines: list[str] = []
    for name in run.complete("questions"):
        counts = run.counts[name]
        total = sum(counts["types"].values())
        lines += [f"{total:,} questions about {counts['studies']:,} studies.", ""]
        lines += ["| type | rows | share | share in Medical-CXR-VQA 1.0.0 |"]
        lines += ["| --- | ---: | ---: | ---: |"]
        for kind, count, part, known in type_mix(counts["types"]):
            shares = f"{part:.1%} | {known:.1%}" if known else " | "
            lines.append(f"| {kind} | {count:,} | {shares} |")
        lines += ["", *_splits({p: {"rows": n} for p, n in counts["splits"].items()}), ""]
    for name in run.complete(*SAMPLE_STAGES):
        counts = run.counts[name]
        lines += [f"{counts['samples']:,} samples of stage {name}.", "", *_splits(counts["splits"])]
        lines.append("")
        families = {f: sum(parts.values()) for f, parts in counts["families"].items() if f}
        if len(families) > 1:
            said = ", ".join(f"{words(f)} {n:,}" for f, n in families.items())
            lines += [f"By family: {said}.", ""]
    for name in run.complete("combine"):
        lines += _labels(run.counts[name])
    if run.exports:
        lines += ["| file | format | rows |", "| --- | --- | ---: |"]
        lines += [
            f"| {file} | {known['format']} | {known['rows']:,} |"
            for file, known in run.exports.items()
        ]
    return lines


def _splits(splits: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    columns = list(next(iter(splits.values()), {}))
    yield f"| split | {' | '.join(columns)} |"
    yield f"| --- |{' ---: |' * len(columns)}"
    for part in sorted(splits, key=part_order):
        cells = " | ".join(f"{splits[part][column]:,}" for column in columns)
        yield f"| {part_name(part)} | {cells} |"


def _labels(counts: Mapping[str, Any]) -> list[str]:
    found = counts["readers"].get("combined")
    if not found:
        return []
    lines = [f"Labels of {counts['reports']:,} reports.", ""]
    lines += ["| class | present | uncertain | denied |", "| --- | ---: | ---: | ---: |"]
    for name, one in found["classes"].items():
        lines.append(f"| {name} | {one['present']:,} | {one['uncertain']:,} | {one['absent']:,} |")
    return [*lines, f"| no class present | {found['normal']:,} | | |", ""]


def _methods(run: Run) -> Iterator[str]:
    versions = sorted({v for m in run.manifests.values() for v in _versions(m)})
    made = " and ".join(versions) or f"cxr-pipeline {run.facts['versions'].get('cxr-pipeline', '')}"
    said = [f"The set was made with {made}, recipe `{run.recipe['name']}`."]
    for name in run.complete("ingest"):
        counts, row = run.counts[name], run.row(name)
        people = f" of {counts['patients']:,} patients" if counts["patients"] else ""
        said.append(
            f"Of {row.done:,} reports of the source ({run.facts['source_kind']}), "
            f"{counts['studies']:,}{people} could be read{_lost(row)}."
        )
    said += [sentence for row in run.rows if (sentence := _stage(run, row))]
    seeds = ", ".join(f"{where} {seed}" for where, seed in _seeds(run))
    if seeds:
        said.append(f"Random choices were drawn with fixed seeds ({seeds}).")
    split = [run.counts[name] for name in run.complete(*SAMPLE_STAGES, "questions")]
    if any(len(set(counts["splits"]) - {""}) > 1 for counts in split):
        shared = max(counts["in_two_splits"] for counts in split)
        said.append(
            f"{shared:,} patients are in more than one split."
            if shared
            else "No patient is in two splits."
        )
    yield " ".join(said)


def _stage(run: Run, row: StageStatus) -> str:
    """What a stage did, in a sentence; nothing for the reader of the source."""
    manifest = run.manifests.get(row.stage)
    if manifest is None or manifest["use"] == "ingest":
        return ""
    does = _DOES.get(manifest["use"], f"Stage {row.stage} ({manifest['use']}) was done")
    return f"{does} {_by(run, row, manifest)}: {row.done:,} in, {row.records:,} out{_lost(row)}."


def _by(run: Run, row: StageStatus, manifest: Mapping[str, Any]) -> str:
    """Who did it: rules, or a model with its prompt and settings."""
    backend = manifest.get("backend") or {}
    if not row.usage.get("requests"):
        return "by rules"
    model = str(backend.get("model") or backend.get("kind") or "")
    settings = []
    served = sorted(filter(None, run.replies[row.stage].models)) if row.stage in run.replies else []
    if served and served != [model]:
        settings.append(f"served as {', '.join(served)}")
    settings += [
        f"{words(name)} {manifest['params'][name]}"
        for name in ("prompt", "temperature", "max_tokens")
        if manifest["params"].get(name) is not None
    ]
    hashed = str(manifest["parts"].get("prompts", ""))[:12]
    settings += [f"hash of prompts {hashed}"] if hashed else []
    settings.append(f"{row.usage['requests']:,.0f} replies")
    return f"by the model {model} ({', '.join(settings)})"


def _lost(row: StageStatus) -> str:
    parts = []
    for what, count, reasons in (
        ("filtered", row.filtered, row.filtered_reasons),
        ("rejected", row.rejected, row.reasons),
    ):
        if count:
            most = sorted(reasons.items(), key=lambda item: -item[1])[:_REASONS]
            why = ", ".join(f"{words(reason)} {number:,}" for reason, number in most)
            parts.append(f"{count:,} {what}: {why}")
    return f" ({'; '.join(parts)})" if parts else ""


def _seeds(run: Run) -> Iterator[tuple[str, Any]]:
    source = run.recipe.get("source", {})
    if source.get("sample"):
        yield "sample", source.get("seed", 0)
    for name, manifest in run.manifests.items():
        if "seed" in manifest["params"]:
            yield name, manifest["params"]["seed"]
    for name, known in run.exports.items():
        if "files" in known:
            yield f"splits of {name}", known["options"]["split"]["seed"]


def _versions(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, version in (manifest.get("versions") or {}).items():
        yield f"{'Python' if name == 'python' else name} {version}"


def _evaluations(run: Run) -> list[str]:
    lines = []
    for one in run.evaluations:
        if one.outdated:
            continue
        data, kind = one.data, one.data["kind"]
        if kind == "labels":
            for score in data["predictions"]:
                micro, macro = (interval(score["overall"][f"{k} f1"]) for k in ("micro", "macro"))
                lines.append(
                    f"- Labels of {score['name']}, {data['studies']:,} studies: micro F1 {micro}, "
                    f"macro F1 {macro}; uncertain counts as {data['options']['uncertain']}."
                )
        elif kind == "keyinfo":
            for name, score in data["predictions"].items():
                f1 = interval(score["categories"]["entity"]["f1"])
                lines.append(f"- Findings of {name}, {score['studies']:,} studies: F1 {f1}.")
        elif kind == "phrases":
            for name, score in data["predictions"].items():
                f1 = interval(score["matches"]["fuzzy"]["f1"])
                lines.append(
                    f"- Phrases of {name}, {score['studies']:,} studies: F1 {f1}, fuzzy match from "
                    f"a likeness of {data['fuzzy_threshold']:g}."
                )
        elif kind == "texts":
            for name, score in data["systems"].items():
                rouge, f1 = (interval(score["figures"][k]) for k in ("ROUGE-L", "findings F1"))
                lines.append(
                    f"- Answers of {name} beside {score['rows']:,} expected ones: ROUGE-L {rouge}, "
                    f"F1 of findings {f1}."
                )
        else:
            judges = ", ".join(
                dict.fromkeys(j["model"] or j["kind"] for j in data["judge"].values())
            )
            lines += [
                f"- Answers of {score['system']}, {words(score['criterion'])}: mean "
                f"{interval(score['figure'], 2)} of 4, {score['n']:,} questions, by {judges}."
                for score in data["scores"]
            ]
    return lines


def _provenance(run: Run) -> Mapping[str, Any]:
    return {
        "run_id": run.facts["run_id"],
        "source": {
            "kind": run.facts["source_kind"],
            "data_class": run.facts["data_class"],
            "files": run.facts["input"],
        },
        "versions": run.facts["versions"],
        "stages": [
            {
                "name": row.stage,
                "model": _model(run.manifests[row.stage]),
                "counts": {
                    "in": row.done,
                    "records": row.records,
                    "filtered": row.filtered,
                    "rejected": row.rejected,
                },
                "reasons": {**row.reasons, **row.filtered_reasons},
            }
            for row in run.rows
            if row.stage in run.manifests
        ],
    }


def _model(manifest: Mapping[str, Any]) -> str:
    backend = manifest.get("backend") or {}
    return str(backend.get("model") or backend.get("kind") or "")


def _hashes(run: Run) -> Iterator[str]:
    yield "SHA-256 of what the stages rest on (prompts, libraries of words and rules, code):"
    yield ""
    yield f"| stage | {' | '.join(_PARTS)} |"
    yield "| --- | --- | --- | --- |"
    for name, manifest in run.manifests.items():
        cells = (str(manifest["parts"].get(part, ""))[:16] for part in _PARTS)
        yield f"| {name} | {' | '.join(f'`{cell}`' if cell else '' for cell in cells)} |"


def _limits(run: Run) -> Iterator[str]:
    asked = any(row.usage.get("requests") for row in run.rows)
    made = "language models and rules" if asked else "rules"
    yield (
        f"What the set says was read from reports by {made}, not by people, and holds their "
        "errors. A report is not the image: what it does not mention may be there. It is no "
        "medical advice and not fit for care of a patient."
    )
    lost = sum(row.rejected for row in run.rows)
    if lost:
        yield f"Records rejected on the way ({lost:,}) may not be missing at random."
