#!/usr/bin/env python3
# SPDX-License-Identifier: AGPL-3.0-or-later
# Copyright: The Archipel contributors
"""Draw throughput of our layout by that of the usual one, from build/load.json.

``python -m tests.benchmarks.picture_load docs/images/load.svg`` does. A pale point is a pair of
turns, a full one the median of a case: the pale ones are apart by what the machine did beside it.
"""

from __future__ import annotations

import json
import statistics
import sys
import typing as t
from pathlib import Path
from xml.sax.saxutils import escape

from tests.benchmarks.nodes import BUILD

WIDTH, LINE, HEAD = 720, 22, 34
LEFT, RIGHT, TOP, BOTTOM = 110, 30, 34, 44
LOW, HIGH, STEP = 0.6, 1.4, 0.1
OURS, TARGET = "#00679e", "#b3261e"
# What is wanted of so many spaces: of one, and of more.
ONE, MORE = 0.95, 0.9
STYLE = """\
text { font: 12px sans-serif; fill: currentColor } .middle { text-anchor: middle }
.end { text-anchor: end } .head { font-weight: bold } line { stroke: #8884 }"""


def place(ratio: float) -> float:
    """Return where a ratio is on the axis; what lies outside stands at its end. Pure."""
    part = (min(max(ratio, LOW), HIGH) - LOW) / (HIGH - LOW)
    return LEFT + part * (WIDTH - RIGHT - LEFT)


def ratios(row: dict[str, t.Any]) -> list[float]:
    """Return requests per second of ours by those of the usual layout, of each pair. Pure."""
    return [
        (ours["requests"] / ours["seconds"]) / (other["requests"] / other["seconds"])
        for ours, other in zip(row["ours"], row["usual"], strict=True)
    ]


def line(row: dict[str, t.Any], y: float) -> list[str]:
    """Return one case: its name, its pairs and their median. Pure."""
    found = ratios(row)
    middle = statistics.median(found)
    wanted = place(ONE if row["spaces"] == 1 else MORE)
    parts = [f'<text x="{LEFT - 10}" y="{y + 4:.1f}" class="end">{escape(row["case"])}</text>']
    parts += [
        f'<circle cx="{place(one):.1f}" cy="{y:.1f}" r="3" fill="{OURS}" fill-opacity=".25"/>'
        for one in found
    ]
    parts += [
        f'<path d="M{wanted:.1f} {y - 7:.1f}V{y + 7:.1f}" stroke="{TARGET}"/>',
        f'<circle cx="{place(middle):.1f}" cy="{y:.1f}" r="5" fill="{OURS}"/>',
    ]
    return parts


def axis(bottom: float) -> list[str]:
    """Return the grid and its numbers. Pure."""
    parts = []
    for number in range(round((HIGH - LOW) / STEP) + 1):
        value = LOW + number * STEP
        x = place(value)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom:.1f}"/>')
        parts.append(f'<text x="{x:.1f}" y="{bottom + 16:.1f}" class="middle">{value:.1f}</text>')
    return parts


def draw(rows: t.Sequence[dict[str, t.Any]]) -> str:
    """Return the picture as SVG. Pure."""
    parts: list[str] = []
    y: float = TOP
    for number in sorted({row["spaces"] for row in rows}):
        word = "space" if number == 1 else "spaces"
        y += HEAD
        parts.append(f'<text x="12" y="{y - 8:.1f}" class="head">{number} {word}</text>')
        for row in rows:
            if row["spaces"] == number:
                parts += line(row, y + LINE / 2)
                y += LINE
    body = "\n".join([*axis(y), *parts])
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y + BOTTOM:.0f}" role="img">
<title>Requests per second of our layout by those of the usual one: pairs, medians, targets</title>
<style>
{STYLE}
</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="{LEFT}" y="20">requests per second, ours by the usual layout; red: target</text>
{body}
</svg>
"""


def main() -> None:
    """Draw what the last benchmark measured."""
    rows = json.loads((BUILD / "load.json").read_text(encoding="utf-8"))
    Path(sys.argv[1]).write_text(draw(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
