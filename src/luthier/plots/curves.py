"""The curves of a study, or all metrics of one run."""

import math
from typing import Any

import numpy as np

from luthier.contracts import Store
from luthier.core.action import Change, RollBack
from luthier.core.study import RunState
from luthier.plots.figure import COLORS, figure, scale
from luthier.svg.axis import loss_axis, shown
from luthier.svg.chart import BLUE, GREEN, GREY, ORANGE, PURPLE, RED

_SIDES = {"train": BLUE, "val": ORANGE, "test": GREEN}


def study_curves(store: Store) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """The objective of all trials, coloured by standing, the best on top."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    view = store.view()
    study = view.study
    runs = [run for run in view.results().values() if len(run.curve)]
    runs.sort(key=lambda r: (math.isnan(r.best_loss), r.best_loss))
    sign = study.loss(1.0)
    drawn = figure(8, 4.5)
    axes = drawn.add_subplot()
    n = max(len(runs) - 1, 1)
    for place, run in reversed(list(enumerate(runs))):
        best = place == 0
        broken = run.state in (RunState.FAILED, RunState.LOST)
        color = ORANGE if best else RED if broken else colormaps[COLORS](0.9 * place / n)
        label = f"trial {run.trial}: {shown(study.loss(run.best_loss))}" if best else None
        axes.plot(
            run.curve.steps, sign * run.curve.values, color=color, label=label,
            linewidth=2.6 if best else 1.0, linestyle=(0, (3, 2)) if broken else "-",
            alpha=1.0 if best else 0.75, marker="o" if len(run.curve) == 1 else None,
            markersize=3, zorder=3 if best else 2,
        )  # fmt: skip
    scale(axes, loss_axis([sign * r.curve.values for r in runs], study.metric, sign))
    axes.set_xlabel("step")
    axes.set_title(f"{study.name}: {len(runs)} trials")
    if runs:
        axes.legend(loc="best")
    if len(runs) > 1:
        ranks = ScalarMappable(Normalize(1, len(runs)), colormaps[COLORS])
        bar = drawn.colorbar(ranks, ax=axes, label="standing; 1 is the best")
        bar.ax.invert_yaxis()
    return drawn


def run_curves(store: Store, run_id: str) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """All metrics of one run but probes; training and validation in one panel.

    Changes are dotted lines with their number in the diary.
    """
    groups: dict[str, list[str]] = {}
    metrics = {
        name: curve
        for name, curve in store.metrics(run_id).items()
        if len(curve) and not name.startswith("probe/")
    }
    for name in metrics:
        side, _, stem = name.replace("/", "_").partition("_")
        groups.setdefault(stem if side in _SIDES else name, []).append(name)
    changes = [
        (entry.step, entry.number) for entry in store.diary()
        if entry.run_id == run_id and entry.state == "obeyed" and entry.step is not None
        and isinstance(entry.action, Change | RollBack)
    ]  # fmt: skip
    n_columns = min(3, max(1, len(groups)))
    n_rows = max(1, math.ceil(len(groups) / n_columns))
    drawn = figure(4.2 * n_columns, 2.8 * n_rows)
    panels = drawn.subplots(n_rows, n_columns, squeeze=False, sharex=True).flat
    for panel, (stem, names) in zip(panels, groups.items(), strict=False):
        for name in names:
            curve = metrics[name]
            color = next((c for side, c in _SIDES.items() if name.startswith(side)), PURPLE)
            panel.plot(curve.steps, curve.values, color=color, label=name, linewidth=1.6,
                       marker="o" if len(curve) == 1 else None, markersize=3)  # fmt: skip
        scale(panel, loss_axis([metrics[name].values for name in names], "", room=30.0))
        for step, number in changes:
            panel.axvline(step, color=GREY, linestyle=":", linewidth=1)
            panel.annotate(f"#{number}", (step, 1), xycoords=("data", "axes fraction"),
                           xytext=(2, -2), textcoords="offset points", va="top", fontsize=7,
                           color="#4a4f57")  # fmt: skip
        panel.set_title(stem if len(names) > 1 else names[0])
        if len(names) > 1:
            panel.legend(fontsize=8)
    for panel in np.array(list(drawn.axes))[len(groups) :]:
        panel.axis("off")
    for panel in drawn.axes[max(0, len(groups) - n_columns) : len(groups)]:
        panel.set_xlabel("step")
        panel.tick_params(labelbottom=True)
    drawn.suptitle(f"{store.study.name}, run {run_id}", x=0.01, ha="left", fontsize=11)
    return drawn
