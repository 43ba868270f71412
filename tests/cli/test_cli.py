from __future__ import annotations

import csv
import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipeline.core.errors import ExitCode
from tests.support.cli import ROOT, SAMPLE, command, run_cli
from tests.support.reports import column_options, write_table

RECIPE = "medical-cxr-vqa"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the sample reports; tests only look at it."""
    run_dir = tmp_path_factory.mktemp("cli") / "run"
    done = run_cli("run", RECIPE, "--input", SAMPLE, "--run-dir", run_dir)
    assert done.returncode == 1, done.stderr  # one sample report is empty on purpose
    (run_dir.parent / "said.txt").write_text(done.stdout)
    return run_dir


def test_the_main_job_ends_by_saying_where_things_are(finished: Path) -> None:
    said = (finished.parent / "said.txt").read_text()
    for name in ("counts.md", "exports/questions.csv", "exports/all_diseases.json"):
        assert str(finished / name) in said
        assert (finished / name).stat().st_size > 0
    for shown in ("example rows", "difference", "published", "rejected: 1", "retry"):
        assert shown in said


def test_the_question_csv_has_the_agreed_columns(finished: Path) -> None:
    with (finished / "exports" / "questions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "study_id", "subject_id", "question_type", "question", "answer",
        "dicom_id", "view", "split", "ref_id", "template_id", "evidence",
    ]  # fmt: skip
    types = {row["question_type"] for row in rows}
    assert types == {"abnormality", "presence", "view", "location", "level", "type", "difference"}
    assert all(row["ref_id"] for row in rows if row["question_type"] == "difference")
    patients: dict[str, set[str]] = {}
    for row in rows:
        patients.setdefault(row["subject_id"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in patients.values())


def test_keyinfo_is_exported_as_published(finished: Path) -> None:
    records = json.loads((finished / "exports" / "all_diseases.json").read_bytes())
    assert len(records) == 177
    for record in records:
        assert {"study_id", "subject_id", "entity", "uncertain_entity", "no_entity"} <= set(record)
        assert not {"changes", "evidence", "flags", "images"} & set(record)


def test_every_stage_adds_up(finished: Path) -> None:
    before = None
    for name in ("ingest", "sections", "keyinfo", "postprocess", "pairs", "questions"):
        manifest = json.loads((finished / "stages" / name / "manifest.json").read_bytes())
        counts = manifest["counts"]
        assert counts["in"] == counts["kept"] + counts["rejected"] + counts["filtered"]
        assert before is None or counts["in"] == before
        before = counts["records"]


def test_a_second_run_does_nothing_and_says_so(finished: Path) -> None:
    done = run_cli("run", RECIPE, "--input", SAMPLE, "--run-dir", finished)
    assert done.stdout.count("(done before)") == 7


def test_plan_and_status_show_every_stage(finished: Path) -> None:
    for words in (("plan", RECIPE, "--input", SAMPLE, "--run-dir", finished), ("status", finished)):
        done = run_cli(*words)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("complete") == 7
        assert "synthetic" in done.stdout


def test_plan_writes_nothing(tmp_path: Path) -> None:
    done = run_cli("plan", RECIPE, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    assert done.returncode == 0
    assert "178 reports" in done.stdout
    assert not (tmp_path / "run").exists()


def test_export_writes_elsewhere(finished: Path, tmp_path: Path) -> None:
    done = run_cli("export", finished, "--format", "vqa-csv", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    made = (tmp_path / "out" / "questions.csv").read_bytes()
    assert made == (finished / "exports" / "questions.csv").read_bytes()
    wrong = run_cli("export", finished, "--format", "nope", "--out", tmp_path)
    assert wrong.returncode == 2
    assert "vqa-csv" in wrong.stderr


def test_a_mended_report_joins_by_retry(tmp_path: Path) -> None:
    tree = tmp_path / "files" / "p10" / "p10000001"
    tree.mkdir(parents=True)
    (tmp_path / "DATA_CLASS").write_text("synthetic\n")
    for study in (1, 2, 3):
        (tree / f"s5000000{study}.txt").write_text("FINDINGS: Small left pleural effusion.\n")
    (tree / "s50000002.txt").write_text("")
    words = ("run", RECIPE, "--input", tmp_path, "--run-dir", tmp_path / "run")
    assert run_cli(*words).returncode == 1
    (tree / "s50000002.txt").write_text("FINDINGS: Large right pneumothorax.\n")
    # The input is another one now: that is said, instead of mixing two inputs in one run.
    done = run_cli("retry", tmp_path / "run")
    assert done.returncode == 2
    assert "its input changed" in done.stderr
    assert run_cli(*words, "--rebuild", "ingest").returncode == 0
    records = (tmp_path / "run" / "stages" / "postprocess" / "records.jsonl").read_text()
    assert [json.loads(line)["id"] for line in records.splitlines()] == [
        "50000001", "50000002", "50000003",
    ]  # fmt: skip


def test_retry_without_anything_to_retry_names_the_reasons(finished: Path) -> None:
    done = run_cli("retry", finished, "--only", "nope")
    assert done.returncode == 2
    assert "empty" in done.stderr


def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    good = run_cli("check", RECIPE, "--input", SAMPLE, "--run-dir", tmp_path)
    assert good.returncode == 0, good.stdout
    assert "synthetic" in good.stdout
    bad = run_cli("check", RECIPE, "--input", tmp_path / "none", "--run-dir", tmp_path)
    assert bad.returncode == 2
    assert "bad   input" in bad.stdout


def test_explain_reads_text_and_files(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("No pneumothorax.")
    for given in ("No pneumothorax.", tmp_path / "t.txt"):
        done = run_cli("explain", given)
        assert done.returncode == 0, done.stderr
        assert "pneumothorax" in done.stdout
        assert "absent" in done.stdout


# Bad input: one line that says what to do, exit code 2, nothing half-written.


def zip_that_is_none(folder: Path) -> Path:
    path = folder / "mimic-cxr-reports.zip"
    path.write_bytes(b"not a zip")
    return path


def empty_folder(folder: Path) -> Path:
    path = folder / "empty"
    path.mkdir()
    return path


def csv_without_the_column(folder: Path) -> Path:
    path = folder / "x.csv"
    path.write_text("a,b\n1,2\n")
    return path


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: folder / "none", "does not exist"),
        (zip_that_is_none, "zip"),
        (empty_folder, "empty"),
        (csv_without_the_column, "column"),
    ],
)
def test_bad_input_is_one_clear_line(make: object, says: str, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    done = run_cli("run", RECIPE, "--input", path, "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list((tmp_path / "run").rglob("*.jsonl"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["run", "nope"], "medical-cxr-vqa"),
        (["run", RECIPE], "--input"),
        (["run", RECIPE, "--input", str(SAMPLE), "--set", "nope=1"], "unknown key 'nope'"),
        (
            ["run", RECIPE, "--input", str(SAMPLE), "--set", "stages.questions.x=1"],
            "unknown key 'x'",
        ),
        (["run", RECIPE, "--input", str(SAMPLE), "--set", "stages.nope.x=1"], "no stage"),
        (["run", RECIPE, "--input", str(SAMPLE), "--only", "nope"], "no stage 'nope'"),
        (["run", RECIPE, "--input", str(SAMPLE), "--backend", "nope"], "rules"),
        (["run", RECIPE, "--nope"], "--help"),
        (["status", "/nonexistent"], "no run folder"),
    ],
)
def test_wrong_use_is_one_clear_line(words: list[str], says: str, tmp_path: Path) -> None:
    done = run_cli(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().count("\n") == 0
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_key_in_a_recipe_is_named(tmp_path: Path) -> None:
    recipe = {"name": "x", "source": {"path": str(SAMPLE)}, "stages": {"ingest": None}, "stagse": 1}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(recipe))
    done = run_cli("run", tmp_path / "x.yaml", "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert "unknown key 'stagse'" in done.stderr


def test_a_foreign_folder_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    done = run_cli("run", RECIPE, "--input", SAMPLE, "--run-dir", tmp_path)
    assert done.returncode == 2
    assert "not empty and no run folder" in done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_full_disk_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the same error on the same call."""
    table = write_table(tmp_path / "reports.csv", 900)
    words = ("run", RECIPE, "--input", table, *column_options(), "--run-dir", tmp_path / "run")
    done = subprocess.run(
        command(*words),
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000)),
    )
    assert done.returncode == 3, done.stderr
    assert "make room and run the same command again" in done.stderr
    again = run_cli(*words)
    assert again.returncode in (0, 1), again.stderr
    whole = run_cli(*words[:-1], tmp_path / "whole")
    assert whole.returncode == again.returncode
    for path in sorted((tmp_path / "whole" / "stages").rglob("*.jsonl")):
        twin = tmp_path / "run" / path.relative_to(tmp_path / "whole")
        assert twin.read_bytes() == path.read_bytes()


