"""The stages of a run as they are on disk: what is complete, what is stale, what goes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import fingerprint
from pipeline.core.jsonl import dump_line, iter_lines
from pipeline.llm.config import BackendConfig
from pipeline.llm.identity import identified
from pipeline.run.folder import RunFolder
from pipeline.run.identity import changed_parts, code_hash, files_hash, user_files_hash
from pipeline.run.recipe import Recipe, StageEntry
from pipeline.run.store import StageStore
from pipeline.sources import Source
from pipeline.stages.base import RecordStage

RULES_MODULE = "pipeline.llm.backends.rules"


@dataclass(frozen=True, slots=True)
class Staleness:
    """Why what is on disk cannot be gone on with.

    Attributes:
        parts: the changed parts of the stage's identity.
        complete: whether the stage was complete.
    """

    parts: list[str]
    complete: bool


class Graph:
    """The stages of one recipe in one run folder."""

    def __init__(self, folder: RunFolder, recipe: Recipe, source: Source) -> None:
        self._folder = folder
        self._recipe = recipe
        self._source = source

    def store(self, name: str) -> StageStore:
        """The folder of a stage."""
        return StageStore(self._folder.stage(name))

    def manifest(self, name: str) -> dict[str, Any]:
        """The manifest of a complete stage.

        Raises:
            ConfigError: it is not complete.
        """
        manifest = self.store(name).manifest()
        if manifest is None:
            raise ConfigError(f"stage {name} is not complete")
        return manifest

    def backend(self, stage: StageEntry) -> BackendConfig | None:
        """The backend a stage asks, if any."""
        return None if stage.backend is None else self._recipe.backends[stage.backend]

    def backend_facts(self, stage: StageEntry) -> dict[str, Any] | None:
        """What a manifest says of the backend."""
        backend = self.backend(stage)
        if backend is None:
            return None
        return {"name": stage.backend, "kind": backend.kind, "model": identified(backend).model}

    def params(self, stage: StageEntry) -> dict[str, Any]:
        """The parameters a stage is built with; those that take the source get it."""
        return stage.given(self._source.config)

    def input_lines(self, stage: StageEntry) -> Iterator[bytes]:
        """The input rows of a stage, in order."""
        if stage.after is None:
            return (dump_line(locator) for locator in self._source.locators())
        return iter_lines(self.store(stage.after).records_path)

    def total(self, stage: StageEntry) -> int | None:
        """Number of input rows, where it is known."""
        if stage.after is None:
            return None
        total: int = self.manifest(stage.after)["counts"]["records"]
        return total

    @cached_property
    def source_facts(self) -> dict[str, Any]:
        """What the input is: files with sizes and hashes, and what was selected of them."""
        config = self._source.config.model_dump(mode="json", exclude={"path"})
        return {"selection": config, "files": self._source.inputs()}

    def parts(self, stage: StageEntry, *, with_input: bool = True) -> dict[str, str]:
        """The identity of a stage as it would be made now, by part."""
        cls = stage.type
        modules = [cls.__module__]
        parts = {
            "stage": stage.use,
            "params": fingerprint(stage.params),
            "libs": files_hash("libs", cls.libs),
            "rounds": fingerprint(self.store(stage.name).rounds()),
        }
        if files := cls.params_type.model_validate(stage.params).files():
            parts["files"] = user_files_hash(files)
        backend = self.backend(stage)
        if backend is not None and issubclass(cls, RecordStage):
            if backend.kind == "rules":
                modules.append(RULES_MODULE)
            model = identified(backend).model
            parts["model"] = fingerprint(
                {"kind": backend.kind, "model": model, "params": dict(backend.params)}
            )
        if cls.prompts and (backend is None or backend.kind != "rules"):
            parts["prompts"] = files_hash("prompts", cls.prompts)
        parts["code"] = code_hash(modules)
        if with_input:
            if stage.after is None:
                parts["input"] = fingerprint(self.source_facts)
            else:
                parts["input"] = self.manifest(stage.after)["output"]["records"]["sha256"]
        return parts

    def staleness(self, stage: StageEntry, *, with_input: bool = True) -> Staleness | None:
        """Why the stage on disk does not fit the recipe; None where it does or is not there."""
        store = self.store(stage.name)
        manifest = store.manifest()
        if manifest is not None:
            old: dict[str, str] = dict(manifest["parts"])
        elif (progress := store.progress()) is not None:
            old = dict(progress.parts)
        else:
            return None
        if not with_input:
            old.pop("input", None)
        changed = changed_parts(old, self.parts(stage, with_input=with_input))
        return Staleness(changed, manifest is not None) if changed else None
