"""The wording of questions and answers, read from ``libs/question_templates.csv``."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

from pipeline.clinical.lexicon import read_rows
from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path

_COLUMNS = ("template_id", "question_type", "base", "question", "answer")


class Template(NamedTuple):
    """One wording; ``{fields}`` are filled by ``str.format``."""

    id: str
    kind: str
    question: str
    answer: str


class Templates:
    """Templates by id, and the paraphrases of each published one (itself included)."""

    def __init__(self, path: Path) -> None:
        self._by_id: dict[str, Template] = {}
        self._wordings: dict[str, list[Template]] = {}
        for row in read_rows(path, _COLUMNS):
            name = row["template_id"]
            if name in self._by_id:
                raise ConfigError(f"{path.name} holds template {name} twice")
            template = Template(name, row["question_type"], row["question"], row["answer"])
            self._by_id[name] = template
            self._wordings.setdefault(row["base"] or name, []).append(template)

    def __getitem__(self, name: str) -> Template:
        return self._by_id[name]

    def wordings(self, name: str) -> list[Template]:
        """The published wording first, then its paraphrases."""
        return self._wordings[name]

    def sentence(self, name: str, /, **values: str) -> str:
        """The filled answer text of a template."""
        return self._by_id[name].answer.format(**values)


@cache
def load_templates(path: Path | None = None) -> Templates:
    """The packaged templates, or those of a file with the same columns.

    Raises:
        ConfigError: a column is missing or an id occurs twice.
    """
    return Templates(path or resource_path("libs", "question_templates.csv"))
