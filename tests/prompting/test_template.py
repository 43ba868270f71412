from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path
from pipeline.prompting.template import load_template

GOOD = "---\nvariables: [report]\n---\n## system\nRead.\n## user\n{{ report }}\n"


def write(folder: Path, text: str) -> str:
    path = folder / "t.md"
    path.write_text(text, encoding="utf-8")
    load_template.cache_clear()
    return str(path)


def test_roles_become_messages_and_report_text_is_not_a_template(tmp_path: Path) -> None:
    messages = load_template(write(tmp_path, GOOD)).render(report="{{ 7 * 7 }} ## user")
    assert [(m.role, m.content) for m in messages] == [
        ("system", "Read."),
        ("user", "{{ 7 * 7 }} ## user"),
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no front matter", "front matter"),
        ("---\nname: x\n---\n## user\nx\n", "variables"),
        ("---\nvariables: []\n---\nx\n", "no message"),
        ("---\nvariables: [a]\n---\n## user\n{{ b }}\n", "a, b"),
        ("---\nvariables: []\n---\n## user\n{% if %}\n", "t.md"),
    ],
)
def test_a_wrong_template_is_refused_when_it_is_loaded(
    tmp_path: Path, text: str, says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        load_template(write(tmp_path, text))


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="report"):
        load_template(write(tmp_path, GOOD)).render()


def test_every_packaged_template_loads() -> None:
    for path in resource_path("prompts").rglob("*.md"):
        assert load_template(str(path)).hash
