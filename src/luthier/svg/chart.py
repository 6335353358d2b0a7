"""Curves, points, bars and sparklines as SVG text.

Every text is escaped. Colours are those of Okabe and Ito, which colour-blind people can tell apart.
"""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.svg.axis import Axis, axis_of

BLUE, ORANGE, GREEN, RED, SKY, PURPLE, GREY = (
    "#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#b65f94", "#8a8f98",
)  # fmt: skip
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, RED, SKY)
_AXIS, _GRID, _TEXT = "#9aa0a8", "#e7e9ec", "#4a4f57"
_FONT = "font-family='system-ui,sans-serif' font-size='11'"
_N_MOST = 240  # points of a line: more than that no eye can tell apart at this size


@final
@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """Values over steps; a gap where one is no number. `name` is for the legend."""

    x: NDArray[np.float64]  # (n,)
    y: NDArray[np.float64]  # (n,)
    color: str = BLUE
    width: float = 1.6
    opacity: float = 1.0
    name: str = ""
    dashed: bool = False
    mark: tuple[float, float] | None = None  # a point on it that is meant


def chart(
    lines: Sequence[Line], x: Axis, y: Axis, *, title: str, width: int = 640, height: int = 260,
    events: Sequence[tuple[float, str]] = (),
) -> str:  # fmt: skip
    """Lines over two axes, with a legend of those that have a name.

    `events`: where something happened, each a step and a few letters for it.
    """
    left, right, top, bottom = 58, 14, 26, 36
    w, h = width - left - right, height - top - bottom
    parts = [_frame(x, y, left, top, w, h)]
    for step, letters in events:
        at = left + w * float(x.place(np.array(step)))
        parts.append(f"<path d='M{at:.1f} {top}v{h}' stroke='{_AXIS}' stroke-dasharray='2 3'/>")
        parts.append(_text(at + 3, top + 10, letters))
    clip = f"c{left}-{top}-{w}-{h}"  # pictures of one size may share it
    parts.append(f"<clipPath id='{clip}'><rect x='{left}' y='{top - 1}' width='{w}' "
                 f"height='{h + 2}'/></clipPath><g clip-path='url(#{clip})' fill='none' "
                 "stroke-linejoin='round'>")  # fmt: skip
    for line in lines:
        px, py = left + w * x.place(line.x), top + h * (1 - y.place(line.y))
        parts.append(_path(px, py, line))
    parts.append("</g>")
    for line in lines:
        if line.mark is not None:
            mx = left + w * float(x.place(np.array(line.mark[0])))
            my = top + h * (1 - float(y.place(np.array(line.mark[1]))))
            if math.isfinite(mx + my):
                parts.append(f"<circle cx='{mx:.1f}' cy='{my:.1f}' r='4' fill='#fff' "
                             f"stroke='{line.color}' stroke-width='2'/>")  # fmt: skip
    at = 26 + 6.4 * _columns(_cut(y.label, 40))
    for line in lines:
        if not line.name:
            continue
        dash = " stroke-dasharray='4 3'" if line.dashed else ""
        parts.append(f"<path d='M{at:.0f} 10h16' stroke='{line.color}' stroke-width='2.4'{dash}/>")
        parts.append(_text(at + 21, 14, line.name))
        at += 34 + 6.4 * _columns(line.name)
    return _picture(parts, title, width, height)


def dots(
    x: NDArray[np.float64], y: NDArray[np.float64], across: Axis, up: Axis, *, best: int = -1,
    title: str, width: int = 310, height: int = 210,
) -> str:  # fmt: skip
    """Points (n,) and (n,) over two axes; number `best` is marked."""
    left, right, top, bottom = 52, 10, 24, 36
    w, h = width - left - right, height - top - bottom
    parts = [_frame(across, up, left, top, w, h)]
    px, py = left + w * across.place(x), top + h * (1 - up.place(y))
    faint = f"fill='{BLUE}' fill-opacity='0.45'"
    seen = np.isfinite(px) & (py >= top - 4) & (py <= top + h + 4)
    if best >= 0:
        seen[best] = False
    parts += [f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3' {faint}/>"
              for a, b in zip(px[seen].tolist(), py[seen].tolist(), strict=True)]  # fmt: skip
    if best >= 0 and math.isfinite(px[best] + py[best]):
        parts.append(f"<circle cx='{px[best]:.1f}' cy='{py[best]:.1f}' r='5' fill='{ORANGE}' "
                     "stroke='#fff' stroke-width='1.5'/>")  # fmt: skip
    return _picture(parts, title, width, height)