def test_a_second_process_on_the_same_run_is_refused(tmp_path: Path) -> None:
    from pipeline.run.folder import RunFolder

    folder = RunFolder(tmp_path / "run")
    folder.prepare()
    with folder.locked():
        done = run_cli("run", RECIPE, "--input", SAMPLE, "--run-dir", tmp_path / "run")
    assert done.returncode == 2
    assert "another process works on" in done.stderr


# Credentialed data.


def credentialed_tree(folder: Path) -> Path:
    tree = folder / "mimic" / "files" / "p10" / "p10000001"
    tree.mkdir(parents=True)
    (tree / "s50000001.txt").write_text("FINDINGS: Small left pleural effusion.\n")
    return folder / "mimic"


def test_what_looks_like_mimic_is_credentialed_and_shown_to_nobody(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    done = run_cli("run", RECIPE, "--input", credentialed_tree(tmp_path), "--run-dir", run_dir)
    assert done.returncode == 0, done.stderr
    assert "effusion" not in done.stdout
    manifest = (run_dir / "stages" / "questions" / "manifest.json").read_text()
    assert "credentialed" in manifest
    assert "PhysioNet" in (run_dir / "counts.md").read_text()
    for path in [run_dir, *run_dir.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_a_run_folder_that_git_would_track_is_refused(tmp_path: Path) -> None:
    source = credentialed_tree(tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path / "repo")], check=True)
    words = ("run", RECIPE, "--input", source, "--run-dir", tmp_path / "repo" / "run")
    done = run_cli(*words)
    assert done.returncode == 4
    assert ".gitignore" in done.stderr
    (tmp_path / "repo" / ".gitignore").write_text("run/\n")
    assert run_cli(*words).returncode == 0


