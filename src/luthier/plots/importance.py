"""Importance of parameters with its error."""

from typing import Any

from luthier.contracts import Store
from luthier.core.errors import StudyError
from luthier.importance import METHOD, N_LEAST, importances
from luthier.plots.figure import figure
from luthier.svg.chart import BLUE


def importance(store: Store) -> Any:  # noqa: ANN401  matplotlib.figure.Figure
    """A bar for each parameter; StudyError with too few trials."""
    found = importances(store.view())[::-1]
    if not found:
        raise StudyError(
            f"importance needs {N_LEAST} trials with reports; study {store.study.name!r} has "
            f"{sum(len(run.curve) > 0 for run in store.view().current().values())}."
        )
    drawn = figure(7, 1.2 + 0.34 * len(found))
    axes = drawn.add_subplot()
    places = range(len(found))
    axes.barh(places, [i.value for i in found], color=BLUE, height=0.65)
    low = [min(i.error, i.value) for i in found]
    axes.errorbar([i.value for i in found], places, xerr=[low, [i.error for i in found]],
                  fmt="none", ecolor="#111", elinewidth=1.1, capsize=3)  # fmt: skip
    axes.set_yticks(places, [i.name for i in found])
    axes.set_xlim(0, max(1.0, *(i.value + i.error for i in found)))
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"share of the variance of {store.study.metric}, ± standard error")
    axes.set_title(f"{store.study.name}: which parameters matter")
    axes.annotate(METHOD, (0, 0), (0, -34), xycoords="axes fraction", textcoords="offset points",
                  fontsize=7, color="#5b636d", va="top")  # fmt: skip
    return drawn
