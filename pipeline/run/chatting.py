"""What ``chat`` needs before the first question: backend, gate, preset, images that may be shown.

What somebody types may be a note, so a conversation has a data class like every run: credentialed
unless told otherwise.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from pipeline.core.atomic import write_bytes
from pipeline.core.errors import ConfigError, DataError, GovernanceError
from pipeline.llm.config import BackendConfig, parse_backend
from pipeline.llm.governance import CREDENTIALED, DATA_CLASSES, Gate, GovernanceConfig, open_gate
from pipeline.llm.images import image_part
from pipeline.llm.open import Answering, Note, open_engine
from pipeline.llm.talk import Conversation, Talk
from pipeline.llm.talk_config import ChatConfig
from pipeline.run.exporting import notice
from pipeline.run.folder import git_would_track
from pipeline.run.recipe import load_recipe
from pipeline.sources import SourceConfig
from pipeline.sources.base import stated_class

_NO_JOURNAL = Path(os.devnull) / "replies"
"""Nothing can be there: a conversation is not journaled."""


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """What the command line says of a conversation; None leaves it to the recipe.

    Attributes:
        recipe: name or path of a recipe with a ``chat`` part.
        backend: a backend of that recipe.
        url: address of an OpenAI-compatible server, in place of a recipe's backend.
        model: the model it is to use.
        key_env: environment variable with its key.
        model_path: folder of a model that answers in this process.
        data_class: of what is typed and shown.
        chat: keys of :class:`ChatConfig` that override the recipe's.
    """

    recipe: str | None = None
    backend: str | None = None
    url: str | None = None
    model: str | None = None
    key_env: str | None = None
    model_path: Path | None = None
    data_class: str = CREDENTIALED
    chat: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChatSetup:
    """A conversation about to begin.

    Attributes:
        backend: what answers.
        gate: decides where it may go.
        config: preset of the recipe, with what the command line overrides.
    """

    backend: BackendConfig
    gate: Gate
    config: ChatConfig

    @property
    def label(self) -> str:
        """The backend in words: model, kind and places."""
        if self.backend.kind == "rules":
            return "rules (no model)"
        places = ", ".join(one.label for one in self.backend.deployments)
        return f"{self.backend.model} ({self.backend.kind}: {places})"

    @property
    def notice(self) -> str:
        """What follows from the data class, for whoever sits in front."""
        if self.gate.strict:
            return (
                "What is typed, shown and answered counts as credentialed: pass nothing of it on. "
                "Nothing is kept."
            )
        return "Nothing is kept."

    @asynccontextmanager
    async def engine(
        self, environ: Mapping[str, str] = os.environ, note: Note = lambda _: None
    ) -> AsyncIterator[Answering]:
        """The engine of the backend, open until the end of the context.

        Args:
            environ: where keys are looked up.
            note: takes what the user should know, such as that a model is being loaded.

        Raises:
            GovernanceError: data of this class may not go there; nothing was sent.
            ConfigError: a key is missing.
        """
        backend = self.backend.model_copy(update={"journal": None})
        async with open_engine(
            backend, _NO_JOURNAL, self.gate.check, environ=environ, note=note
        ) as engine:
            yield engine

    @asynccontextmanager
    async def open(
        self, environ: Mapping[str, str] = os.environ, note: Note = lambda _: None
    ) -> AsyncIterator[Talk]:
        """A conversation with the backend; see :meth:`engine`."""
        async with self.engine(environ, note) as engine:
            yield Talk(engine, Conversation(self.config))

    def image(self, path: Path) -> dict[str, Any]:
        """The part of a message that shows an image.

        Raises:
            ConfigError: it cannot be read, or is no image.
            GovernanceError: a ``DATA_CLASS`` file beside or above it is stricter.
        """
        stated = stated_class(SourceConfig(path=str(path)), path.absolute().parents)
        if stated == CREDENTIALED and not self.gate.strict:
            raise GovernanceError(
                f"{path.name} is credentialed by a DATA_CLASS file beside or above it; start chat "
                f"without --data-class {self.gate.data_class}"
            )
        try:
            return image_part(path)
        except DataError as error:
            raise ConfigError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class Chosen:
    """The backend and the preset that options and recipe come to, and the recipe's governance."""

    backend: BackendConfig
    config: ChatConfig
    governance: GovernanceConfig
    folder: Path


