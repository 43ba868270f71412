from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from pipeline.core.errors import ConfigError, ResumeMismatch, RunLocked, Stopped
from pipeline.core.jsonl import iter_objects
from pipeline.run.job import mark_for_retry
from pipeline.run.store import StageStore
from tests.run.conftest import TEXTS, Bench


def rows(bench: Bench, stage: str, name: str = "records.jsonl") -> list[dict[str, object]]:
    return list(iter_objects(bench.folder.stage(stage) / name))


def test_every_row_ends_in_records_or_rejects_with_its_reason(bench: Bench) -> None:
    result = bench.run().result
    assert [row["id"] for row in rows(bench, "shout")] == ["a", "f", "g"]
    rejects = {
        row["id"]: (row["reason"], row["outcome"]) for row in rows(bench, "shout", "rejects.jsonl")
    }
    assert rejects == {
        "b": ("skipped", "filtered"),
        "c": ("broken", "failed"),
        "d": ("needs_switch", "failed"),
        "e": ("error", "failed"),
    }
    counts = result.manifests["shout"]["counts"]
    assert (counts["in"], counts["kept"], counts["rejected"], counts["filtered"]) == (7, 3, 3, 1)
    assert result.rejected == 3
    assert [row["id"] for row in rows(bench, "split")] == [
        "a/split/0", "a/split/1", "f/split/0", "f/split/1", "f/split/2", "g/split/0",
    ]  # fmt: skip
    assert all(row["last"] == "g" for row in rows(bench, "last"))


def test_a_defect_in_a_stage_costs_one_record_and_quotes_nothing(bench: Bench) -> None:
    bench.run()
    (row,) = [r for r in rows(bench, "shout", "rejects.jsonl") if r["id"] == "e"]
    assert str(row["detail"]).startswith("KeyError in tests/run/toys.py:")
    assert "crash" not in str(row)


def test_a_complete_run_is_left_alone(bench: Bench) -> None:
    bench.run()
    before = {p: p.stat().st_mtime_ns for p in bench.folder.stages.rglob("*")}
    bench.run()
    assert before == {p: p.stat().st_mtime_ns for p in bench.folder.stages.rglob("*")}


@pytest.mark.parametrize("stop_at", list(TEXTS))
def test_a_run_stopped_anywhere_goes_on_to_the_same_bytes(
    make_bench: Callable[[], Bench], stop_at: str
) -> None:
    whole, stopped = make_bench(), make_bench()
    whole.run()
    stopped.stop_file.write_text(stop_at)
    with pytest.raises(Stopped):
        stopped.run()
    assert StageStore(stopped.folder.stage("shout")).manifest() is None
    stopped.stop_file.unlink()
    stopped.run()
    assert stopped.artifacts() == whole.artifacts()


def test_bytes_written_after_the_last_commit_do_not_count(bench: Bench) -> None:
    bench.stop_file.write_text("f")
    with pytest.raises(Stopped):
        bench.run()
    with (bench.folder.stage("shout") / "records.jsonl").open("ab") as file:
        file.write(b'{"id":"torn')
    bench.stop_file.unlink()
    bench.run()
    assert [row["id"] for row in rows(bench, "shout")] == ["a", "f", "g"]


def test_a_changed_parameter_is_named_and_waits_for_rebuild(bench: Bench) -> None:
    bench.run()
    with pytest.raises(
        ResumeMismatch, match=r"shout is stale: its parameters changed.*--rebuild shout"
    ):
        bench.run("stages.shout.factor=2")
    bench.run("stages.shout.factor=2", rebuild=("shout",))
    assert rows(bench, "shout")[0]["text"] == "ONE TWOONE TWO"
    assert len(rows(bench, "split")) == 9


def test_a_stopped_rebuild_goes_on_without_being_asked_again(bench: Bench) -> None:
    bench.run()
    bench.stop_file.write_text("f")
    for _ in range(2):
        with pytest.raises(Stopped):
            bench.run("stages.shout.factor=2", rebuild=("shout",))
    bench.stop_file.unlink()
    bench.run("stages.shout.factor=2")
    assert len(rows(bench, "split")) == 9


def test_what_stands_on_a_rebuilt_stage_stays_when_its_input_is_the_same(bench: Bench) -> None:
    bench.run()
    split = bench.folder.stage("split") / "manifest.json"
    before = split.stat().st_mtime_ns
    bench.run(rebuild=("shout",))
    assert split.stat().st_mtime_ns == before


