"""What makes a stage stale: the parts of its identity, each hashed on its own.

Two runs of a stage give the same bytes when these parts are equal. They stand in its manifest, so
that ``run`` can say which of them changed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pipeline.core.hashing import fingerprint, sha256_file
from pipeline.core.resources import resource_path

CODE_ROOMS = (
    "pipeline.stages",
    "pipeline.clinical",
    "pipeline.prompting",
    "pipeline.sources",
    "pipeline.exports.all_diseases",
    "pipeline.llm.backends.rules",
)
"""Modules whose source decides what a stage makes. The runner and the engine only carry it out."""

SAYS = {
    "stage": "another stage is used",
    "params": "its parameters changed",
    "code": "the code changed",
    "libs": "a library file changed",
    "files": "a file of yours that it reads changed",
    "prompts": "a prompt changed",
    "model": "the model or its parameters changed",
    "input": "its input changed",
    "rounds": "records were put back to work",
}
"""What a changed part is called in a message."""


def code_hash(modules: Iterable[str]) -> str:
    """Hash of the source of ``modules`` and all they import from :data:`CODE_ROOMS`."""
    seen: set[str] = set()
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting.extend(_imports(name))
    return fingerprint({name: _source_hash(name) for name in sorted(seen)})


@cache
def _source(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin) if spec is not None and spec.origin else None


@cache
def _source_hash(name: str) -> str:
    path = _source(name)
    return sha256_file(path) if path else ""


@cache
def _imports(name: str) -> tuple[str, ...]:
    path = _source(name)
    if path is None or path.suffix != ".py":
        return ()
    found: set[str] = set()
    if name == "pipeline.sources":
        # Readers are imported by kind, when a source is opened.
        found.update(f"{name}.{file.stem}" for file in path.parent.glob("[!_]*.py"))
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found.add(node.module)
            # ``from package import module`` names a module as often as an attribute.
            found.update(
                f"{node.module}.{alias.name}"
                for alias in node.names
                if _in_rooms(node.module) and _is_module(f"{node.module}.{alias.name}")
            )
    return tuple(sorted(module for module in found if _in_rooms(module)))


def _in_rooms(name: str) -> bool:
    return any(name == room or name.startswith(room + ".") for room in CODE_ROOMS)


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def files_hash(room: str, names: Iterable[str]) -> str:
    """Hash over packaged files: ``libs`` or ``prompts`` and file or folder names inside."""
    hashes: dict[str, str] = {}
    for name in names:
        path = resource_path(room, name)
        files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in files:
            hashes[file.relative_to(resource_path(room)).as_posix()] = sha256_file(file)
    return fingerprint(hashes)


def user_files_hash(names: Iterable[str]) -> str:
    """Hash over files of the user's, and those directly inside folders of the user's."""
    hashes: dict[str, str] = {}
    for number, name in enumerate(names):
        path = Path(name).expanduser()
        files = sorted(p for p in path.iterdir() if p.is_file()) if path.is_dir() else [path]
        for file in files:
            hashes[f"{number}/{file.name}"] = sha256_file(file) if file.is_file() else ""
    return fingerprint(hashes)


def changed_parts(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """Names of the parts in which two identities differ, in the order of :data:`SAYS`."""
    return [part for part in SAYS if old.get(part) != new.get(part)]


def say_changes(parts: list[str]) -> str:
    """The changed parts in words."""
    return ", ".join(SAYS[part] for part in parts)