def test_a_folder_others_can_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir(mode=0o755)
    (tmp_path / "run").chmod(0o755)
    words = ("run", RECIPE, "--input", credentialed_tree(tmp_path), "--run-dir", tmp_path / "run")
    done = run_cli(*words)
    assert done.returncode == 4
    assert "chmod 700" in done.stderr


# Speed of starting, as counts instead of time: what help must not import.


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, runpy\n"
        "sys.argv = ['run_pipeline.py', '--help']\n"
        "try:\n    runpy.run_path('run_pipeline.py', run_name='__main__')\n"
        "except SystemExit:\n    pass\n"
        "heavy = {'pandas', 'numpy', 'openai', 'aiohttp', 'pydantic', 'tiktoken', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", ["run", "plan", "status", "retry", "export", "explain", "check"])
def test_every_command_explains_itself(name: str) -> None:
    done = run_cli(name, "--help", environ={"COLUMNS": "100"})
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_output_into_a_closed_pipe_is_no_error(finished: Path) -> None:
    process = subprocess.Popen(
        command("status", finished), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, said = process.communicate(timeout=30)
    assert "Traceback" not in said


def test_the_umask_does_not_matter(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        run_cli("run", RECIPE, "--input", SAMPLE, "--limit", "3", "--run-dir", tmp_path / "run")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE(p.stat().st_mode) for p in (tmp_path / "run").rglob("*") if p.is_file()}
    assert modes == {0o600}


def test_ctrl_c_outside_a_run_is_a_stop_too(tmp_path: Path) -> None:
    process = subprocess.Popen(
        command("chat"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stdin is not None
    process.stdin.write(b"Mild cardiomegaly. " * 8_000)  # more than a pipe holds: it is reading
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == ExitCode.STOPPED
    assert b"interrupted" in said
