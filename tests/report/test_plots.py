"""Bars are where their numbers say, and nothing leaves the picture."""

from __future__ import annotations

import pytest

from pipeline.report.plots import WIDTH, Bar, Layout, Panel, Plot


def laid_out(*bars: Bar | None, top: float | None = None, percent: bool = False) -> Layout:
    labels = [f"row {number}" for number in range(len(bars))]
    return Plot("plot", labels, [Panel(list(bars), top=top, percent=percent)]).layout()


def test_lengths_are_proportional_and_segments_touch() -> None:
    made = laid_out(Bar([(30, 0), (10, 1)], "40"), Bar([(20, 0)], "20"))
    first, second, third = made.boxes
    assert first.width == pytest.approx(3 * second.width)
    assert second.x == pytest.approx(first.x + first.width)
    assert third.width == pytest.approx(first.width * 2 / 3)
    assert (first.series, second.series) == (0, 1)


@pytest.mark.parametrize("bar", [Bar([(0, 0)], "0"), None, Bar([], "")])
def test_nothing_to_show_draws_no_bar(bar: Bar | None) -> None:
    made = laid_out(bar)
    assert not made.boxes and made.height > 0


def test_a_small_count_beside_a_large_one_is_still_seen() -> None:
    assert laid_out(Bar([(1_000_000, 0)]), Bar([(1, 0)])).boxes[1].width >= 0.5


def test_whiskers_and_marks_stand_at_their_values() -> None:
    made = laid_out(Bar([(0.5, 0)], "0.500", 0.25, 0.75, mark=1.0), top=1)
    (box,) = made.boxes
    whisker, low, high, mark = made.over
    assert whisker.x1 - box.x == pytest.approx(box.width / 2)
    assert high.x1 - low.x1 == pytest.approx(box.width)
    assert mark.x1 - box.x == pytest.approx(2 * box.width)


@pytest.mark.parametrize("panels", [1, 2, 3, 4])
@pytest.mark.parametrize("length", [1, 17, 227_827, 1_130_000])
def test_everything_stays_inside(panels: int, length: int) -> None:
    bars = [Bar([(length, 0), (1, 3)], f"{length:,} (1 rejected)"), None, Bar([(length / 3, 1)])]
    labels = ["Enlarged Cardiomediastinum", "a", "a label that is much too long to be shown whole"]
    plot = Plot("p", labels, [Panel(bars, f"panel {n}") for n in range(panels)], [(0, "kept")])
    made = plot.layout()
    assert all(box.x >= 0 and box.x + box.width <= WIDTH for box in made.boxes)
    assert all(0 <= line.x1 <= WIDTH for line in [*made.lines, *made.over])
    assert any(text.text.endswith("…") for text in made.texts)
    assert all(0 <= text.y <= made.height for text in made.texts)


@pytest.mark.parametrize(
    ("top", "percent", "shown"),
    [(1, False, {"0", "0.5", "1"}), (0.3, True, {"0%", "10%"}), (0.02, True, {"0.0%", "1.0%"}),
     (3, False, {"0", "1", "2", "3"}), (250_000, False, {"0", "50k", "250k"})],
)  # fmt: skip
def test_ticks_are_round(top: float, percent: bool, shown: set[str]) -> None:
    made = laid_out(Bar([(top, 0)]), top=top, percent=percent)
    assert shown <= {text.text for text in made.texts if text.style == "tick"}
