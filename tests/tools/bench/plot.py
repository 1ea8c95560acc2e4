"""A small SVG plot with logarithmic axes, written by hand: a dozen lines of it are not worth a library."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 50, 60
FONT = 'font-family="sans-serif" font-size="13"'
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Of Okabe and Ito: colour-blind people can distinguish them too."""


class Axis:
    """A logarithmic axis over whole decades, from data to a place in the picture."""

    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self.first = math.floor(math.log10(min(values)))
        self.last = max(math.ceil(math.log10(max(values))), self.first + 1)
        self.start, self.end = start, end

    def at(self, value: float) -> float:
        """Return where a value is."""
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return self.start + share * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return the powers of ten."""
        return [10.0**power for power in range(self.first, self.last + 1)]


def plot(title: str, across: str, up: str, lines: Mapping[str, Points]) -> str:
    """Return an SVG picture of lines through points, all of them greater than 0, each with its name at its end."""
    x_axis = Axis([x for points in lines.values() for x, _ in points], LEFT, WIDTH - RIGHT)
    y_axis = Axis([y for points in lines.values() for _, y in points], HEIGHT - BOTTOM, TOP)
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {FONT}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        text(middle, TOP - 24, title, 'text-anchor="middle" font-size="15"'),
        *(vertical(x_axis.at(tick), tick) for tick in x_axis.ticks()),
        *(horizontal(y_axis.at(tick), tick) for tick in y_axis.ticks()),
        text(middle, HEIGHT - 16, across, 'text-anchor="middle"'),
        text(0, 0, up, f'text-anchor="middle" transform="translate(18 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)"'),
    ]
    for colour, (name, points) in zip(COLOURS, lines.items(), strict=False):
        parts += drawn(name, [(x_axis.at(x), y_axis.at(y)) for x, y in points], [y for _, y in points], colour)
    return "\n".join([*parts, "</svg>"]) + "\n"


def drawn(name: str, places: Points, values: Sequence[float], colour: str) -> list[str]:
    """Return a line, its points with their values, and its name."""
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    end_x, end_y = places[-1]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in places),
        *(
            # below and right of the point, where a line that rises is not
            text(x + 7, y + 16, f"{value:.3g}", f'fill="{colour}"')
            for (x, y), value in zip(places, values, strict=True)
        ),
        text(end_x + 12, end_y, name, f'fill="{colour}" font-weight="bold"'),
    ]


def vertical(x: float, tick: float) -> str:
    """Return a grid line and its number below."""
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}" stroke="#ddd"/>'
    return line + text(x, HEIGHT - BOTTOM + 18, f"{tick:g}", 'text-anchor="middle"')


def horizontal(y: float, tick: float) -> str:
    """Return a grid line and its number at the left."""
    line = f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>'
    return line + text(LEFT - 8, y + 4, f"{tick:g}", 'text-anchor="end"')


def text(x: float, y: float, words: str, more: str = "") -> str:
    """Return a piece of text."""
    safe = words.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{safe}</text>'
