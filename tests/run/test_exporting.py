"""Exports of a run: by the recipe and by the command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipeline.cli.main import app
from pipeline.core.errors import ConfigError, DataError, GovernanceError, PipelineError
from pipeline.core.records import Record, identity
from pipeline.exports import registry as exports
from pipeline.llm.types import Ask
from pipeline.run.job import JobResult
from pipeline.stages import registry as stages
from pipeline.stages.base import RecordStage, Result, StageParams
from tests.run.conftest import Bench


class Asking(RecordStage[StageParams]):
    """One sample per word; the word ``broken`` gives one without an answer."""

    name = "asking"
    fans_out = True

    async def process(self, record: Record, ask: Ask) -> Result:
        return [
            {
                **identity(record),
                "instruction": f"Say {word}.",
                "output": "" if word == "broken" else word,
                "family": "echo",
            }
            for word in record["text"].split()
        ]


FORMATS = ("alpaca", "sharegpt", "llama-factory", "trl", "parquet")
pytest.importorskip("pyarrow", reason="the extra parquet is not installed")


@pytest.fixture
def samples(make_bench: Callable[[], Bench], monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setitem(stages.STAGES, "asking", "tests.run.test_exporting:Asking")
    monkeypatch.setitem(exports.SAMPLE_STAGES, "asking", "")  # type: ignore[index]
    bench = make_bench()
    path = bench.root / "toy.yaml"
    recipe = yaml.safe_load(path.read_text())
    recipe["stages"] = {"ingest": None, "asking": None}
    recipe["exports"] = [
        {"format": name, "stage": "asking", "file": name, "split": {"by": "patient"}}
        for name in FORMATS
    ]
    path.write_text(yaml.safe_dump(recipe, sort_keys=False))
    return bench


def command(*words: object) -> int:
    """Run a command in this process, where the toy stages are known."""
    code = app([str(word) for word in words], standalone_mode=False)
    return int(code or 0)


def catalogue(bench: Bench) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bench.folder.exports / "manifest.json").read_text())
    return found


def test_a_recipe_writes_every_format(samples: Bench) -> None:
    job: JobResult = samples.run()
    assert set(job.exports) == set(FORMATS)
    for name in FORMATS:
        known = job.exports[name]
        assert known["rows"] == 13
        assert known["skipped"] == {"bad_sample": 1}
        assert all((samples.folder.exports / name / file).is_file() for file in known["files"])
    about = json.loads((samples.folder.exports / "alpaca" / "manifest.json").read_text())
    assert [stage["name"] for stage in about["provenance"]["stages"]] == ["ingest", "asking"]
    assert about["provenance"]["stages"][1]["counts"]["records"] == 14
    assert catalogue(samples)["contains_restricted_derivatives"] is False


def test_exports_are_made_again_only_when_something_changed(samples: Bench) -> None:
    samples.run()
    train = samples.folder.exports / "alpaca" / "train.json"
    before = train.stat().st_mtime_ns
    samples.run()
    assert train.stat().st_mtime_ns == before
    train.unlink()
    samples.run()
    assert train.stat().st_mtime_ns > before
    before = train.stat().st_mtime_ns
    job = samples.run("exports=[{format: alpaca, stage: asking, file: alpaca, split: {by: none}}]")
    assert train.stat().st_mtime_ns > before
    assert job.exports["alpaca"]["rows"] == 13
    assert not train.with_name("test.json").exists()


def test_the_command_writes_where_it_is_told(
    samples: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples.run()
    out = tmp_path / "out"
    options = ("--split", "none", "--name", "mine")
    assert command(
        "export", samples.folder.root, "--format", "llama-factory", "--out", out, *options
    )
    said = capsys.readouterr().out
    assert f"13 rows  {out / 'mine_train.json'}" in said
    assert "skipped 1: bad_sample" in said
    info = json.loads((out / "dataset_info.json").read_text())
    assert list(info) == ["mine_train"]


def test_all_formats_get_a_folder_each(samples: Bench, tmp_path: Path) -> None:
    samples.run()
    assert command("export", samples.folder.root, "--format", "all", "--out", tmp_path / "out") == 1
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {*FORMATS, "csv", "mimic_all.csv"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "nope"), "no export format 'nope'"),
        (("--format", "trl", "--stage", "nope"), "no stage 'nope'"),
        (("--format", "trl", "--stage", "ingest"), "no sample to export"),
        (("--format", "trl", "--shares", "1,2"), "shares"),
        (("--format", "trl", "--shares", "a,b,c"), "shares"),
        (("--format", "trl", "--split", "dice"), "split.by"),
        (("--format", "trl", "--name", "a/b"), "name"),
        (("--format", "vqa-csv"), "made of a questions stage"),
    ],
)
def test_wrong_use_is_told(
    samples: Bench, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    samples.run()
    with pytest.raises(ConfigError, match=message):
        command("export", samples.folder.root, *options, "--out", tmp_path / "out")


def test_a_recipe_without_samples_says_so(bench: Bench, tmp_path: Path) -> None:
    bench.run()
    with pytest.raises(ConfigError, match="made of samples; recipe toy has no such stage"):
        command("export", bench.folder.root, "--format", "trl", "--out", tmp_path)


def test_an_unknown_format_ends_a_run_before_it_starts(samples: Bench) -> None:
    with pytest.raises(ConfigError, match="no export format 'nope'"):
        samples.run("exports=[{format: nope, stage: asking, file: a}]")
    assert not samples.folder.exists()


def test_a_patient_in_two_splits_ends_the_export(samples: Bench) -> None:
    path = samples.root / "in.csv"
    path.write_text("id,text,subject_id,split\n1,a b,p,train\n2,c d,p,test\n")
    with pytest.raises(DataError, match="1 patients stand in more than one split") as caught:
        samples.run("exports=[{format: trl, stage: asking, file: trl}]")
    assert isinstance(caught.value, PipelineError)
    assert not (samples.folder.exports / "trl").exists()


def test_credentialed_samples_do_not_go_where_git_would_take_them(
    samples: Bench, tmp_path: Path
) -> None:
    samples.run("source.data_class=credentialed")
    (tmp_path / "clone").mkdir()
    subprocess.run(["git", "init", "-q", tmp_path / "clone"], check=True)
    out = tmp_path / "clone" / "data"
    words = ("export", samples.folder.root, "--format", "llama-factory", "--out", out)
    with pytest.raises(GovernanceError, match="git work tree"):
        command(*words)
    (tmp_path / "clone" / ".gitignore").write_text("data/\n")
    assert command(*words) == 1
    about = json.loads((out / "toy_manifest.json").read_text())
    assert about["contains_restricted_derivatives"] is True
