"""Parallel coordinates: a line per trial through its parameters to its value."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Store
from luthier.core.domain import Choice, Domain, Float, Int
from luthier.core.study import Run, StudyView
from luthier.plots.figure import COLORS, figure
from luthier.svg.axis import Axis, axis_of, loss_axis
from luthier.svg.chart import ORANGE

_ABSENT = -0.1  # where a parameter lies that a trial does not have
_N_MOST = 500
_N_UPRIGHT = 14  # letters of a name that fit beside each other


def parallel(store: Store) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """All trials with a number, the best on top; logarithmic where the domain is."""
    from matplotlib import colormaps

    view = store.view()
    study = view.study
    runs = [r for r in view.results().values() if math.isfinite(r.best_loss)]
    runs.sort(key=lambda run: run.best_loss)
    n_all = len(runs)
    if n_all > _N_MOST:
        runs = [runs[i] for i in np.unique(np.linspace(0, n_all - 1, _N_MOST).round().astype(int))]
    names = list(study.space.names)
    values = np.array([study.loss(run.best_loss) for run in runs])
    last = loss_axis([values], study.metric, study.loss(1.0))
    axes_of = [_axis(study.space.domains[name], name) for name in names] + [last]
    places = _places(view, runs, names, axes_of)
    drawn = figure(max(6.0, 1.5 * len(axes_of)), 4.6)
    axes = drawn.add_subplot()
    n = max(len(runs) - 1, 1)
    for rank in range(len(runs) - 1, -1, -1):
        best = rank == 0
        color = ORANGE if best else colormaps[COLORS](0.9 * rank / n)
        axes.plot(places[rank], color=color, linewidth=2.6 if best else 1.0,
                  alpha=1.0 if best else 0.55, zorder=3 if best else 2, clip_on=False)  # fmt: skip
    for column, axis in enumerate(axes_of):
        axes.axvline(column, color="#4a4f57", linewidth=1, zorder=4)
        for value, text in axis.ticks(6):
            at = float(axis.place(np.array(value)))
            axes.plot([column - 0.02, column], [at, at], color="#4a4f57", linewidth=1, zorder=4)
            axes.text(column - 0.035, at, text, ha="right", va="center", fontsize=7, zorder=5,
                      bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none",
                            "pad": 0.6})  # fmt: skip
        if np.any(places[:, column] == _ABSENT):
            axes.text(column - 0.035, _ABSENT, "absent", ha="right", va="center", fontsize=7,
                      style="italic", color="#5b636d")  # fmt: skip
    labels = [axis.label for axis in axes_of]
    slanted = max(map(len, labels)) > _N_UPRIGHT
    axes.set_xticks(range(len(labels)), labels, rotation=18 if slanted else 0,
                    ha="right" if slanted else "center")  # fmt: skip
    for label in axes.get_xticklabels()[-1:]:
        label.set_fontweight("bold")
    axes.set_xlim(-0.45, len(axes_of) - 0.9)
    axes.set_ylim(_ABSENT - 0.05 if np.any(places == _ABSENT) else -0.03, 1.03)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    told = f"{len(runs)} of {n_all}" if len(runs) < n_all else f"{n_all}"
    axes.set_title(f"{study.name}: {told} trials, the darker the better, the best in orange")
    return drawn


def _axis(domain: Domain, name: str) -> Axis:
    if isinstance(domain, Choice):
        names = tuple(str(option) for option in domain.options)
        return Axis(-0.5, len(names) - 0.5, label=name, names=names)
    assert isinstance(domain, Float | Int)
    return axis_of(np.array([domain.low, domain.high], dtype=float), name, log=domain.log)


def _places(
    view: StudyView, runs: list[Run], names: list[str], axes: list[Axis]
) -> NDArray[np.float64]:  # (n_runs, n_names + 1)
    """Between 0 and 1; of the objective what is far off lies at the end."""
    found = np.full((len(runs), len(axes)), _ABSENT)
    for column, name in enumerate(names):
        domain = view.study.space.domains[name]
        for row, run in enumerate(runs):
            if name in run.params:
                value = run.params[name]
                if isinstance(domain, Choice):
                    value = domain.options.index(domain.cast(value))
                found[row, column] = float(axes[column].place(np.array(float(value))))
    values = np.array([view.study.loss(run.best_loss) for run in runs])
    found[:, -1] = np.clip(axes[-1].place(values), 0.0, 1.0)
    return found
