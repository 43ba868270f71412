"""Train, validation and test by patient."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.core.errors import ConfigError, DataError
from pipeline.exports.split import SplitOptions
from pipeline.exports.survey import Samples
from tests.exports.sample_records import record, records


def parts(rows: list[dict[str, Any]], **options: Any) -> list[str]:
    samples = Samples(lambda: rows, lambda row: row, SplitOptions.model_validate(options))
    return [part for part, _ in samples]


def test_recorded_splits_are_kept_under_the_usual_names() -> None:
    names = ["train", "validate", "test", "val", "TEST", "dev"]
    rows = [record(number * 3, split=name) for number, name in enumerate(names)]
    assert parts(rows) == ["train", "validation", "test", "validation", "test", "validation"]


def test_a_patient_in_two_splits_is_an_error_with_their_number() -> None:
    rows = [record(0, split="train"), record(1, split="test"), record(6, split="train")]
    rows += [record(30, split="validate"), record(31, split="train")]
    with pytest.raises(DataError, match="2 patients stand in more than one split") as caught:
        parts(rows)
    assert caught.value.reason == "leakage"
    assert set(parts(rows, by="patient")) <= {"train", "validation", "test"}


def test_a_patient_whose_split_is_known_from_another_study_follows_it() -> None:
    rows = [record(0), record(1, split="test"), record(2, split="")]
    assert parts(rows) == ["test"] * 3


def test_an_unknown_split_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(DataError, match="1 samples carry 1 splits") as caught:
        parts([record(0, split="fold-3")])
    assert "--split patient" in caught.value.detail
    assert parts([record(0, split="fold-3")], by="none") == ["train"]


def test_without_a_patient_the_study_is_what_stays_together() -> None:
    rows = [record(n // 4, subject_id=None, id=f"{n // 4}/a/{n % 4}") for n in range(400)]
    of_study: dict[str, set[str]] = {}
    for row, part in zip(rows, parts(rows), strict=True):
        of_study.setdefault(row["study_id"], set()).add(part)
    assert all(len(found) == 1 for found in of_study.values())


def test_shares_hold_and_no_part_depends_on_who_else_is_there() -> None:
    rows = records(9000)
    drawn = parts(rows, shares=(0.5, 0.3, 0.2), seed=1)
    counts = Counter(drawn)
    assert counts["train"] == pytest.approx(4500, abs=200)
    assert counts["test"] == pytest.approx(1800, abs=150)
    assert parts(rows[300:600], shares=(0.5, 0.3, 0.2), seed=1) == drawn[300:600]
    assert parts(rows, shares=(0.5, 0.3, 0.2), seed=2) != drawn


@given(
    st.lists(
        st.tuples(
            st.integers(0, 20), st.sampled_from(["", "train", "validate", "test"]), st.booleans()
        ),
        min_size=1,
        max_size=60,
    )
)
def test_no_patient_is_ever_in_two_parts(drawn: list[tuple[int, str, bool]]) -> None:
    rows = [
        record(number, split=split, subject_id=str(number // 3) if known else None)
        for number, split, known in drawn
    ]
    try:
        found = parts(rows)
    except DataError as error:
        assert error.reason == "leakage"
        return
    of_patient: dict[str, set[str]] = {}
    for row, part in zip(rows, found, strict=True):
        of_patient.setdefault(row["subject_id"] or "s" + row["study_id"], set()).add(part)
    assert all(len(group) == 1 for group in of_patient.values())


@pytest.mark.parametrize("shares", [(0.5, 0.5, 0.5), (1.2, -0.1, -0.1), (1.0, 0.0)])
def test_shares_must_add_up(shares: tuple[float, ...]) -> None:
    with pytest.raises(ValidationError):
        SplitOptions.model_validate({"shares": shares})


def test_nothing_to_export_is_an_error_with_the_reasons() -> None:
    with pytest.raises(ConfigError, match=r"no sample to export \(2 bad_sample\)"):
        parts([record(0, output=""), record(1, instruction=None)])
    with pytest.raises(ConfigError, match="made no record"):
        parts([])
