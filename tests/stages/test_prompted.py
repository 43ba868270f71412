"""Templates of the user's, in every stage that asks with one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError
from pipeline.core.resources import resource_path
from pipeline.run.identity import user_files_hash
from pipeline.stages.prompted import PromptParams
from pipeline.stages.registry import STAGES, stage_type

ASKING = [
    name for name in STAGES if issubclass(stage_type(name).params_type, PromptParams)
]  # the ones a recipe can give a template


def own_template(name: str, folder: Path) -> Path:
    """A copy of the template that a stage uses by itself."""
    cls = stage_type(name)
    default = cls.params_type.model_fields["prompt"].default or getattr(cls, "own_prompt", "")
    return Path(shutil.copy(resource_path("prompts", f"{default}.md"), folder / "own.md"))


def test_the_stages_that_ask_take_templates() -> None:
    assert {"keyinfo", "followup", "labels", "icd10", "instruct", "answer", "judge"} <= set(ASKING)


@pytest.mark.parametrize("name", ASKING)
def test_an_edited_template_makes_the_stage_stale(name: str, tmp_path: Path) -> None:
    template = own_template(name, tmp_path)
    params = stage_type(name).params_type.model_validate({"prompt": str(template)})
    before = user_files_hash(params.files())
    template.write_text(template.read_text() + "\nBe brief.\n")
    assert user_files_hash(params.files()) != before


@pytest.mark.parametrize("name", [name for name in ASKING if name not in ("judge", "compare")])
def test_a_template_for_another_stage_is_refused_early(name: str, tmp_path: Path) -> None:
    template = tmp_path / "other.md"
    template.write_text("---\nvariables: [something]\n---\n## user\n{{ something }}\n")
    with pytest.raises(ConfigError, match=r"variables do not fit: .*something"):
        stage_type(name).params_type.model_validate({"prompt": str(template)})
