"""How sure it is that the best trial is the best of those that were trained.

The value of a run is the mean of the reports at its best step and the two beside it. Its error is
the noise, either of whole trainings (repeats of a point with other seeds, where there are enough)
or of single reports (second differences of the last half of all curves, robustly pooled). Values
are drawn towards their common mean by as much as noise explains of their spread, since the best of
many looks better than it is. The chance is the share of draws in which the best run stays the best.
On made-up studies with noise of reports alone the chance is right to a little low, at its worst by
0.13 (benchmarks/standing.py). Such noise knows nothing of what another seed would change.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, final

import numpy as np
from numpy.typing import NDArray

from luthier.core.study import Run, RunState, StudyView
from luthier.policies.autopilot.logbook import is_probe

N_DRAWS = 20_000
N_REPEATS = 3  # repeats, beyond the first of each point, from which on their spread is used
_FAR = 5.0  # standard deviations
_MAD = 1.4826  # of a normal distribution: its standard deviation over its median deviation


@final
@dataclass(frozen=True, slots=True)
class Standing:
    """The best run beside the second; metrics as reported, errors positive."""

    best: Run
    value: float  # at its best step
    second: Run | None  # of another point
    second_value: float
    n_rivals: int
    noise: float  # standard deviation; NaN when nothing tells it
    noise_of: Literal["repeats", "reports", "unknown"]
    p_best: float | None  # chance that no other point is better; None: not known, or no other

    @property
    def gap(self) -> float:
        """How much better than the second, positive."""
        return abs(self.value - self.second_value)


def standing(view: StudyView, seed: int = 0) -> Standing | None:
    """How the best stands; None when no run has reported a number. `seed` is that of the draws."""
    best = view.best()
    if best is None:
        return None
    points: dict[str, list[Run]] = {}
    for run in view.runs.values():
        broke = run.state is RunState.FAILED and run is not best  # and would again: no rival
        if math.isfinite(run.best_loss) and not broke and not is_probe(run):
            points.setdefault(_point(view, run), []).append(run)
    own = _point(view, best)
    leaders = {key: min(runs, key=lambda r: r.best_loss) for key, runs in points.items()}
    rivals = [run for key, run in leaders.items() if key != own]
    second = min(rivals, key=lambda r: r.best_loss, default=None)
    noise, noise_of = _noise(points, [best, *rivals])
    chance = None
    if rivals and math.isfinite(noise):
        chance = _chance(best, rivals, noise, noise_of == "reports", seed)
    loss = view.study.loss
    return Standing(
        best, loss(best.best_loss), second,
        loss(second.best_loss) if second else math.nan,
        len(rivals), noise, noise_of, chance,
    )  # fmt: skip


def _point(view: StudyView, run: Run) -> str:
    """Its parameters with the live changes, which make another training of it."""
    return repr(sorted({**view.trials[run.trial].params, **run.params}.items()))


def _noise(
    points: Mapping[str, Sequence[Run]], runs: Sequence[Run]
) -> tuple[float, Literal["repeats", "reports", "unknown"]]:
    squares, degrees = 0.0, 0
    for group in points.values():
        longest = max(run.step for run in group)
        whole = {run.seed: run.best_loss for run in group if run.step == longest}
        if len(whole) > 1:  # the same seed again is no other training
            values = np.array(list(whole.values()))
            squares += float(((values - values.mean()) ** 2).sum())
            degrees += len(values) - 1
    if degrees >= N_REPEATS and squares > 0:
        return math.sqrt(squares / degrees), "repeats"
    rests = np.concatenate([_second_differences(run) for run in runs])
    if len(rests) < N_REPEATS:
        return math.nan, "unknown"
    noise = _MAD * float(np.median(np.abs(rests)))
    return (noise, "reports") if noise > 0 else (math.nan, "unknown")  # of counts, say: too coarse


def _second_differences(run: Run) -> NDArray[np.float64]:  # (n,), with the variance of one report
    """Each report of the last half against the line through its neighbours."""
    finite = np.isfinite(run.curve.values)
    t, y = run.curve.steps[finite], run.curve.values[finite]
    t, y = t[len(t) // 2 :], y[len(y) // 2 :]
    if len(t) < 3:
        return np.empty(0)
    left = (t[2:] - t[1:-1]) / (t[2:] - t[:-2])
    rest: NDArray[np.float64] = y[1:-1] - left * y[:-2] - (1 - left) * y[2:]
    scaled: NDArray[np.float64] = rest / np.sqrt(1 + left**2 + (1 - left) ** 2)
    return scaled


def _level(run: Run, smooth: bool) -> tuple[float, int]:
    """A run's value as a loss, and how many reports it is the mean of."""
    values = run.curve.values
    # of equal ones the last, which is the least likely to be on a slope
    at = len(values) - 1 - int(np.argmin(np.where(np.isfinite(values), values, np.inf)[::-1]))
    near = values[max(0, at - 1) : at + 2] if smooth else values[at : at + 1]
    near = near[np.isfinite(near)]
    return float(near.mean()), len(near)


def _chance(best: Run, rivals: Sequence[Run], noise: float, smooth: bool, seed: int) -> float:
    levels, counts = zip(*(_level(run, smooth) for run in [best, *rivals]), strict=True)
    x = np.array(levels)
    variance = noise**2 / np.array(counts)
    middle = float(np.median(x))
    # the better half alone: what diverged says nothing of how close the good ones are
    better = x[x <= middle]
    spread = max(float(((better - middle) ** 2).mean()) - float(variance.mean()), 0.0)
    if spread == 0.0:
        return 1.0 / len(x)
    weight = spread / (spread + variance)
    mean, sd = middle + weight * (x - middle), np.sqrt(weight * variance)
    near = mean - _FAR * sd <= mean[0] + _FAR * sd[0]  # the others never come so far
    near[0] = True
    mean, sd = mean[near], sd[near]
    rng = np.random.default_rng(seed)
    blocks = (rng.standard_normal((N_DRAWS // 10, len(mean))) * sd + mean for _ in range(10))
    return float(np.mean([(block.argmin(axis=1) == 0).mean() for block in blocks]))
