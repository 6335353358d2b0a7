"""Where the user stated what is good: that point trains to its end early, if it looks good."""

from collections.abc import Sequence

import numpy as np

from luthier.core.action import Continue
from luthier.core.curve import Curve
from luthier.core.study import Run, RunState, StudyView
from luthier.models.readings import log_grid
from luthier.policies.hunches import lowest_so_far
from luthier.policies.pausing import next_places, pause_steps

_N_BESIDE = 3  # runs that it is compared with,
_N_BETTER = 1  # of which so many may be better than it at first
_AT_FIRST = 5  # steps up to here
_FALLS = 0.05  # of all that it fell, what the second half of its steps brought, or it lies flat
_TELLS_FROM = 4  # steps


def default_goes_on(view: StudyView, runs: Sequence[Run]) -> Continue | None:
    """The default point's next slice; None where no prior was stated, and once it has not kept
    the lead, or lies flat. `runs`: the newest of each trial."""
    last = view.study.max_steps or 1
    stated = any(d.prior is not None for d in view.study.space.domains.values())
    if not stated or len(runs) <= _N_BESIDE or not len(runs[0].curve):
        return None
    default = runs[0]
    if default.state is not RunState.PAUSED or not default.to_step <= default.step < last:
        return None
    if default.step >= _TELLS_FROM and _lies_flat(default.curve):
        return None
    lowest = lowest_so_far(runs)
    at_first = default.step <= _AT_FIRST
    others = lowest[1 : 1 + _N_BESIDE] if at_first else lowest[1:]
    if at_first and np.isnan(others).any():
        return None
    if np.sum(others < lowest[0]) > (_N_BETTER if at_first else 0):
        return None
    grid = log_grid(last)
    place = next_places(grid, np.array([default.step]), pause_steps(view))[0]
    end = float(grid[min(place, len(grid) - 1)])
    return Continue(run_id=default.id, to_step=end, reason="default-first")


def _lies_flat(curve: Curve) -> bool:
    """Whether the second half of its steps brought little."""
    lowest = np.minimum.accumulate(curve.values)
    n_before = np.searchsorted(curve.steps, curve.steps[-1] / 2.0, side="right")
    fall = lowest[0] - lowest[-1]
    return n_before > 0 and not lowest[n_before - 1] - lowest[-1] >= _FALLS * fall > 0
