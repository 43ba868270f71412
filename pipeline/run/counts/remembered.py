"""Counting the records of a complete stage once, and remembering the counts beside them.

Counts hold numbers, class words and words of the packaged vocabulary; never other words of a
report or a reply, nor ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, TypeAlias

from pipeline.core.atomic import write_json
from pipeline.core.jsonl import iter_objects
from pipeline.core.records import Record
from pipeline.exports.registry import SAMPLE_STAGES
from pipeline.run.store import StageStore, read_json

Counts: TypeAlias = Mapping[str, Any]
Counter_: TypeAlias = Callable[[Iterable[Record], Mapping[str, Any]], dict[str, Any]]
"""From the records of a stage and its parameters to what is counted of them."""

Watch: TypeAlias = Callable[[int], None]
"""Told how many records more were read."""

VERSION = 1
"""Of what is counted; counts of another version are made anew."""

COUNTERS: Mapping[str, str] = {
    "ingest": "pipeline.run.counts.studies:count_studies",
    "keyinfo": "pipeline.run.counts.replies:count_replies",
    "followup": "pipeline.run.counts.followup:count_followup",
    "postprocess": "pipeline.run.counts.keyinfo:count_keyinfo",
    "pairs": "pipeline.run.counts.studies:count_pairs",
    "questions": "pipeline.run.counts.questions:count_questions",
    "rule-labels": "pipeline.run.counts.labels:count_labels",
    "labels": "pipeline.run.counts.labels:count_labels",
    "icd10": "pipeline.run.counts.labels:count_labels",
    "combine": "pipeline.run.counts.labels:count_labels",
    **dict.fromkeys(
        ("caption", "translate", "image-pairs"), "pipeline.run.counts.captions:count_captions"
    ),
    "tasks": "pipeline.run.counts.samples:count_samples",
    **dict.fromkeys(SAMPLE_STAGES, "pipeline.run.counts.samples:count_samples"),
}
"""Kind of stage -> ``module:function`` that counts its records."""

_CACHE = "counts.json"
_TELL_EVERY = 2000


def stage_counts(
    store: StageStore, manifest: Mapping[str, Any], watch: Watch | None = None
) -> Counts | None:
    """Counts of a complete stage; None for kinds of which nothing is counted.

    Args:
        store: the stage.
        manifest: its manifest.
        watch: told about progress.

    Raises:
        DataError: a line of its records is not JSON.
        OSError: the counts cannot be remembered.
    """
    target = COUNTERS.get(manifest["use"])
    if target is None:
        return None
    made_of = {"made_of": manifest["output"]["records"]["sha256"], "version": VERSION}
    path = store.folder / _CACHE
    known = read_json(path)
    if known is not None and made_of.items() <= known.items():
        return known
    module, name = target.split(":")
    count: Counter_ = getattr(import_module(module), name)
    counts = {
        **made_of,
        **count(_watched(iter_objects(store.records_path), watch), manifest["params"]),
    }
    write_json(path, counts)
    return counts


def needs_counting(store: StageStore, manifest: Mapping[str, Any]) -> bool:
    """Whether :func:`stage_counts` would have to read the stage's records."""
    if manifest["use"] not in COUNTERS:
        return False
    known = read_json(store.folder / _CACHE) or {}
    made_of = manifest["output"]["records"]["sha256"]
    return (known.get("made_of"), known.get("version")) != (made_of, VERSION)


def most(counts: Mapping[str, int], limit: int | None = None) -> dict[str, int]:
    """The largest counts first, ties by name."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ordered[:limit])


def _watched(records: Iterable[Record], watch: Watch | None) -> Iterator[Record]:
    if watch is None:
        yield from records
        return
    waiting = 0
    for record in records:
        yield record
        waiting += 1
        if waiting == _TELL_EVERY:
            watch(waiting)
            waiting = 0
    watch(waiting)
