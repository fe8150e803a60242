"""Charts as SVG, drawn here: bars by their classes, no script and no style; the page has a table beside each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

_WIDE, _HIGH = 340, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 6, 8, 22
_MOST_LABELS: Final = 6
_STEPS: Final = (1, 2, 5)


@dataclass(frozen=True, kw_only=True)
class Series:
    """Some numbers of one kind, none below 0. `look`: the class that gives them their colour."""

    name: str
    look: str
    values: Sequence[float]


def bar_chart(title: str, labels: Sequence[str], series: Sequence[Series], *, stacked: bool = False) -> Markup:
    """A bar for each label: side by side, or one upon another. `title` says in a sentence what is to be seen."""
    most = max((_height(series, at, stacked=stacked) for at in range(len(labels))), default=0)
    top = nice_top(most)
    room, floor = (_WIDE - _LEFT - _RIGHT) / max(1, len(labels)), _HIGH - _BOTTOM
    drawn = [_grid(top, floor)]
    for at, label in enumerate(labels):
        x = _LEFT + at * room
        drawn += _bars(series, at, x=x, room=room, scale=(floor - _TOP) / top, stacked=stacked)
        every = -(-len(labels) // _MOST_LABELS)
        if at % every == 0:
            drawn.append(Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(
                _n(x + room / 2), _HIGH - 6, label
            ))  # fmt: skip
    return Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        _WIDE, _HIGH, escape(title), Markup("").join(drawn)
    )


def swatch(look: str) -> Markup:
    """The colour of a series, for a legend."""
    drawn = Markup('<rect class="{}" width="10" height="10" rx="2"/>').format(look)
    return Markup('<svg class="chart swatch" viewBox="0 0 10 10" aria-hidden="true">{}</svg>').format(drawn)


def nice_top(most: float) -> float:
    """Where an axis ends: a round number that is not below; never 0."""
    if most <= 0:
        return 1
    power = 1.0
    while power * 10 <= most:
        power *= 10
    while power > most:
        power /= 10
    return next((power * step for step in _STEPS if power * step >= most), power * 10)


def _height(series: Sequence[Series], at: int, *, stacked: bool) -> float:
    values = [each.values[at] for each in series]
    return sum(values) if stacked else max(values, default=0)


def _bars(series: Sequence[Series], at: int, *, x: float, room: float, scale: float, stacked: bool) -> list[Markup]:
    floor, gap = float(_HIGH - _BOTTOM), room * 0.15
    wide = (room - gap) if stacked else (room - gap) / max(1, len(series))
    drawn: list[Markup] = []
    for number, each in enumerate(series):
        tall = each.values[at] * scale
        if tall <= 0:
            continue
        left = x + gap / 2 + (0 if stacked else number * wide)
        floor = floor - tall if stacked else _HIGH - _BOTTOM - tall
        drawn.append(
            Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                each.look, _n(left), _n(floor), _n(max(1.0, wide)), _n(tall)
            )
        )
    return drawn


def _grid(top: float, floor: int) -> Markup:
    line = Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>')
    label = Markup('<text x="{}" y="{}" text-anchor="end">{}</text>')
    drawn: list[Markup] = []
    for share in (0.0, 0.5, 1.0):
        y = floor - (floor - _TOP) * share
        drawn.append(line.format(_LEFT, _WIDE - _RIGHT, _n(y), _n(y)))
        if share != 0.5 or top > 1:  # half of one thing is none
            drawn.append(label.format(_LEFT - 4, _n(y + 4), _short(top * share)))
    return Markup("").join(drawn)


def _short(number: float) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if number >= size:
            return f"{number / size:g}{unit}"
    return f"{number:g}"


def _n(number: float) -> str:
    return f"{number:.2f}".rstrip("0").rstrip(".")
