"""Recipes: which stages run in which order, on what, with which models and parameters.

A recipe is a YAML file::

    name: medical-cxr-vqa
    source: {path: data}
    backend: rules
    stages:
      ingest:
      sections:
      keyinfo:
      questions: {difference: false}
    exports:
      - {format: vqa-csv, stage: questions, file: questions.csv}

A stage's entry holds its parameters, and at most these keys of the recipe's own: ``use`` (the kind
of stage, where its name differs), ``after`` (its input, where that is not the stage before it) and
``backend``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path
from pipeline.exports.images import ImageOptions
from pipeline.exports.registry import FORMATS
from pipeline.exports.split import SplitOptions
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.llm.governance import GovernanceConfig
from pipeline.llm.talk_config import ChatConfig
from pipeline.sources.config import SourceConfig
from pipeline.stages.base import RecordStage
from pipeline.stages.registry import StageType, stage_type

OWN_KEYS = ("use", "after", "backend")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class ExportEntry(_Model):
    """A file, or a folder of samples, to be made of a stage's records when it is complete.

    Attributes:
        format: one of the formats of ``pipeline.exports.registry``.
        stage: the stage it is made of.
        file: name of the file or folder in ``exports/``.
        name: for samples, the name of the data set; "" takes the recipe's.
        split: for samples, how they are split.
        images: for samples with images, how these are named.
    """

    format: str
    stage: str
    file: str
    name: str = Field(default="", pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*)?$")
    split: SplitOptions = SplitOptions()
    images: ImageOptions = ImageOptions()

    @field_validator("format")
    @classmethod
    def _known_format(cls, value: str) -> str:
        if value not in FORMATS:
            raise ValueError(f"no export format {value!r}; there are: {', '.join(FORMATS)}")
        return value

    @field_validator("file")
    @classmethod
    def _plain_name(cls, value: str) -> str:
        if not value or Path(value).name != value:
            raise ValueError("must be a file name without a folder")
        return value


class StageEntry(_Model):
    """One stage of a recipe, resolved.

    Attributes:
        name: what the recipe calls it.
        use: the kind of stage.
        after: the stage whose records it takes; None for the first.
        backend: the backend it asks, None where it asks none.
        params: its parameters, checked and complete.
    """

    name: str
    use: str
    after: str | None
    backend: str | None
    params: dict[str, Any]

    @property
    def type(self) -> StageType:
        """The stage's class."""
        return stage_type(self.use)

    def given(self, source: SourceConfig) -> dict[str, Any]:
        """The parameters the stage is built with; those that take the source get it."""
        if "source" in self.type.params_type.model_fields:
            return {**self.params, "source": source.model_dump(mode="json")}
        return self.params

    def missing(self, source: SourceConfig) -> str:
        """What the stage still needs and how to give it; "" where it can be run."""
        return self.type.params_type.model_validate(self.given(source)).missing(self.name)


class Recipe(_Model):
    """A recipe, checked and resolved: what ``run.json`` keeps.

    Attributes:
        folder: where its file lies; attestations are named relative to it.
        backend: the backend of stages that name none, and of ``chat``.
        chat: how its model is talked to.
    """

    name: str
    description: str = ""
    source: SourceConfig
    governance: GovernanceConfig = GovernanceConfig()
    folder: str = "."
    backend: str = "rules"
    chat: ChatConfig = ChatConfig()
    backends: dict[str, BackendConfig] = Field(default_factory=dict)
    stages: tuple[StageEntry, ...]
    exports: tuple[ExportEntry, ...] = ()

    def stage(self, name: str) -> StageEntry:
        """The stage called ``name``.

        Raises:
            ConfigError: the recipe has none of that name.
        """
        for stage in self.stages:
            if stage.name == name:
                return stage
        names = ", ".join(stage.name for stage in self.stages)
        raise ConfigError(f"recipe {self.name} has no stage {name!r}; it has: {names}")

    def descendants(self, name: str) -> list[str]:
        """The stages that stand on ``name``, directly or not, in order."""
        found = [name]
        for stage in self.stages:
            if stage.after in found:
                found.append(stage.name)
        return found[1:]


def recipe_names() -> list[str]:
    """Names of the packaged recipes."""
    return sorted(path.stem for path in resource_path("recipes").glob("*.yaml"))


def load_recipe(
    name: str,
    *,
    sets: Iterable[str] = (),
    source: Mapping[str, Any] | None = None,
    backend: str | None = None,
    needs_input: bool = True,
) -> Recipe:
    """Load a packaged recipe by name, or a YAML file by path, and resolve it.

    Args:
        name: ``medical-cxr-vqa`` or ``my/recipe.yaml``.
        sets: ``key.path=value`` overrides, the value in YAML.
        source: overrides of the ``source`` part, such as ``{"path": "data"}``.
        backend: the backend of every stage that asks a model.
        needs_input: False for a recipe that is not run: then it may have no input.

    Raises:
        ConfigError: no such recipe, bad YAML, an unknown key or stage, a value that does not fit.
    """
    path = _find(name)
    data = _parse(path)
    for item in sets:
        _override(data, item)
    data.setdefault("source", {})
    if not isinstance(data["source"], dict):
        raise ConfigError(f"{path}: 'source' must hold keys such as path")
    data["source"].update({k: v for k, v in (source or {}).items() if v is not None})
    if not needs_input:
        data["source"].setdefault("path", "")
    if backend is not None:
        data["backend"] = backend
    return _resolve(path, data, everywhere=backend is not None)


