"""What a conversation begins with: presets, the class of what is said and shown, saved files."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pipeline.core.errors import ConfigError, GovernanceError
from pipeline.llm.talk import Conversation, Turn
from pipeline.run.chatting import ChatOptions, prepare_chat, resolve_backend, save_conversation
from tests.support.images import save


def test_presets_come_from_the_recipe_and_options_override_them() -> None:
    asked = resolve_backend(ChatOptions(recipe="llmlf")).config
    assert not asked.history
    assert asked.dress("未见气胸。").startswith("根据下面一段上腹部CT的影像描述：")
    assert resolve_backend(ChatOptions(recipe="radiology-gpt")).config.history
    changed = resolve_backend(ChatOptions(recipe="llmlf", chat={"history": True, "prefix": ""}))
    assert changed.config.history
    assert changed.config.dress("未见气胸。") == "未见气胸。生成一份对应的诊断意见："


def test_a_backend_of_the_recipe_is_asked(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        "stages: {ingest: }\nbackend: here\nchat: {system: brief}\n"
        "backends: {here: {kind: openai, model: m, url: 'http://localhost:9/v1'}}\n"
    )
    setup = prepare_chat(ChatOptions(recipe=str(recipe)))
    assert setup.label == "m (openai: localhost:9/m)"
    assert setup.config.system == "brief"
    assert (
        prepare_chat(ChatOptions(recipe=str(recipe), backend="rules")).label == "rules (no model)"
    )
    with pytest.raises(ConfigError, match="no backend 'nobody'; there are: rules, here"):
        prepare_chat(ChatOptions(recipe=str(recipe), backend="nobody"))


def test_a_credentialed_image_is_not_shown_in_a_public_conversation(tmp_path: Path) -> None:
    film = save(tmp_path / "files" / "p10" / "film.png")
    (tmp_path / "DATA_CLASS").write_text("credentialed\n")
    with pytest.raises(GovernanceError, match=r"film\.png is credentialed"):
        prepare_chat(ChatOptions(data_class="public")).image(film)
    assert prepare_chat(ChatOptions()).image(film)["type"] == "image"
    with pytest.raises(ConfigError, match="unreadable_image"):
        film.write_bytes(b"no image")
        prepare_chat(ChatOptions()).image(film)


def test_what_may_be_credentialed_is_not_saved_where_git_would_take_it(tmp_path: Path) -> None:
    said = Conversation(turns=[Turn("question", "answer")])
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(GovernanceError, match="git work tree"):
        save_conversation(said, tmp_path / "talk.md", "credentialed")
    save_conversation(said, tmp_path / "talk.md", "synthetic")
    assert "answer" in (tmp_path / "talk.md").read_text()
    for path, why in (
        (tmp_path / "talk.md", "there already"),
        (tmp_path / "no" / "x", "not exist"),
    ):
        with pytest.raises(ConfigError, match=why):
            save_conversation(said, path, "synthetic")
