"""Horizontal bars in panels side by side, laid out for an SVG: numbers in, places out.

One kind of plot serves all sections: stacked counts, shares with whiskers, a mark beside a bar.
Nothing here knows HTML; the template draws what is laid out here. Every plot stands beside a table
with the same numbers, so that nobody has to read them off it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

WIDTH = 760
_ROW, _BAR = 22, 14
_HEAD, _LEGEND, _FOOT = 20, 24, 18
_LETTER = 7.1  # width of a letter of 12 px in a wide font, on average
_MOST_LABEL = 230
_GAP = 18
_SERIES = 6


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar.

    Attributes:
        parts: lengths of its segments, with the number of their series.
        text: said at its end.
        low: lower end of a whisker; None for none.
        high: upper end.
        mark: a value marked on it, such as a published one.
    """

    parts: Sequence[tuple[float, int]]
    text: str = ""
    low: float | None = None
    high: float | None = None
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars below each other, one per label of the plot.

    Attributes:
        bars: None for a label without a value.
        title: stands above.
        top: end of the axis; None takes the longest bar.
        percent: whether the axis is a share.
    """

    bars: Sequence[Bar | None]
    title: str = ""
    top: float | None = None
    percent: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot.

    Attributes:
        title: what it shows, said above it and by screen readers.
        labels: of the rows.
        panels: side by side; all have one bar per label.
        legend: names of the series that need one.
        mark: what a mark on a bar is.
    """

    title: str
    labels: Sequence[str]
    panels: Sequence[Panel]
    legend: Sequence[tuple[int, str]] = ()
    mark: str = ""
    kind: str = field(default="plot", init=False)

    def layout(self) -> Layout:
        """Where everything goes."""
        return _layout(self)


@dataclass(frozen=True, slots=True)
class Text:
    """A text at a place; ``anchor`` is ``start``, ``middle`` or ``end``."""

    x: float
    y: float
    text: str
    anchor: str = "start"
    style: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of a series."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True, slots=True)
class Line:
    """A line; ``style`` is ``grid``, ``whisker``, ``mark`` or ``axis``."""

    x1: float
    y1: float
    x2: float
    y2: float
    style: str


@dataclass(slots=True)
class Layout:
    """Everything to draw, the lower things first."""

    width: float
    height: float = 0
    lines: list[Line] = field(default_factory=list)
    boxes: list[Box] = field(default_factory=list)
    over: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)


def _layout(plot: Plot) -> Layout:
    out = Layout(WIDTH)
    left = min(_MOST_LABEL, 8 + _LETTER * max((len(label) for label in plot.labels), default=0))
    width = (WIDTH - left - _GAP * len(plot.panels)) / max(1, len(plot.panels))
    y = _legend(plot, out) if plot.legend or plot.mark else 0
    if any(panel.title for panel in plot.panels):
        y += _HEAD
        for number, panel in enumerate(plot.panels):
            x = left + _GAP + number * (width + _GAP)
            out.texts.append(Text(x, y - 6, panel.title, style="head"))
    bottom = y + _ROW * len(plot.labels)
    for row, label in enumerate(plot.labels):
        shown = _cut(label, left)
        out.texts.append(Text(left, y + _ROW * row + _ROW / 2 + 4, shown, "end", "label"))
    for number, panel in enumerate(plot.panels):
        _panel(out, panel, left + _GAP + number * (width + _GAP), y, width, bottom)
    out.height = bottom + _FOOT
    return out


def _legend(plot: Plot, out: Layout) -> float:
    x = 0.0
    for series, name in plot.legend:
        out.boxes.append(Box(x, 4, 11, 11, series % _SERIES))
        out.texts.append(Text(x + 16, 14, name))
        x += 16 + _LETTER * len(name) + 22
    if plot.mark:
        out.over.append(Line(x + 4, 2, x + 4, 17, "mark"))
        out.texts.append(Text(x + 12, 14, plot.mark))
    return _LEGEND


def _panel(out: Layout, panel: Panel, x: float, y: float, width: float, bottom: float) -> None:
    bars = [bar for bar in panel.bars if bar is not None]
    room = _LETTER * max((len(bar.text) for bar in bars), default=0) + 12
    inner = max(20.0, width - room)
    top = panel.top or max((_end(bar) for bar in bars), default=0) or 1
    scale = inner / top
    for tick in _ticks(top, panel.percent, inner):
        place = x + tick * scale
        out.lines.append(Line(place, y, place, bottom, "grid" if tick else "axis"))
        text = (
            f"{tick:.0%}"
            if panel.percent and top >= 0.1
            else (f"{tick:.1%}" if panel.percent else _short(tick))
        )
        out.texts.append(Text(place, bottom + 14, text, "middle" if tick else "start", "tick"))
    for row, bar in enumerate(panel.bars):
        middle = y + _ROW * row + _ROW / 2
        if bar is None:
            out.texts.append(Text(x + 4, middle + 4, "–", style="tick"))
            continue
        at = x
        for length, series in bar.parts:
            if length > 0:
                wide = max(0.75, length * scale)
                out.boxes.append(Box(at, middle - _BAR / 2, wide, _BAR, series % _SERIES))
                at += length * scale
        end = at
        if bar.low is not None and bar.high is not None:
            low, high = x + bar.low * scale, x + bar.high * scale
            out.over.append(Line(low, middle, high, middle, "whisker"))
            for place in (low, high):
                out.over.append(Line(place, middle - 4, place, middle + 4, "whisker"))
            end = max(end, high)
        if bar.mark is not None:
            place = x + bar.mark * scale
            out.over.append(
                Line(place, middle - _ROW / 2 + 2, place, middle + _ROW / 2 - 2, "mark")
            )
            end = max(end, place)
        out.texts.append(Text(end + 5, middle + 4, bar.text, style="value"))


def _end(bar: Bar) -> float:
    total = sum(length for length, _ in bar.parts)
    return max(total, bar.high or 0, bar.mark or 0)


def _ticks(top: float, percent: bool, width: float) -> list[float]:
    """Round numbers from 0 on, at least 60 px apart; quarters of 1."""
    if top == 1:
        return [0, 0.5, 1] if width < 260 else [0, 0.25, 0.5, 0.75, 1]
    most = max(1, int(width // 60))
    rough = top / most
    power = 10 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * 0.999)
    if not percent:
        step = max(1, step)
    return [step * n for n in range(int(top / step + 1e-9) + 1)]


def _short(value: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= limit:
            size = {"G": 1e9, "M": 1e6, "k": 1e3}[unit]
            return f"{value / size:,.3g}{unit}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def _cut(label: str, width: float) -> str:
    most = int(width / _LETTER)
    return label if len(label) <= most else label[: most - 1] + "…"