def _find(name: str) -> Path:
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        if not path.is_file():
            raise ConfigError(f"recipe {name} does not exist")
        return path
    if name in recipe_names():
        return resource_path("recipes", f"{name}.yaml")
    raise ConfigError(f"no recipe {name!r}; there are: {', '.join(recipe_names())}, or a YAML path")


def _parse(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "bad YAML"
        raise ConfigError(f"{path}{where}: {problem}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} is no recipe: it must hold 'name' and 'stages'")
    return data


def _override(data: dict[str, Any], item: str) -> None:
    key, separator, text = item.partition("=")
    if not separator or not key:
        raise ConfigError(f"--set takes key.path=value, not {item!r}")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {key}: the value is not YAML") from None
    *parents, last = key.split(".")
    node = data
    for depth, parent in enumerate(parents):
        child = node.get(parent)
        if child is None:
            if depth == 1 and parents[0] == "stages" and parent not in node:
                raise ConfigError(f"--set {key}: the recipe has no stage {parent!r}")
            child = node[parent] = {}
        if not isinstance(child, dict):
            raise ConfigError(f"--set {key}: {'.'.join(parents[: depth + 1])} holds no keys")
        node = child
    node[last] = value


def _resolve(path: Path, data: dict[str, Any], *, everywhere: bool) -> Recipe:
    default_backend = data.pop("backend", "rules")
    stages = data.get("stages")
    if not isinstance(stages, dict) or not stages:
        raise ConfigError(f"{path}: 'stages' must list at least one stage")
    entries: list[dict[str, Any]] = []
    previous: str | None = None
    for name, options in stages.items():
        if options is not None and not isinstance(options, dict):
            raise ConfigError(f"{path}: stage {name} must hold keys or nothing")
        entries.append(
            _stage(path, str(name), dict(options or {}), previous, default_backend, everywhere)
        )
        previous = str(name)
    _check_order(path, entries)
    known = {entry["name"] for entry in entries}
    backends = data.get("backends") or {}
    if not isinstance(backends, dict) or not all(isinstance(b, dict) for b in backends.values()):
        raise ConfigError(f"{path}: 'backends' must hold one entry of keys per name")
    backends = {
        str(name): parse_backend(raw, f"{path}: backend {name}")
        for name, raw in {"rules": {"kind": "rules"}, **backends}.items()
    }
    if "path" not in data["source"]:
        raise ConfigError(
            f"recipe {path.stem} has no input: give --input PATH "
            f"(sample reports are in {resource_path('data')})"
        )
    try:
        recipe = Recipe.model_validate(
            {
                "name": path.stem,
                **data,
                "backend": default_backend,
                "backends": backends,
                "stages": entries,
                "folder": str(path.parent.resolve()),
            }
        )
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_problem(error)}") from None
    for entry in recipe.stages:
        if entry.backend is not None and entry.backend not in recipe.backends:
            names = ", ".join(recipe.backends)
            raise ConfigError(
                f"{path}: stage {entry.name} asks backend {entry.backend!r}; there are: {names}"
            )
    for export in recipe.exports:
        if export.stage not in known:
            raise ConfigError(f"{path}: export {export.file} takes unknown stage {export.stage!r}")
    return recipe


def _stage(
    path: Path,
    name: str,
    options: dict[str, Any],
    previous: str | None,
    default_backend: str,
    everywhere: bool,
) -> dict[str, Any]:
    own = {key: options.pop(key) for key in OWN_KEYS if key in options}
    use = own.get("use", name)
    cls = stage_type(use)
    try:
        params = cls.params_type.model_validate(options)
    except ValidationError as error:
        raise ConfigError(f"{path}: stage {name}: {first_problem(error)}") from None
    asks = issubclass(cls, RecordStage) and cls.asks
    backend = default_backend if everywhere else own.get("backend", default_backend)
    return {
        "name": name,
        "use": use,
        "after": own.get("after", previous),
        "backend": backend if asks else None,
        "params": params.model_dump(mode="json"),
    }


def _check_order(path: Path, entries: list[dict[str, Any]]) -> None:
    if entries[0]["use"] != "ingest" or any(entry["use"] == "ingest" for entry in entries[1:]):
        raise ConfigError(f"{path}: the first stage, and only the first, must be ingest")
    seen: set[str | None] = {None}
    for entry in entries:
        if entry["after"] not in seen or (entry["after"] is None) != (entry is entries[0]):
            raise ConfigError(
                f"{path}: stage {entry['name']} comes after {entry['after']!r}, "
                "which is no stage before it"
            )
        seen.add(entry["name"])


def first_problem(error: ValidationError) -> str:
    """The first problem in words: where it is, and what is wrong."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"]) or "it"
    if problem["type"] == "extra_forbidden":
        return f"unknown key {where!r}"
    if problem["type"] == "missing":
        return f"{where!r} is missing"
    return f"{where}: {problem['msg']}"
