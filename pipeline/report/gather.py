"""Everything a report is made of, read from a run folder: facts, counts, replies, evaluations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.errors import ConfigError, DataError
from pipeline.run.counts.journal import StageReplies, journal_counts
from pipeline.run.counts.remembered import Counts, needs_counting, stage_counts
from pipeline.run.evaluations import is_outdated, kept_evaluations, read_evaluation
from pipeline.run.exporting import CATALOGUE
from pipeline.run.folder import RUN_FILE, RunFolder
from pipeline.run.progress import Reporter, SilentReporter
from pipeline.run.status import StageStatus, stage_rows
from pipeline.run.store import MANIFEST, StageStore, read_json

_RUN_KEYS = ("run_id", "recipe", "data_class", "notice", "source_kind", "input", "versions")
_MANIFEST_KEYS = ("use", "params", "parts", "counts", "output", "seconds", "usage", "finished")


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation.

    Attributes:
        file: its name.
        data: its JSON.
        outdated: whether what it scored was made again since.
    """

    file: str
    data: Mapping[str, Any]
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """What is known of a run.

    Attributes:
        folder: where it is.
        facts: ``run.json``.
        rows: the status of each stage, in order.
        uses: stage -> its kind.
        manifests: of complete stages.
        counts: of the records of complete stages, where something is counted.
        replies: stage -> replies of models, from the journal.
        exports: file or folder -> what its catalogue says.
        parts: export folder -> its manifest, where it has parts.
        evaluations: kept in the run, then those named by the user.
        working: whether a process works on it now.
    """

    folder: RunFolder
    facts: Mapping[str, Any]
    rows: Sequence[StageStatus]
    uses: Mapping[str, str]
    manifests: Mapping[str, Mapping[str, Any]]
    counts: Mapping[str, Counts]
    replies: Mapping[str, StageReplies]
    exports: Mapping[str, Mapping[str, Any]]
    parts: Mapping[str, Mapping[str, Any]]
    evaluations: Sequence[Evaluation]
    working: bool

    @property
    def recipe(self) -> Mapping[str, Any]:
        """The recipe as it was resolved."""
        recipe: Mapping[str, Any] = self.facts["recipe"]
        return recipe

    @property
    def restricted(self) -> bool:
        """Whether what was made may not be passed on freely."""
        return bool(self.facts["data_class"] == "credentialed")

    def row(self, stage: str) -> StageStatus:
        """The status of a stage."""
        return next(row for row in self.rows if row.stage == stage)

    def complete(self, *kinds: str) -> list[str]:
        """Complete stages of some kinds, in order."""
        return [row.stage for row in self.rows if self._is(row, kinds)]

    def _is(self, row: StageStatus, kinds: Sequence[str]) -> bool:
        return row.state == "complete" and self.uses[row.stage] in kinds


def gather(
    folder: RunFolder, evaluations: Iterable[Path] = (), reporter: Reporter | None = None
) -> Run:
    """Read a run; what has to be counted is read record by record.

    Raises:
        ConfigError: no run folder, a manifest or an evaluation that cannot be read.
        DataError: a file of records is damaged.
        OSError: counts cannot be remembered in the run folder.
    """
    reporter = reporter or SilentReporter()
    facts = folder.read()
    missing = [key for key in _RUN_KEYS if key not in facts]
    if missing:
        raise ConfigError(f"{folder.root / RUN_FILE} lacks {', '.join(missing)}: it is damaged")
    stages = facts["recipe"]["stages"]
    manifests = {}
    for stage in stages:
        manifest = _manifest(StageStore(folder.stage(stage["name"])))
        if manifest is not None:
            manifests[stage["name"]] = manifest
    given = [Evaluation(path.name, read_evaluation(path)) for path in evaluations]
    exports = (read_json(folder.exports / CATALOGUE) or {}).get("files", {})
    return Run(
        folder=folder,
        facts=facts,
        rows=list(stage_rows(folder)),
        uses={stage["name"]: stage["use"] for stage in stages},
        manifests=manifests,
        counts=_counts(folder, manifests, reporter),
        replies=_replies(folder, facts, manifests, reporter),
        exports=exports,
        parts=_parts(folder, exports),
        evaluations=[*_kept(folder), *given],
        working=folder.is_locked(),
    )


def _manifest(store: StageStore) -> dict[str, Any] | None:
    path = store.folder / MANIFEST
    try:
        manifest = orjson.loads(path.read_bytes())
        counts = manifest["counts"]
        broken = not all(key in manifest for key in _MANIFEST_KEYS) or "in" not in counts
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError):
        broken = True
    again = f"make the stage again: cxr-pipeline run ... --rebuild {store.folder.name}"
    if broken:
        raise ConfigError(f"{path} is damaged; {again}")
    sealed = store.manifest()
    if sealed is None:
        raise ConfigError(
            f"{store.folder}: records or rejects have another size than when the stage was sealed; "
            f"{again}"
        )
    return sealed


def _counts(
    folder: RunFolder, manifests: Mapping[str, Mapping[str, Any]], reporter: Reporter
) -> dict[str, Counts]:
    found = {}
    for name, manifest in manifests.items():
        store = StageStore(folder.stage(name))
        if needs_counting(store, manifest):
            reporter.start(f"counting {name}", manifest["counts"]["records"], 0)
        try:
            counts = stage_counts(store, manifest, lambda rows: reporter.advance(rows, 0))
        except (KeyError, TypeError, AttributeError, ValueError):
            raise DataError(
                "bad_record",
                f"{store.records_path}: a record has not the shape that a {manifest['use']} stage "
                f"makes; make it again: cxr-pipeline run ... --rebuild {name}",
            ) from None
        if counts is not None:
            found[name] = counts
    return found


def _replies(
    folder: RunFolder,
    facts: Mapping[str, Any],
    manifests: Mapping[str, Mapping[str, Any]],
    reporter: Reporter,
) -> dict[str, StageReplies]:
    folders = [folder.replies]
    backends = facts["recipe"].get("backends", {}).values()
    folders += [Path(one["journal"]) for one in backends if one.get("journal")]
    asked = sum(int(one["usage"].get("requests", 0)) for one in manifests.values())
    if asked:
        reporter.start("counting replies", asked, 0)
    return journal_counts(
        dict.fromkeys(folders), facts["run_id"], lambda rows: reporter.advance(rows, 0)
    )


def _parts(
    folder: RunFolder, exports: Mapping[str, Mapping[str, Any]]
) -> dict[str, Mapping[str, Any]]:
    found: dict[str, Mapping[str, Any]] = {}
    for name, known in exports.items():
        if "files" not in known:
            continue
        for path in sorted((folder.exports / name).glob("*manifest.json")):
            manifest = read_json(path)
            if manifest is not None and manifest.get("parts"):
                found[name] = manifest
    return found


def _kept(folder: RunFolder) -> list[Evaluation]:
    found = []
    for path in kept_evaluations(folder):
        data = read_evaluation(path)
        found.append(Evaluation(path.name, data, is_outdated(folder, data)))
    return found