def test_a_changed_input_is_noticed(bench: Bench) -> None:
    bench.run()
    bench.write_input({**TEXTS, "h": "more"})
    with pytest.raises(ResumeMismatch, match="ingest is stale: its input changed"):
        bench.run()
    bench.run(rebuild=("ingest",))
    assert [row["id"] for row in rows(bench, "shout")] == ["a", "f", "g", "h"]


def test_a_changed_library_file_is_noticed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from pipeline.core import resources
    from tests.run.toys import Shout

    monkeypatch.setattr(Shout, "libs", ("x.csv",))
    (tmp_path / "libs").mkdir()
    (tmp_path / "libs" / "x.csv").write_text("term\n")
    monkeypatch.setattr(resources, "resource_root", lambda: tmp_path)
    resources.resource_path.cache_clear()
    bench.run()
    (tmp_path / "libs" / "x.csv").write_text("term\nmore\n")
    with pytest.raises(ResumeMismatch, match="shout is stale: a library file changed"):
        bench.run()
    resources.resource_path.cache_clear()


def test_retry_joins_the_new_records_in_input_order(
    make_bench: Callable[[], Bench],
) -> None:
    bench, whole = make_bench(), make_bench()
    bench.run()
    bench.switch.touch()
    whole.switch.touch()
    whole.run()
    assert mark_for_retry(bench.folder, bench.recipe(), reason="needs_switch") == {"shout": 1}
    bench.run()
    assert bench.artifacts() == whole.artifacts()
    counts = StageStore(bench.folder.stage("shout")).manifest()
    assert counts is not None and counts["counts"]["rejected"] == 2


def test_a_retry_stopped_half_way_goes_on(make_bench: Callable[[], Bench]) -> None:
    bench, whole = make_bench(), make_bench()
    bench.run()
    bench.switch.touch()
    whole.switch.touch()
    whole.run()
    mark_for_retry(bench.folder, bench.recipe())
    bench.stop_file.write_text("d")
    with pytest.raises(Stopped):
        bench.run()
    bench.stop_file.unlink()
    bench.run()
    assert bench.artifacts() == whole.artifacts()


def test_only_from_and_until_select_stages(bench: Bench) -> None:
    result = bench.run(until="shout").result
    assert list(result.manifests) == ["ingest", "shout"]
    with pytest.raises(ConfigError, match="last is not complete"):
        bench.run(only="split")
    bench.run(only="last")
    bench.run(start="split")
    assert len(rows(bench, "split")) == 6
    with pytest.raises(ConfigError, match="no stage 'nope'"):
        bench.run(only="nope")


def test_a_second_process_is_refused(bench: Bench) -> None:
    bench.run()
    with bench.folder.locked(), pytest.raises(RunLocked, match="another process"):
        bench.run()


def test_records_changed_by_hand_are_not_built_on(bench: Bench) -> None:
    bench.run(until="shout")
    path = bench.folder.stage("shout") / "records.jsonl"
    path.write_bytes(path.read_bytes().replace(b"ONE", b"TWO"))
    with pytest.raises(ResumeMismatch, match=r"changed after it was sealed.*--rebuild shout"):
        bench.run()


def test_a_run_folder_of_another_recipe_is_refused(bench: Bench) -> None:
    bench.run()
    (bench.root / "toy.yaml").write_text(
        (bench.root / "toy.yaml").read_text().replace("name: toy", "name: other")
    )
    with pytest.raises(ResumeMismatch, match="holds a run of recipe toy, not other"):
        bench.run()


def test_everything_in_a_run_belongs_to_its_owner_alone(bench: Bench) -> None:
    bench.run()
    for path in [bench.folder.root, *bench.folder.root.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_manifest_says_how_the_stage_was_made(bench: Bench) -> None:
    bench.run()
    manifest = orjson.loads((bench.folder.stage("shout") / "manifest.json").read_bytes())
    assert {"stage", "params", "code", "libs", "input", "rounds"} <= manifest["parts"].keys()
    assert manifest["params"]["factor"] == 1
    assert manifest["governance"]["data_class"] == "synthetic"
    assert len(manifest["output"]["records"]["sha256"]) == 64
    assert manifest["versions"]["cxr-pipeline"]
