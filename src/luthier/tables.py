"""Tables of stored learning curves: many points of a space, each trained once or more.

They come from a folder (`table_folder.py`); a finished study is one too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.domain import Value
from luthier.core.errors import TableError
from luthier.core.space import Space
from luthier.core.study import Goal, Run, StudyView

Point = Mapping[str, Value]
Key = tuple[tuple[str, Value], ...]


@final
@dataclass(frozen=True, eq=False)
class Table:
    """Curves of `n` rows over steps 1..T, as losses, and the points that were trained.

    NaN inside of a row is a step without a report. `n_steps` is the last step a row has; a row
    with `diverged` reports NaN at that step and ends there.
    """

    name: str
    space: Space
    metric: str
    goal: Goal
    points: tuple[Point, ...]  # the distinct points of the space, m of them
    rows: tuple[tuple[int, ...], ...]  # for each point, its rows: repeats of the same training
    losses: NDArray[np.float64]  # (n, T)
    n_steps: NDArray[np.int64]  # (n,), each from 1 to T
    diverged: NDArray[np.bool_]  # (n,)
    step_s: NDArray[np.float64]  # (n, T) seconds that each step takes; ones without a clock
    target: float | None = None  # as a loss
    _index: dict[Key, int] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._index.update({key_of(point): i for i, point in enumerate(self.points)})

    @property
    def max_steps(self) -> int:
        """T: steps of a full training."""
        return int(self.losses.shape[1])

    def find(self, params: Point) -> int | None:
        """Number of the point with these parameters; None when the table has no such."""
        return self._index.get(key_of(params))

    def units(self) -> NDArray[np.float64]:
        """The points in the unit cube, (m, d)."""
        return np.array([self.space.to_unit(point) for point in self.points])

    def best_losses(self) -> NDArray[np.float64]:
        """Lowest loss of each row at any step, (n,); +inf where there is none."""
        best: NDArray[np.float64] = np.where(np.isfinite(self.losses), self.losses, np.inf).min(
            axis=1
        )
        return best

    def regret(self, loss: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 at the table's best loss, 1 at the median of its rows' best losses and above."""
        best = self.best_losses()
        low, middle = float(best.min()), float(np.median(best[np.isfinite(best)]))
        scaled = (np.asarray(loss) - low) / max(middle - low, 1e-300)
        regret: NDArray[np.float64] = np.clip(np.where(np.isnan(scaled), 1.0, scaled), 0.0, 1.0)
        return regret


def key_of(params: Point) -> Key:
    """A point as something to look up, whatever the order of its names."""
    return tuple(sorted(params.items()))


def table_of_study(view: StudyView) -> Table:
    """A finished study as a table: its trials are the points, their curves the rows."""
    runs = [run for run in view.current().values() if len(run.curve)]
    n_told = sum(bool(np.isfinite(run.curve.values).any()) for run in runs)
    if n_told == 0 or len({key_of(run.params) for run in runs}) < 2:
        raise TableError(
            f"study {view.study.name!r} has {len(runs)} runs with a curve, {n_told} of them with "
            "a number; expected one at least, and 2 different points."
        )
    n_steps = int(view.study.max_steps or max(run.curve.steps[-1] for run in runs))
    losses = np.full((len(runs), n_steps), np.nan)
    step_s = np.ones((len(runs), n_steps))
    for row, run in enumerate(runs):
        for step, value in zip(run.curve.steps, run.curve.values, strict=True):
            losses[row, min(max(int(np.ceil(step)), 1), n_steps) - 1] = value
        step_s[row] = run.train_s / max(run.step, 1.0) or 1.0
    last = np.array([min(max(int(np.ceil(r.curve.steps[-1])), 1), n_steps) for r in runs])
    diverged = np.array([_never_finite(run) for run in runs])
    domains = view.study.space.domains  # what others drew need not lie on its grid
    points = [{n: domains[n].cast(v) for n, v in run.params.items()} for run in runs]
    return make_table(
        view.study.name, view.study.space, view.study.metric, view.study.goal, points,
        losses, last, diverged, step_s,
    )  # fmt: skip


def _never_finite(run: Run) -> bool:
    return not bool(np.isfinite(run.curve.last))


def make_table(
    name: str,
    space: Space,
    metric: str,
    goal: Goal,
    points: Sequence[Point],
    losses: NDArray[np.float64],
    n_steps: NDArray[np.int64],
    diverged: NDArray[np.bool_],
    step_s: NDArray[np.float64],
    target: float | None = None,
) -> Table:
    """Rows with the same point are one, trained several times; the rest as in `Table`."""
    repeats: dict[Key, list[int]] = {}
    for row, point in enumerate(points):
        repeats.setdefault(key_of(point), []).append(row)
    rows = tuple(tuple(of_one) for of_one in repeats.values())
    distinct = tuple(points[of_one[0]] for of_one in rows)
    return Table(
        name, space, metric, goal, distinct, rows, losses, n_steps, diverged, step_s, target
    )
