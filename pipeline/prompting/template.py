"""Prompt templates: files with front matter, rendered strictly, known by their hash.

A template is a Markdown file in ``prompts/``::

    ---
    name: keyinfo
    variables: [report]
    ---
    ## system
    You read chest X-ray reports.
    ## user
    {{ report }}

Each level-two heading that is a role (``system``, ``user``, ``assistant``) starts a message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment

from pipeline.core.errors import ConfigError
from pipeline.core.hashing import sha256_hex
from pipeline.core.resources import resource_path
from pipeline.llm.types import Message

_FRONT = re.compile(r"\A---\n(.*?\n)---\n", re.S)
_ROLE = re.compile(r"^## (system|user|assistant)[ \t]*\n", re.M)
_ENVIRONMENT = SandboxedEnvironment(
    undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
)


@dataclass(frozen=True, slots=True)
class Template:
    """A loaded template.

    Attributes:
        name: file name without ending.
        variables: the variables it needs.
        hash: SHA-256 of the file, for provenance.
    """

    name: str
    variables: frozenset[str]
    hash: str
    _parts: tuple[tuple[str, Any], ...]

    def require(self, variables: frozenset[str]) -> None:
        """Say early that a template does not fit its stage, which fills in ``variables``.

        Raises:
            ConfigError: it needs others, or lacks some.
        """
        if self.variables != variables:
            wrong = sorted(variables ^ self.variables)
            raise ConfigError(
                f"prompt {self.name}: variables do not fit: {', '.join(wrong)}; "
                f"the stage gives {', '.join(sorted(variables))}"
            )

    def render(self, **values: object) -> tuple[Message, ...]:
        """The messages with ``values`` filled in.

        Raises:
            ConfigError: a variable is missing or unknown.
        """
        if values.keys() != self.variables:
            wrong = sorted(values.keys() ^ self.variables)
            raise ConfigError(f"prompt {self.name}: variables do not fit: {', '.join(wrong)}")
        return tuple(Message(role, part.render(values).strip()) for role, part in self._parts)


@cache
def load_template(name: str) -> Template:
    """Load a template of ``prompts/`` by name, or one of the user's by path.

    Raises:
        ConfigError: it does not exist, or is no template.
    """
    path = Path(name) if name.endswith(".md") else resource_path("prompts", f"{name}.md")
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"prompt {path} cannot be read ({type(error).__name__})") from None
    front = _FRONT.match(source)
    if front is None:
        raise ConfigError(f"prompt {path} has no front matter between two lines of '---'")
    try:
        facts = yaml.safe_load(front[1])
        declared = frozenset(facts["variables"])
    except (yaml.YAMLError, KeyError, TypeError):
        raise ConfigError(f"prompt {path}: the front matter must list 'variables'") from None
    body = source[front.end() :]
    pieces = _ROLE.split(body)
    if len(pieces) < 3:
        raise ConfigError(f"prompt {path}: no message; start one with '## user'")
    try:
        used = meta.find_undeclared_variables(_ENVIRONMENT.parse(body))
        parts = tuple(
            (role, _ENVIRONMENT.from_string(text))
            for role, text in zip(pieces[1::2], pieces[2::2], strict=True)
        )
    except TemplateError as error:
        raise ConfigError(f"prompt {path}: {error}") from None
    if used != declared:
        wrong = sorted(used ^ declared)
        raise ConfigError(f"prompt {path}: declared and used variables differ: {', '.join(wrong)}")
    return Template(path.stem, declared, sha256_hex(source.encode()), parts)
