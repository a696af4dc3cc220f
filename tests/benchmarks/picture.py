#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Draw cost against number of spaces from build/bench.json.

``python -m tests.benchmarks.picture docs/images/cost.svg`` does.
Both axes are logarithmic: a straight line of slope one is a cost per space that stays the same.
"""

from __future__ import annotations

import json
import math
import sys
import typing as t
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmarks.nodes import BUILD

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 40, 50
COLOURS = {
    ("naive", "no-change"): "#b3261e",
    ("mitogen", "no-change"): "#c77700",
    ("ours", "first"): "#6b8fb5",
    ("ours", "no-change"): "#00679e",
    ("floor", "no-change"): "#5f6368",
}
Point = tuple[float, float]


class Scale(t.NamedTuple):
    """From a value to a place on an axis, whole powers of ten at both ends."""

    low: int
    high: int
    start: float
    end: float

    def place(self, value: float) -> float:
        """Return where a value is."""
        part = (math.log10(value) - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    def powers(self) -> list[float]:
        """Return the values that get a line."""
        return [10.0**power for power in range(self.low, self.high + 1)]


def scale(values: t.Sequence[float], start: float, end: float) -> Scale:
    """Return an axis that holds all values."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return Scale(low, max(high, low + 1), start, end)


def lines_of(results: t.Sequence[dict[str, t.Any]]) -> dict[tuple[str, str], list[Point]]:
    """Return the points of each line, by number of spaces."""
    lines: dict[tuple[str, str], list[Point]] = {}
    for row in sorted(results, key=lambda row: row["spaces"]):
        key = (row["variant"], row["case"])
        if key in COLOURS:
            lines.setdefault(key, []).append((row["spaces"], row["seconds"]))
    return lines


def number(value: float) -> str:
    """Return a number of an axis as people write it."""
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def axes(across: Scale, up: Scale) -> list[str]:
    """Return the grid and its numbers."""
    parts = []
    for value in across.powers():
        x = across.place(value)
        parts.append(f'<line x1="{x:.1f}" y1="{up.start}" x2="{x:.1f}" y2="{up.end}"/>')
        parts.append(f'<text x="{x:.1f}" y="{up.start + 18}" class="middle">{number(value)}</text>')
    for value in up.powers():
        y = up.place(value)
        parts.append(f'<line x1="{across.start}" y1="{y:.1f}" x2="{across.end}" y2="{y:.1f}"/>')
        label = f"{number(value)} s"
        parts.append(f'<text x="{across.start - 8}" y="{y + 4:.1f}" class="end">{label}</text>')
    return parts


def curve(key: tuple[str, str], points: t.Sequence[Point], across: Scale, up: Scale) -> list[str]:
    """Return one line with its points and its name."""
    places = [(across.place(x), up.place(y)) for x, y in points]
    colour = COLOURS[key]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    parts = [f'<polyline points="{path}" stroke="{colour}"/>']
    parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places]
    x, y = places[-1]
    name = escape(f"{key[0]}, {key[1]}")
    parts.append(f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}</text>')
    return parts


def draw(results: t.Sequence[dict[str, t.Any]]) -> str:
    """Return the picture as SVG."""
    lines = lines_of(results)
    points = [point for line in lines.values() for point in line]
    across = scale([x for x, _ in points], LEFT, WIDTH - RIGHT)
    up = scale([y for _, y in points], HEIGHT - BOTTOM, TOP)
    parts = axes(across, up)
    for key, line in lines.items():
        parts += curve(key, line, across, up)
    body = "\n".join(parts)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">
<title>Seconds of a run against number of spaces, both logarithmic</title>
<style>
text {{ font: 12px sans-serif; fill: currentColor }} .middle {{ text-anchor: middle }}
.end {{ text-anchor: end }} line {{ stroke: #8884; }} polyline {{ fill: none; stroke-width: 2 }}
</style>
<rect width="100%" height="100%" fill="#fff"/>
{body}
<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" class="middle">spaces</text>
</svg>
"""


def main() -> None:
    """Draw what the last benchmark measured."""
    results = json.loads((BUILD / "bench.json").read_text(encoding="utf-8"))
    Path(sys.argv[1]).write_text(draw(results), encoding="utf-8")


if __name__ == "__main__":
    main()