def prepare_chat(options: ChatOptions) -> ChatSetup:
    """Resolve options and recipe.

    Raises:
        ConfigError: as :func:`resolve_backend`, or no such data class.
        GovernanceError: an attestation of the recipe cannot be read.
    """
    if options.data_class not in DATA_CLASSES:
        raise ConfigError(f"--data-class must be one of {', '.join(DATA_CLASSES)}")
    chosen = resolve_backend(options)
    gate = open_gate(options.data_class, chosen.governance, chosen.folder)
    return ChatSetup(chosen.backend, gate, chosen.config)


def resolve_backend(options: ChatOptions) -> Chosen:
    """The backend that options name, or the recipe's, and the preset.

    Raises:
        ConfigError: options that exclude each other, no such recipe or backend, a wrong value.
    """
    places = (options.backend, options.url, options.model_path)
    if sum(place is not None for place in places) > 1:
        raise ConfigError("give one of --backend, --url and --model-path")
    if (options.model or options.key_env) and options.url is None:
        raise ConfigError("--model and --key-env belong to --url")
    preset, governance, folder = ChatConfig(), GovernanceConfig(), Path()
    backends, name = {"rules": parse_backend({"kind": "rules"})}, options.backend or "rules"
    if options.recipe is not None:
        recipe = load_recipe(options.recipe, needs_input=False)
        preset, governance, folder = recipe.chat, recipe.governance, Path(recipe.folder)
        backends, name = recipe.backends, options.backend or recipe.backend
    if options.url is not None:
        backend = _server(options)
    elif options.model_path is not None:
        raw = {"kind": "transformers", "path": str(options.model_path)}
        backend = parse_backend(raw, "--model-path")
    elif name in backends:
        backend = backends[name]
    else:
        hint = "" if options.recipe else "; --recipe names the recipe that has it"
        raise ConfigError(f"no backend {name!r}; there are: {', '.join(backends)}{hint}")
    given = {key: value for key, value in options.chat.items() if value is not None}
    config = ChatConfig.model_validate({**preset.model_dump(), **given})
    return Chosen(backend, config, governance, folder)


def save_conversation(conversation: Conversation, path: Path, data_class: str) -> None:
    """Write a conversation to a new file for its owner alone: JSON messages, or Markdown.

    Raises:
        ConfigError: the file is there already, or cannot be written.
        GovernanceError: git would pick up what may be credentialed text.
    """
    path = path.expanduser()
    if path.exists():
        raise ConfigError(f"{path} is there already; choose another name")
    if not path.parent.is_dir():
        raise ConfigError(f"the folder {path.parent} does not exist")
    if data_class == CREDENTIALED and git_would_track(path.parent):
        raise GovernanceError(
            f"{path} lies in a git work tree that does not ignore it, and the conversation may "
            "hold credentialed text; choose another place"
        )
    said = conversation.as_json()
    if path.suffix == ".json":
        facts = {"data_class": data_class, "notice": notice(data_class), "messages": said}
        data = orjson.dumps(facts, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    else:
        parts = [f"<!-- {notice(data_class)} -->"]
        for message in said:
            images = "".join(f"\n(image: {path})" for path in message.get("images", ()))
            parts.append(f"## {message['role']}{images}\n\n{message['content']}")
        data = ("\n\n".join(parts) + "\n").encode(errors="replace")
    try:
        write_bytes(path, data)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _server(options: ChatOptions) -> BackendConfig:
    if not options.model:
        raise ConfigError("--url needs --model, the name the server knows the model by")
    raw = {"kind": "openai", "model": options.model, "url": options.url}
    if options.key_env:
        raw["key_env"] = options.key_env
    return parse_backend(raw, "--url")
