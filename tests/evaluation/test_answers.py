"""Answers of several systems, read and joined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import ConfigError
from pipeline.evaluation.answers import draw, join_answers, read_answers, write_rows
from pipeline.evaluation.experts import read_expert_scores


def jsonl(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_samples_and_tables_of_infer_are_both_read(tmp_path: Path) -> None:
    sample = {"id": "1/a/0", "subject_id": "9", "instruction": "Why?", "input": "R.", "output": "S"}
    (found,) = read_answers(jsonl(tmp_path / "a.jsonl", [sample])).values()
    assert (found.instruction, found.answer, found.report) == ("Why?", "S", "R.")
    assert (found.subject_id, found.reference) == ("9", "")
    table = csv(tmp_path / "b.csv", "INSTRUCTION,RESPONSE,GENERATED\nWhy?,So.,Thus.\nWho?,I.,\n")
    answers = read_answers(table)
    assert list(answers) == ["row-1", "row-2"]
    assert (answers["row-1"].answer, answers["row-1"].reference) == ("Thus.", "So.")
    assert answers["row-2"].answer == ""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,output\n1,a\n", "no instruction"),
        ("id,instruction\n1,a\n", "no answer"),
        ("id,instruction,output\n1,a,b\n1,a,c\n", "line 3: its id stands there twice"),
        ("id,instruction,output\n", "holds no answers"),
        ("id,instruction,output\n1,a\n", "line 2"),
        ("", "empty"),
    ],
)
def test_a_file_that_cannot_be_judged_says_why(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_answers(csv(tmp_path / "a.csv", text))


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        read_answers(tmp_path / "a.csv")


def test_only_questions_that_all_answered_are_judged(tmp_path: Path) -> None:
    a = read_answers(
        csv(tmp_path / "a.csv", "id,question,report,output\n1,Q,R,A\n2,Q,R,A\n3,Q,R,A\n4,Q,R,A\n")
    )
    b = read_answers(
        csv(
            tmp_path / "b.csv",
            "id,question,output,expected\n1, Q ,B,E\n2,other,B,\n3,Q,,\n9,Q,B,\n",
        )
    )
    joined = join_answers({"a": a, "b": b})
    assert joined.rows == [
        {
            "id": "1",
            "subject_id": "",
            "family": "",
            "instruction": "Q",
            "report": "R",
            "reference": "E",
            "answer_a": "A",
            "answer_b": "B",
        }
    ]
    assert joined.dropped == {"not_in_all": 2, "other_instruction": 1, "no_answer": 1}
    write_rows(joined, tmp_path / "rows.jsonl")
    assert json.loads((tmp_path / "rows.jsonl").read_text())["answer_b"] == "B"
    assert (tmp_path / "rows.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_larger_sample_contains_the_smaller_one(tmp_path: Path) -> None:
    rows = "".join(f"{n},Q{n},A\n" for n in range(200))
    joined = join_answers(
        {"a": read_answers(csv(tmp_path / "a.csv", f"id,question,output\n{rows}"))}
    )
    small, large = draw(joined, 20, 3), draw(joined, 60, 3)
    assert len(small.rows) == 20
    assert all(row in large.rows for row in small.rows)
    assert [row["id"] for row in large.rows] == sorted((r["id"] for r in large.rows), key=int)
    assert draw(joined, 20, 4).rows != small.rows


def test_expert_scores_are_checked(tmp_path: Path) -> None:
    good = csv(tmp_path / "g.csv", "id,system,Accuracy,consistency\n1,a,4,\n1,b,2,3\n")
    assert read_expert_scores(good) == {
        "1": {("a", "accuracy"): 4, ("b", "accuracy"): 2, ("b", "consistency"): 3}
    }
    for text, message in (
        ("id,accuracy\n1,4\n", "needs columns"),
        ("id,system\n1,a\n", "needs columns"),
        ("id,system,accuracy\n1,a,5\n", "line 2: accuracy must be"),
        ("id,system,accuracy\n1,a,4\n1,a,4\n", "line 3: this answer is scored twice"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_expert_scores(csv(tmp_path / "x.csv", text))
