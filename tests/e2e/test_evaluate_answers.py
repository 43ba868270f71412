"""``evaluate answers`` from files to figures: by rules, and by a faulty judge that is killed."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.cli.main import app
from pipeline.core.errors import ConfigError
from tests.support.cli import command, run_cli
from tests.support.model_runs import ENVIRON, model_server, stats, write_recipe

SIDES = ("left", "right")


def write_answers(folder: Path, count: int) -> tuple[Path, Path]:
    """Answers of a good system, as samples, and of one that mixes up sides, as a table."""
    good, careless = folder / "good.jsonl", folder / "careless.csv"
    with careless.open("w", newline="") as file, good.open("w") as samples:
        writer = csv.writer(file)
        writer.writerow(["id", "INSTRUCTION", "GENERATED"])
        for number in range(count):
            side, other = SIDES[number % 2], SIDES[(number + 1) % 2]
            sample = {
                "id": f"{number}/answers/0",
                "subject_id": str(number // 2),
                "instruction": f"On which side is effusion number {number}?",
                "input": f"FINDINGS: Small {side} pleural effusion. No pneumothorax. ({number})",
                "output": f"There is a small {side} pleural effusion.",
                "family": "qa",
            }
            samples.write(json.dumps(sample) + "\n")
            said = side if number % 4 else other
            answer = f"There is a small {said} pleural effusion."
            writer.writerow([sample["id"], sample["instruction"], answer])
    (folder / "DATA_CLASS").write_text("synthetic\n")
    return good, careless


def evaluate(*words: object) -> int:
    return int(app([str(w) for w in ("evaluate", "answers", *words)], standalone_mode=False) or 0)


def scores(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "scores.json").read_text())
    return found


def figure(rows: list[dict[str, Any]], **wanted: str) -> dict[str, Any]:
    (found,) = (row for row in rows if wanted.items() <= row.items())
    return found


def test_the_rules_tell_the_careless_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, careless = write_answers(tmp_path, 40)
    out = tmp_path / "out"
    assert evaluate(f"good={good}", f"careless={careless}", "--out", out) == 0
    report = scores(out)
    assert report["data_class"] == "synthetic"
    assert report["judge"]["judge"]["kind"] == "rules"
    assert figure(report["scores"], system="good", criterion="accuracy")["score 4"] == 40
    assert figure(report["scores"], system="careless", criterion="accuracy")["score 1"] == 10
    overall = figure(report["pairwise"], criterion="overall")
    assert (overall["first"], overall["second"]) == ("careless", "good")
    assert overall["second wins"] == 10
    assert overall["figure"]["value"] == pytest.approx(30 / 40 / 2)
    said = capsys.readouterr().out
    assert "Mean score (1-4)" in said
    assert "Share of wins of the first" in said
    assert (out / "answers.jsonl").stat().st_mode & 0o777 == 0o600
    for stage in ("judge", "compare"):
        assert "effusion" not in (out / "run/stages" / stage / "records.jsonl").read_text()


def test_one_system_alone_a_sample_and_an_expert(tmp_path: Path) -> None:
    good, _ = write_answers(tmp_path, 40)
    first, second = tmp_path / "first", tmp_path / "second"
    assert evaluate(f"good={good}", "--out", first, "--n", 10) == 0
    assert scores(first)["judged"] == 10
    assert scores(first)["pairwise"] == []
    assert evaluate(f"good={good}", "--out", second, "--agree-with", first) == 0
    assert figure(scores(second)["agreement"], criterion="accuracy")["n"] == 10
    expert = tmp_path / "expert.csv"
    expert.write_text("id,system,accuracy\n0/answers/0,good,3\n1/answers/0,good,4\n")
    third = tmp_path / "third"
    assert evaluate(f"good={good}", "--out", third, "--agree-with", expert) == 0
    (found,) = scores(third)["agreement"]
    assert (found["n"], found["exact"], found["within one"]) == (2, 0.5, 1.0)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("answers.csv",), "NAME=PATH"),
        (("a b=x.csv",), "NAME=PATH"),
        (("a=none.csv",), "does not exist"),
        (("a={good}", "a={good}"), "each name once"),
        (("a={good}", "--agree-with", "none.csv"), "does not exist"),
        (("a={good}", "--backend", "none"), "asks backend 'none'"),
        (("a={good}", "--set", "stages.judge.criteria=[beauty]"), "must be some of"),
    ],
)
def test_wrong_use_is_told(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    good, _ = write_answers(tmp_path, 3)
    with pytest.raises(ConfigError, match=message):
        evaluate(*(word.format(good=good) for word in words), "--out", tmp_path / "out")


def test_answers_to_other_questions_are_not_compared(tmp_path: Path) -> None:
    good, _ = write_answers(tmp_path, 3)
    other = tmp_path / "other.csv"
    other.write_text("id,instruction,output\n0/answers/0,Another question?,Yes.\n")
    with pytest.raises(ConfigError, match=r"1 other_instruction|2 not_in_all"):
        evaluate(f"a={good}", f"b={other}", "--out", tmp_path / "out")


def test_without_a_word_answers_count_as_credentialed(tmp_path: Path) -> None:
    good, careless = write_answers(tmp_path, 3)
    (tmp_path / "DATA_CLASS").unlink()
    out = tmp_path / "out"
    assert evaluate(f"a={good}", f"b={careless}", "--out", out) == 0
    assert scores(out)["data_class"] == "credentialed"
    assert "PhysioNet" in scores(out)["notice"]


def test_a_faulty_judge_killed_and_resumed_gives_the_same_figures(tmp_path: Path) -> None:
    good, careless = write_answers(tmp_path, 120)
    faults = ("--faults", "500=0.05,429=0.05,drop=0.02", "--seed", "7", "--latency", "0.02")
    with model_server("--answer", "tests.support.judge_answers:judge", *faults) as url:
        path = write_recipe(tmp_path / "judge.yaml", url, "judge", concurrency=8)
        words = ["evaluate", "answers", f"a={good}", f"b={careless}", "--recipe", path, "--out"]
        process = subprocess.Popen(
            command(*words, tmp_path / "killed"),
            env={**os.environ, **ENVIRON},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while not list((tmp_path / "killed").glob("run/stages/judge/records.jsonl")):
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (tmp_path / "killed" / "scores.json").exists()
        resumed = run_cli(*words, tmp_path / "killed", environ=ENVIRON)
        whole = run_cli(*words, tmp_path / "whole", environ=ENVIRON)
        assert resumed.returncode == whole.returncode == 1, resumed.stderr
        asked = stats(url)
    assert asked["prompts"]
    one, other = scores(tmp_path / "killed"), scores(tmp_path / "whole")
    assert one == other
    assert one["rejected"] > 0  # replies that cannot be read
    assert one["judged"] + one["compared"] + one["rejected"] == 240
    for stage in ("judge", "compare"):
        name = f"run/stages/{stage}/records.jsonl"
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    rejects = (tmp_path / "killed/run/stages/judge/rejects.jsonl").read_text()
    assert {json.loads(line)["reason"] for line in rejects.splitlines()} == {"unreadable_reply"}
    assert "read well" not in rejects
