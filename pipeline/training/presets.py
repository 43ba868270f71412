"""Named hyperparameters: those of the published systems, and the tiny model of the tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path
from pipeline.training.config import TrainConfig, parse_config


@dataclass(frozen=True, slots=True)
class Preset:
    """A preset of ``recipes/training``.

    Attributes:
        name: what ``--preset`` calls it.
        description: what it is for.
        base: the model family the publication started from; ``--model`` names the user's copy.
        published: option -> where its value was published. Every other value is this project's.
        options: the values.
    """

    name: str
    description: str
    base: str
    published: dict[str, str]
    options: dict[str, Any]


def preset_names() -> list[str]:
    """Names of the packaged presets."""
    return sorted(path.stem for path in resource_path("recipes", "training").glob("*.yaml"))


def load_preset(name: str) -> Preset:
    """The preset called ``name``.

    Raises:
        ConfigError: there is none.
    """
    if name not in preset_names():
        raise ConfigError(f"no preset {name!r}; there are: {', '.join(preset_names())}")
    data = _read(resource_path("recipes", "training", f"{name}.yaml"))
    return Preset(
        name, data["description"], data["base"], data.get("published") or {}, data["options"]
    )


def resolve(preset: Preset | None, file: Path | None, sets: Iterable[str]) -> TrainConfig:
    """The configuration: defaults, then the preset, then the file, then ``key=value`` items.

    Raises:
        ConfigError: a file that cannot be read, an unknown key, a value that does not fit.
    """
    values: dict[str, Any] = {}
    _merge(values, preset.options if preset else {})
    if file is not None:
        _merge(values, _read(file))
    for item in sets:
        key, separator, text = item.partition("=")
        if not separator or not key:
            raise ConfigError(f"--set takes key=value, such as learning_rate=1e-4, not {item!r}")
        try:
            value: Any = _number(yaml.safe_load(text))
        except yaml.YAMLError:
            raise ConfigError(f"--set {key}: the value is not YAML") from None
        for part in reversed(key.split(".")):
            value = {part: value}
        _merge(values, value)
    return parse_config(values)


def _merge(into: dict[str, Any], values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = dict(value) if isinstance(value, dict) else _number(value)


def _number(value: Any) -> Any:
    """``1e-4`` is text in YAML 1.1, where a number needs a dot; here it is what it looks like."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


def _read(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        raise ConfigError(f"{path} is not YAML") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read ({type(error).__name__})") from None
    if not isinstance(data, dict):
        raise ConfigError(f"{path} must hold options of a fine-tuning, such as learning_rate")
    return data
