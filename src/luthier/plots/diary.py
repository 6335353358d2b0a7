"""The diary of one run: its curve, what was changed when, and what came of it."""

import math
from textwrap import wrap
from typing import Any

import numpy as np

from luthier.contracts import Store
from luthier.core.course import SUFFIX, Points, factor_at
from luthier.core.script import script_of
from luthier.core.short import short
from luthier.diary import Page, diary_of
from luthier.plots.figure import figure, scale
from luthier.svg.axis import axis_of, loss_axis, shown
from luthier.svg.chart import BLUE, GREEN, GREY, ORANGE, RED

# a shape and a colour each: neither has to be seen
_MARKS = {"helped": ("^", GREEN), "hurt": ("v", RED), "could not tell": ("o", ORANGE)}
_N_ROWS, _WIDTH = 12, 110  # actions told, characters in a line
_N_DRAWN = 200  # points of a value that follows a course


def diary(store: Store, run_id: str) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """Objective with the actions on it, live parameters below, the actions in words."""
    pages = [p for p in diary_of(store, run_id) if p.entry.step is not None and p.kind != "start"]
    live = _live(store, run_id)
    told = pages[-_N_ROWS:]
    n_panels = 1 + len(live)
    lines = [line for page in told for line in wrap(_words(page, store), _WIDTH)]
    lines = lines or ["nothing was changed"]
    drawn = figure(8, 3.4 + 1.1 * len(live) + 0.2 * (len(lines) + 1))
    heights = [3.0, *[1.0] * len(live), 0.2 * (len(lines) + 1)]
    panels = drawn.subplots(n_panels + 1, 1, squeeze=False, height_ratios=heights)[:, 0]
    top, words = panels[0], panels[-1]
    study = store.study
    *rolled_back, now = store.branches(run_id) or [{}]
    curves = [b[study.metric] for b in [*rolled_back, now] if study.metric in b]
    for curve in curves[:-1]:
        top.plot(curve.steps, curve.values, color=GREY, linewidth=1, linestyle=(0, (3, 2)))
    for curve in curves[-1:]:
        top.plot(curve.steps, curve.values, color=BLUE, linewidth=1.8)
    axis = loss_axis([c.values for c in curves], study.metric, study.loss(1.0), room=30.0)
    scale(top, axis)
    for page in pages:
        _mark(top, page, now, study.metric)
    for panel, (name, (steps, values, log)) in zip(panels[1:-1], live.items(), strict=True):
        panel.step(steps, values, where="post", color=BLUE, linewidth=1.6)
        scale(panel, axis_of(np.array(values), log=log), n_ticks=3)
        panel.set_ylabel(name, rotation=0, ha="right", va="center")
    last = max([float(c.steps[-1]) for c in curves if len(c)], default=1.0)
    for panel in panels[:-1]:
        panel.set_xlim(0, last * 1.03)
        for page in pages:
            panel.axvline(page.entry.step, color=GREY, linestyle=":", linewidth=1, zorder=1)
        panel.tick_params(labelbottom=panel is panels[-2])
    panels[-2].set_xlabel("step")
    words.axis("off")
    words.text(0, 1, "\n".join(lines), va="top", fontsize=8, linespacing=1.5,
               transform=words.transAxes)  # fmt: skip
    top.set_title(f"{study.name}, run {run_id}: diary   ▲ helped   ▼ hurt   ● could not tell")
    return drawn


def _mark(top: Any, page: Page, now: Any, metric: str) -> None:  # noqa: ANN401
    step = page.entry.step
    assert step is not None
    outcome = page.verdict.outcome if page.verdict else ""
    shape, color = _MARKS.get(outcome, ("s", GREY))
    value = now[metric].at(step) if metric in now else math.nan
    if math.isfinite(value):
        top.plot([step], [value], shape, color=color, markersize=8, markeredgecolor="white",
                 zorder=4)  # fmt: skip
    if not page.after and page.kind != "rollback":
        return
    top.annotate(f"#{page.entry.number}", (step, 1), xycoords=("data", "axes fraction"),
                 xytext=(3, -3), textcoords="offset points", va="top", fontsize=8)  # fmt: skip


def _live(store: Store, run_id: str) -> dict[str, tuple[list[float], list[float], bool]]:
    """Live parameters that were changed: steps, values, whether logarithmic."""
    view = store.view()
    run = view.runs[run_id]
    script = script_of(view, store.diary(), run_id)
    names = dict.fromkeys(name for _, params in script for name in params)
    found = {}
    first = view.trials[run.trial].params
    for name in names:
        steps, values = [0.0], [first.get(name)]
        for step, params in script:
            if name in params:
                steps.append(step)
                values.append(params[name])
        steps.append(run.step)
        values.append(values[-1])
        numbers = [float(v) for v in values if isinstance(v, int | float)]
        if len(numbers) == len(values):
            domain = view.study.space.domains.get(name)
            log = bool(getattr(domain, "log", False)) and min(numbers) > 0
            courses = [(at, p[name + SUFFIX]) for at, p in script if name + SUFFIX in p]
            if courses:
                steps, numbers, log = *_on_courses(steps, numbers, courses), False
            found[name] = steps, numbers, log
    return found


def _on_courses(
    steps: list[float], values: list[float], courses: list[tuple[float, Points]]
) -> tuple[list[float], list[float]]:
    """The values times the factor of the course that held at each step."""
    grid = np.linspace(0.0, steps[-1], _N_DRAWN)
    held = np.array(values)[np.searchsorted(steps, grid, side="right") - 1]
    for row, at in enumerate(grid):
        begun = [points for since, points in courses if since <= at]
        held[row] *= factor_at(begun[-1], float(at)) if begun else 1.0
    return grid.tolist(), held.tolist()


def _words(page: Page, store: Store) -> str:
    entry, judged = page.entry, page.verdict
    what = page.kind
    for name, value in page.after.items():
        was = page.before.get(name)
        what += f" {name} " + (f"{short(was)} → " if was is not None else "") + short(value)
    line = f"#{entry.number}  step {entry.step:g}  {entry.action.author.value}: {what}"
    if entry.action.reason:
        line += f" ({entry.action.reason})"
    if entry.state == "refused":
        return f"{line} — refused: {entry.why}"
    if judged is None:
        return line
    line += f" — {judged.outcome}"
    if math.isfinite(judged.expected) and math.isfinite(judged.observed):
        sign = store.study.loss(1.0)
        line += f", {shown(sign * judged.observed)} against {shown(sign * judged.expected)}"
    return line
