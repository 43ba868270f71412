from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.run.folder import RunFolder
from pipeline.run.job import JobResult, run_job
from pipeline.run.recipe import Recipe, load_recipe
from pipeline.run.runner import Selection
from pipeline.stages import registry

TEXTS = {
    "a": "one two",
    "b": "skip me",
    "c": "broken line",
    "d": "needs help",
    "e": "crash here",
    "f": "five six seven",
    "g": "eight",
}


@dataclass
class Bench:
    """A toy recipe, its input and its run folder."""

    root: Path

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.root / "run")

    @property
    def switch(self) -> Path:
        return self.root / "switch"

    @property
    def stop_file(self) -> Path:
        return self.root / "stop"

    def recipe(self, *sets: str) -> Recipe:
        return load_recipe(str(self.root / "toy.yaml"), sets=sets)

    def run(self, *sets: str, **selection: Any) -> JobResult:
        return run_job(self.folder, self.recipe(*sets), selection=Selection(**selection), workers=1)

    def write_input(self, texts: dict[str, str]) -> None:
        with (self.root / "in.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "text"])
            writer.writerows(texts.items())

    def artifacts(self) -> dict[str, bytes]:
        stages = self.folder.stages
        return {str(p.relative_to(stages)): p.read_bytes() for p in sorted(stages.rglob("*.jsonl"))}


@pytest.fixture
def make_bench(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], Bench]:
    for name, cls in (("shout", "Shout"), ("split", "Split"), ("last", "Last")):
        monkeypatch.setitem(registry.STAGES, name, f"tests.run.toys:{cls}")

    def make() -> Bench:
        bench = Bench(tmp_path_factory.mktemp("bench"))
        bench.write_input(TEXTS)
        recipe = {
            "name": "toy",
            "source": {
                "path": str(bench.root / "in.csv"),
                "columns": {"id": "id", "text": "text"},
                "data_class": "synthetic",
            },
            "stages": {
                "ingest": None,
                "shout": {"switch": str(bench.switch), "stop_file": str(bench.stop_file)},
                "last": None,
                "split": None,
            },
        }
        (bench.root / "toy.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False))
        return bench

    return make


@pytest.fixture
def bench(make_bench: Callable[[], Bench]) -> Bench:
    return make_bench()