def bars(rows: Sequence[tuple[str, float, float]], *, title: str, width: int = 640) -> str:
    """A bar per row of name, value and standard error, all from 0 to 1."""
    left = min(240.0, 16 + 7 * max((_columns(name) for name, _, _ in rows), default=0))
    w, row_height = width - left - 96, 24
    parts = []
    for number, (name, value, error) in enumerate(rows):
        y = 8 + row_height * number
        parts.append(_text(left - 8, y + 12, _cut(name, 30), "end"))
        parts.append(f"<rect x='{left:.0f}' y='{y}' width='{w:.1f}' height='16' fill='#f1f3f5'/>")
        shown_share = min(max(value, 0.0), 1.0)
        parts.append(f"<rect x='{left:.0f}' y='{y}' width='{w * shown_share:.1f}' height='16' "
                     f"fill='{BLUE}'/>")  # fmt: skip
        ends = [left + w * min(max(value + side * error, 0.0), 1.0) for side in (-1, 1)]
        parts.append(f"<path d='M{ends[0]:.1f} {y + 8}H{ends[1]:.1f}M{ends[0]:.1f} {y + 4}v8"
                     f"M{ends[1]:.1f} {y + 4}v8' stroke='#111' stroke-width='1.2'/>")  # fmt: skip
        parts.append(_text(left + w + 8, y + 12, f"{value:.2f} ± {error:.2f}"))
    return _picture(parts, title, width, 12 + row_height * len(rows))


def sparkline(
    values: NDArray[np.float64], *, title: str, width: int = 220, height: int = 44
) -> str:
    """A curve without axes, its last point marked."""
    steps = np.arange(len(values), dtype=np.float64)
    x, y = axis_of(steps), axis_of(values)
    px, py = 3 + (width - 8) * x.place(steps), 4 + (height - 8) * (1 - y.place(values))
    parts = ["<g fill='none' stroke-linejoin='round'>", _path(px, py, Line(steps, values)), "</g>"]
    finite = np.flatnonzero(np.isfinite(py))
    if len(finite):
        last = finite[-1]
        parts.append(f"<circle cx='{px[last]:.1f}' cy='{py[last]:.1f}' r='2.6' fill='{BLUE}'/>")
    return _picture(parts, title, width, height)


def _picture(parts: Sequence[str], title: str, width: int, height: int) -> str:
    name = html.escape(title, quote=True)
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' width='{width}' "
        f"height='{height}' role='img' aria-label=\"{name}\">{''.join(parts)}</svg>"
    )


def _frame(x: Axis, y: Axis, left: float, top: float, w: float, h: float) -> str:
    """Grid, ticks and labels."""
    parts = []
    for value, text in y.ticks(max(2, int(h // 36))):
        at = top + h * (1 - float(y.place(np.array(value))))
        parts.append(f"<path d='M{left} {at:.1f}h{w}' stroke='{_GRID}'/>")
        parts.append(_text(left - 6, at + 4, _cut(text, 8), "end"))
    for value, text in x.ticks(max(2, int(w // 64))):
        at = left + w * float(x.place(np.array(value)))
        parts.append(f"<path d='M{at:.1f} {top + h}v4' stroke='{_AXIS}'/>")
        parts.append(_text(at, top + h + 16, _cut(text, 10), "middle"))
    parts.append(f"<path d='M{left} {top}v{h}h{w}' stroke='{_AXIS}' fill='none'/>")
    parts.append(_text(left + w, top + h + 31, _cut(x.label, 48), "end"))
    parts.append(_text(8, 14, _cut(y.label, 40)))
    return "".join(parts)


def _path(px: NDArray[np.float64], py: NDArray[np.float64], line: Line) -> str:
    """A polyline that breaks where there is no number; a point alone becomes a dot."""
    if len(px) > _N_MOST:
        chosen = np.unique(np.linspace(0, len(px) - 1, _N_MOST).round().astype(int))
        px, py = px[chosen], py[chosen]
    py = np.clip(py, -1e4, 1e4)
    steps, begun = [], False
    for i, (a, b) in enumerate(zip(px.tolist(), py.tolist(), strict=True)):
        if not math.isfinite(a + b):
            begun = False
            continue
        alone = not begun and (i + 1 == len(px) or not math.isfinite(float(px[i + 1] + py[i + 1])))
        steps.append(f"{'L' if begun else 'M'}{a:.1f} {b:.1f}{'h.1' if alone else ''}")
        begun = True
    if not steps:
        return ""
    dash = " stroke-dasharray='4 3'" if line.dashed else ""
    fade = f" stroke-opacity='{line.opacity:g}'" if line.opacity < 1 else ""
    return (
        f"<path d='{''.join(steps)}' stroke='{line.color}' stroke-width='{line.width:g}' "
        f"stroke-linecap='round'{fade}{dash}/>"
    )


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    side = "" if anchor == "start" else f" text-anchor='{anchor}'"
    shown_text = html.escape(text, quote=True)
    return f"<text x='{x:.1f}' y='{y:.1f}' {_FONT} fill='{_TEXT}'{side}>{shown_text}</text>"


def _cut(text: str, n_most: int) -> str:
    return text if len(text) <= n_most else text[: n_most - 1] + "…"


def _columns(text: str) -> float:
    """Widths of letters; a Chinese one is nearly two."""
    return sum(1.75 if ord(letter) > 0x2E80 else 1.0 for letter in text)
