"""The choice of the reference study."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.pairs import PatientStudy, choose_references, read_order

STUDIES = st.lists(
    st.builds(
        PatientStudy,
        st.integers(1, 30).map(str),
        st.one_of(st.none(), st.integers(1, 6).map(float)),
        st.booleans(),
    ),
    unique_by=lambda study: study.study_id,
    max_size=12,
)


def test_patients_with_two_studies_are_included() -> None:
    studies = [PatientStudy("b", 2.0), PatientStudy("a", 1.0)]
    assert choose_references(studies) == {"b": "a"}


def test_studies_of_one_day_do_not_refer_to_each_other() -> None:
    assert choose_references([PatientStudy("a", 1.0), PatientStudy("b", 1.0)]) == {}


def test_every_earlier_study_can_be_chosen() -> None:
    studies = [PatientStudy(str(n), float(n)) for n in range(4)]
    chosen = {choose_references(studies, seed=seed)["3"] for seed in range(50)}
    assert chosen == {"0", "1", "2"}


@given(STUDIES, st.integers(0, 3))
def test_references_are_earlier_usable_and_independent_of_order(
    studies: list[PatientStudy], seed: int
) -> None:
    chosen = choose_references(studies, seed=seed)
    by_id = {study.study_id: study for study in studies}
    for study in studies:
        earlier = {
            other.study_id
            for other in studies
            if other.is_usable
            and other.order is not None
            and study.order is not None
            and other.order < study.order
        }
        assert (study.study_id in chosen) == bool(earlier)
        if earlier:
            assert chosen[study.study_id] in earlier
    assert all(name in by_id for name in chosen)
    assert choose_references(studies[::-1], seed=seed) == chosen


def test_orders_as_metadata_hold_them() -> None:
    given_values = [1, "2", "3.0", 4.5, "", None, "x", float("nan"), True, [1]]
    expected = [1.0, 2.0, 3.0, 4.5, None, None, None, None, None, None]
    assert [read_order(value) for value in given_values] == expected
