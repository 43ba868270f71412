"""Rows of arbitrary records checked by an oracle that shares no code with the generator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.clinical.questions import COLUMNS, TYPES, generate_questions

NAMES = [
    "edema", "pneumonia", "infection", "effusion", "pleural effusion", "pericardial effusion",
    "opacity", "rib fracture", "fracture", "air in the stomach", 'a "quoted", name',
]  # fmt: skip
PLACES = [
    "left", "right", "bilateral", "left base", "right base", "right lower lobe", "lower lobes",
    "left lung", "lungs", "left, right", "mediastinum", "posterior 6th rib", "left and right",
]  # fmt: skip
ATTRIBUTES = st.fixed_dictionaries(
    {
        "location": st.none() | st.sampled_from(PLACES),
        "level": st.none() | st.sampled_from(["mild", "small", "moderate to severe", "6 mm"]),
        "type": st.none() | st.sampled_from(["acute", "patchy, linear"]),
    }
)
FINDINGS = st.dictionaries(
    st.sampled_from(NAMES), ATTRIBUTES | st.lists(ATTRIBUTES, min_size=1, max_size=3), max_size=4
)
RECORDS = st.fixed_dictionaries(
    {
        "study_id": st.integers(1, 10**9).map(str),
        "subject_id": st.just("1"),
        "opacity_vs_clear": st.dictionaries(st.sampled_from(["clear", "opacity"]), ATTRIBUTES),
        "entity": FINDINGS,
        "uncertain_entity": FINDINGS,
        "no_entity": st.lists(st.sampled_from(NAMES), max_size=4, unique=True),
        "view": st.sampled_from(["PA", "AP", "frontal", None]),
    }
)
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
ODD_RECORDS = st.dictionaries(
    st.sampled_from(
        (
            "study_id",
            "subject_id",
            "view",
            "split",
            "dicom_id",
            "evidence",
            "entity",
            "uncertain_entity",
            "no_entity",
            "opacity_vs_clear",
        )
    ),
    JSON,
)


def sets_of(value: Any) -> list[dict[str, Any]]:
    return value if isinstance(value, list) else [value]


def values_of(value: Any, key: str) -> list[str]:
    return [v for one in sets_of(value) if one[key] for v in one[key].split(", ")]


class Oracle:
    """What a record allows to be said."""

    def __init__(self, record: dict[str, Any]) -> None:
        said = dict(record["entity"])
        if "opacity" in record["opacity_vs_clear"]:
            said.setdefault("opacity", record["opacity_vs_clear"]["opacity"])
        self.said = said
        self.doubtful = set(record["uncertain_entity"])
        self.denied = set(record["no_entity"])

    def check(self, row: dict[str, str]) -> None:
        question, answer = row["question"], row["answer"]
        match row["template_id"].split("."):
            case ["presence", "evidence"]:
                self.presence(
                    question[len("is there evidence of ") : -len(" in this image?")], answer
                )
            case ["presence", "plain"]:
                self.presence(question[len("is there ") : -1], answer)
            case ["presence", "bilateral"]:
                name = question[len("is the ") : -len(" bilateral?")]
                assert answer == "yes"
                assert "bilateral" in values_of(self.said[name], "location")
            case ["presence", "location"]:
                found = re.fullmatch(r"is there (.+) in the (.+?)( lung)? area\?", question)
                assert found
                self.located(found[1], found[2], answer)
            case ["abnormality", "any"]:
                if answer == "yes":
                    assert set(self.said) - self.doubtful - self.denied
                else:
                    assert answer == "no"
                    assert not self.said
                    assert not self.doubtful
            case ["abnormality", _]:
                assert answer
                assert all(name in answer for name in self.named(answer))
            case ["location", _]:
                name = self.name_in(question)
                places = values_of(self.said[name], "location")
                assert all(place in answer for place in places)
                assert answer.removesuffix(" area").removesuffix(" side").split(", ") == list(
                    dict.fromkeys(places)
                )
            case [("level" | "type") as key, _]:
                name = self.name_in(question)
                assert answer in [one[key] for one in sets_of(self.said[name])]

    def certain(self) -> set[str]:
        """Positive names without doubt, pneumonia and infection as one."""

        def merged(names: Iterable[str]) -> set[str]:
            return {"pneumonia" if name == "infection" else name for name in names}

        return merged(self.said) - merged(self.doubtful) - merged(self.denied)

    def named(self, answer: str) -> list[str]:
        return [name for name in self.said if name in answer]

    def name_in(self, question: str) -> str:
        names = [name for name in self.said if re.search(rf"\b{re.escape(name)}\b", question)]
        return max(names, key=len)

    def presence(self, name: str, answer: str) -> None:
        assert name not in self.doubtful
        if answer == "yes":
            assert name in self.said
            assert name not in self.denied
        else:
            assert answer == "no"
            assert name in self.denied
            assert name not in self.said

    def located(self, name: str, place: str, answer: str) -> None:
        assert name not in self.doubtful | self.denied
        own = values_of(self.said[name], "location")
        if answer == "yes":
            assert any(place == value.removesuffix(" lung") for value in own)
        else:
            side = "left" if "left" in place else "right"
            other = {"left": "right", "right": "left"}[side]
            assert own
            assert all(other in value and side not in value for value in own)


@settings(max_examples=300)
@given(RECORDS, RECORDS, st.integers(0, 5))
def test_answers_agree_with_the_record(
    record: dict[str, Any], earlier: dict[str, Any], seed: int
) -> None:
    oracle = Oracle(record)
    rows = generate_questions(record, earlier, seed=seed, per_type=5, keep={})
    for row in rows:
        assert tuple(row) == COLUMNS
        oracle.check(row)
    texts = [(row["question_type"], row["question"]) for row in rows]
    assert len(texts) == len(set(texts))


@settings(max_examples=200)
@given(RECORDS, RECORDS)
def test_differences_agree_with_both_records(
    record: dict[str, Any], earlier: dict[str, Any]
) -> None:
    new, old = Oracle(record), Oracle(earlier)
    for row in generate_questions(record, earlier, types=("difference",), per_type=3):
        answer = row["answer"]
        for sentence, mine, other in (("additional finding", new, old), ("missing the", old, new)):
            for part in re.findall(rf"{sentence}s? ?(?:findings? )?of (.+?) than the", answer):
                for name in re.split(r", and |, (?!name)", part):
                    assert name in mine.said
                    assert name not in other.said
                    assert name not in other.doubtful
        if answer == "nothing has changed.":
            assert new.certain() == old.certain()


@settings(max_examples=300)
@given(ODD_RECORDS, ODD_RECORDS, st.booleans(), st.sampled_from(["skip", "uncertain"]))
def test_no_record_ends_a_run(
    record: dict[str, Any], earlier: dict[str, Any], flag: bool, uncertain: str
) -> None:
    for row in generate_questions(
        record,
        earlier,
        second_reading=earlier,
        scene=flag,
        paraphrases=flag,
        balance=flag,
        multiple_choice=1.0,
        uncertain=uncertain,
        per_type=4,
        views="any",
    ):
        assert all(isinstance(value, str) for value in row.values())


@settings(max_examples=50)
@given(st.lists(RECORDS, min_size=2, max_size=6, unique_by=lambda r: r["study_id"]))
def test_rows_do_not_depend_on_order_shards_or_types(records: list[dict[str, Any]]) -> None:
    first = {r["study_id"]: generate_questions(r, seed=1) for r in records}
    again = {r["study_id"]: generate_questions(r, seed=1) for r in reversed(records)}
    assert first == again
    for r in records:
        for kind in TYPES[:-1]:
            assert generate_questions(r, seed=1, types=(kind,)) == [
                row for row in first[r["study_id"]] if row["question_type"] == kind
            ]
