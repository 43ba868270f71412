"""Checks of machine and recipe: each a finding with what to do about it."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import pipeline
from pipeline.core.errors import DataError, PipelineError
from pipeline.core.resources import resource_root
from pipeline.llm.check import CheckResult, check_backend
from pipeline.llm.governance import open_gate
from pipeline.llm.local_check import examine
from pipeline.run.data_class import data_class_of
from pipeline.run.pool import available_cores
from pipeline.run.recipe import Recipe, load_recipe
from pipeline.sources import Source, open_source

EXTRAS = {"azure": "azure.identity", "local": "torch", "parquet": "pyarrow"}
LOW_SPACE = 5 << 30
TRIED_REPORTS = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing; ``level`` is ``ok``, ``note`` or ``bad``."""

    level: str
    what: str
    detail: str


def check_machine(run_dir: Path) -> Iterator[Finding]:
    """Python, cores, memory, disk, installation."""
    yield Finding("ok", "cxr-pipeline", f"{pipeline.__version__}, resources in {resource_root()}")
    level = "ok" if sys.version_info >= (3, 11) else "bad"
    yield Finding(level, "python", f"{platform.python_version()} (3.11 or later is needed)")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    yield Finding("ok", "machine", f"{available_cores()} cores, {memory:.1f} GiB of memory")
    folder = run_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding("bad", "disk", f"{folder} cannot be written; choose another --run-dir")
    else:
        free = shutil.disk_usage(folder).free
        enough = free >= LOW_SPACE
        hint = "" if enough else "; a full MIMIC-CXR run needs about 5 GiB"
        yield Finding("ok" if enough else "note", "disk", f"{free / (1 << 30):.1f} GiB free{hint}")
    for extra, module in EXTRAS.items():
        if _installed(module):
            yield Finding("ok", f"extra {extra}", "installed")
        else:
            yield Finding(
                "note", f"extra {extra}", f'not installed: pip install "cxr-pipeline[{extra}]"'
            )


def check_recipe(
    name: str, input_: str | None, backend: str | None, sets: list[str]
) -> Iterator[Finding]:
    """The recipe, its source, and whether its first reports can be read."""
    try:
        recipe = load_recipe(name, sets=sets, source={"path": input_}, backend=backend)
    except PipelineError as error:
        yield Finding("bad", "recipe", str(error))
        return
    stages = " -> ".join(stage.name for stage in recipe.stages)
    yield Finding("ok", "recipe", f"{recipe.name}: {stages}")
    try:
        source = open_source(recipe.source)
        yield from _check_source(recipe, source)
    except PipelineError as error:
        yield Finding("bad", "input", str(error))
        return
    for stage in recipe.stages:
        if problem := stage.missing(source.config):
            yield Finding("bad", f"stage {stage.name}", problem)
    try:
        yield from _check_backends(recipe, source)
    except PipelineError as error:
        yield Finding("bad", "governance", str(error))


def _check_source(recipe: Recipe, source: Source) -> Iterator[Finding]:
    files = source.inputs()
    size = sum(file["size"] for file in files)
    yield Finding(
        "ok", "input", f"{source.kind}, {len(files)} entries, {size / (1 << 20):,.1f} MiB"
    )
    yield Finding("ok", "data class", _say_class(data_class_of(recipe, source)))
    read, problems = 0, []
    for locator in islice(source.locators(), TRIED_REPORTS):
        try:
            source.read(locator)
            read += 1
        except DataError as error:
            problems.append(error.reason)
    level = "ok" if read else "bad"
    trouble = f"; not readable: {', '.join(sorted(set(problems)))}" if problems else ""
    yield Finding(level, "reports", f"read {read} of the first {read + len(problems)}{trouble}")


def _check_backends(recipe: Recipe, source: Source) -> Iterator[Finding]:
    """Each backend a stage asks: is it allowed for this data, and does it answer?"""
    gate = open_gate(data_class_of(recipe, source), recipe.governance, Path(recipe.folder))
    asked = {stage.backend: stage.name for stage in recipe.stages if stage.backend is not None}
    for name, stage in asked.items():
        backend = recipe.backends[name]
        yield Finding("ok", f"stage {stage}", f"asks {name} ({backend.kind})")
        for deployment in backend.deployments:
            for line in gate.explain(
                deployment.target, "batch" if backend.mode == "batch" else "chat"
            ):
                level = "bad" if line.startswith("refused") else "ok"
                yield Finding(level, f"governance {deployment.label}", line)
        able = True
        for model in backend.local_models:
            for level, line in examine(model):
                able = able and level != "bad"
                yield Finding(level, model.label, line)
        if not able:
            continue  # loading it would only say the same again
        for result in asyncio.run(check_backend(backend, gate.check)):
            yield Finding("ok" if result.works else "bad", result.deployment, _say_result(result))
            for line in result.advice:
                yield Finding("note", result.deployment, line)


def _say_result(result: CheckResult) -> str:
    """What one tiny request taught about a deployment."""
    if not result.works:
        return result.problem or "no answer"
    limits = [
        f"{number:,.0f} {unit}"
        for number, unit in ((result.rpm, "requests/min"), (result.tpm, "tokens/min"))
        if number is not None
    ]
    answers = f"{result.server} answers" if result.server else "answers"
    parts = [
        f"{answers} as {result.model or 'unnamed model'} in {result.seconds:.1f} s",
        "follows a JSON schema" if result.structured else "did not follow the JSON schema",
        "counts tokens" if result.reports_usage else "counts no tokens: budgets use estimates",
        ", ".join(limits) if limits else "names no limits",
        result.problem,
    ]
    return "; ".join(part for part in parts if part)


def _say_class(data_class: str) -> str:
    if data_class == "credentialed":
        return (
            "credentialed: rules and local models only, unless an attestation covers the endpoint; "
            "a file DATA_CLASS in the input says otherwise"
        )
    return data_class


def _installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False
