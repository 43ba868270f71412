"""Numbers of two languages in one form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.clinical.quantities import quantities


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A 1.5 cm nodule", "15毫米结节"),
        ("1.2 x 0.8 cm", "1.2×0.8厘米"),
        ("2.5 x 3 cm", "大小约2.5cm×3cm"),
        ("3-4 mm", "3至4 mm"),
        ("five mm nodule", "五毫米结节"),
        ("a 1.5 cm mass", "一点五厘米肿块"),
        ("the 5th rib", "第五肋骨"),
        ("the fifth and sixth ribs", "第5、6肋骨"),
        ("ribs 4-6", "第4至6肋"),
        ("T8 vertebra", "胸8椎体"),
        ("the eleventh rib", "第十一肋"),
        ("about 30%", "约30％"),
        ("30 percent", "百分之30"),
        ("COVID-19 pneumonia", "新型冠状病毒肺炎"),
    ],
)
def test_the_same_in_other_words(one: str, other: str) -> None:
    assert quantities(one).said == quantities(other).said


@pytest.mark.parametrize(
    ("one", "other"),
    [("8 mm", "8 cm"), ("1.5 cm", "1.5 mm"), ("5th rib", "第六肋"), ("30%", "30"), ("T8", "T9")],
)
def test_another_number_or_unit(one: str, other: str) -> None:
    assert quantities(one).said != quantities(other).said


def test_counts_in_words_are_kept_apart() -> None:
    assert quantities("two nodules").counted == quantities("两枚结节").counted
    assert not quantities("two nodules").said
    assert ("number", 5.0) in quantities("ribs 4 to 6").counted


@given(st.text(alphabet="0123456789.一二十两第肋x×-至mc毫厘米 %T", max_size=30))
def test_any_text_is_read(text: str) -> None:
    found = quantities(text)
    assert found.all == found.said | found.counted
