"""The course of the loss as an SVG file: no script, no font, no library."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from pipeline.core.atomic import write_bytes

_WIDTH, _HEIGHT = 720, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 20, 44, 48
_COLOURS = {"loss": "#9db4d0", "smoothed": "#1f4e8c", "eval_loss": "#c0392b"}
_NAMES = {"loss": "training loss", "smoothed": "training loss, smoothed", "eval_loss": "validation"}

Point = tuple[float, float]


def write_plot(log: Sequence[dict[str, Any]], path: Path, title: str) -> None:
    """Draw ``loss`` and ``eval_loss`` over the steps of a loss log."""
    series = {
        name: [(float(line["step"]), float(line[name])) for line in log if name in line]
        for name in ("loss", "eval_loss")
    }
    series = {
        "loss": series["loss"],
        "smoothed": _smooth(series["loss"]),
        "eval_loss": series["eval_loss"],
    }
    finite = [p for points in series.values() for p in points if math.isfinite(p[1])]
    if finite:
        write_bytes(path, _draw(series, finite, title).encode())


def _smooth(points: Sequence[Point], weight: float = 0.8) -> list[Point]:
    """An exponential moving average, corrected for its start."""
    mean = share = 0.0
    smoothed = []
    for x, y in points:
        if not math.isfinite(y):
            continue
        mean = weight * mean + (1 - weight) * y
        share = weight * share + (1 - weight)
        smoothed.append((x, mean / share))
    return smoothed if len(smoothed) > 4 else []


def _draw(series: dict[str, list[Point]], finite: list[Point], title: str) -> str:
    right = max(x for x, _ in finite)
    top = max(y for _, y in finite)
    x_ticks, y_ticks = _ticks(right), _ticks(top)
    x_end, y_end = max(right, x_ticks[-1], 1e-9), max(top, y_ticks[-1], 1e-9)

    def at(point: Point) -> tuple[float, float]:
        x = _LEFT + point[0] / x_end * (_WIDTH - _LEFT - _RIGHT)
        y = _HEIGHT - _BOTTOM - point[1] / y_end * (_HEIGHT - _TOP - _BOTTOM)
        return x, y

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{escape(title)}</text>',
    ]
    for tick in y_ticks:
        _, y = at((0, tick))
        parts.append(
            f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
            f'stroke="#e3e3e3"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for tick in x_ticks:
        x, y = at((tick, 0))
        parts.append(f'<text x="{x:.1f}" y="{y + 18:.1f}" text-anchor="middle">{tick:,.0f}</text>')
    parts.append(
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">step'
        f"</text>"
    )
    legend = _LEFT
    for name, points in series.items():
        shown = [at(point) for point in points if math.isfinite(point[1])]
        if not shown:
            continue
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in shown)
        colour = _COLOURS[name]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        if name == "eval_loss" or len(shown) == 1:
            parts += [
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in shown
            ]
        parts.append(
            f'<rect x="{legend}" y="28" width="14" height="4" fill="{colour}"/>'
            f'<text x="{legend + 18}" y="34" font-size="11">{_NAMES[name]}</text>'
        )
        legend += 34 + 7 * len(_NAMES[name])
    return "\n".join([*parts, "</svg>", ""])


def _ticks(end: float) -> list[float]:
    """Round numbers from 0 to ``end`` or a little beyond."""
    if end <= 0:
        return [0.0, 1.0]
    power = 10.0 ** math.floor(math.log10(end / 5))
    step = next(size * power for size in (1, 2, 5, 10) if end / (size * power) <= 6)
    return [step * number for number in range(math.ceil(end / step - 1e-9) + 1)]
