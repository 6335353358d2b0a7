"""From which step on a loss says anything about the losses to come.

In some trainings the first epoch ranks runs as the last will; in others (warm-up, networks that sit
at chance for a while) it says nothing, or the contrary. So runs begin with two steps, until enough
of them rank at the second as they did at the first.
"""

from collections.abc import Sequence

import numpy as np

from luthier.core.study import Run
from luthier.models.reliability import broke

SECOND = 2  # steps that a run begins with while its first is not believed
_N_SHORTEST = 18  # steps of a training in which two are cheap enough
_N_RUNS = (4, 40)  # runs compared: at least, and at most
_AGREEMENT = 0.7  # rank correlation of which one must be sure, by a standard error
_SUREST = 0.99  # no few runs show that ranks agree for certain


def telling_step(runs: Sequence[Run], last_step: int) -> int:
    """1 once losses at the first step are believed, and in short trainings; else 2.

    `runs` in the order of trials. Compared are the first of them up to one that has not come to its
    second step: from when the first step is believed, how far a run goes depends on what it said
    there. Fisher's transformation gives the standard error of a correlation.
    """
    if last_step < _N_SHORTEST:
        return 1
    from scipy.stats import rankdata

    losses = _at_both(runs)
    least, most = _N_RUNS
    for n in range(least, min(len(losses), most) + 1):
        early, late = rankdata(losses[:n], axis=0).T
        if early.std() and late.std():
            agreement = np.clip(np.corrcoef(early, late)[0, 1], -_SUREST, _SUREST)
            if np.arctanh(agreement) - 1.0 / np.sqrt(n - 3) >= np.arctanh(_AGREEMENT):
                return 1
    return SECOND


def _at_both(runs: Sequence[Run]) -> np.ndarray:
    """Losses at steps 1 and 2 of the runs to compare, (n, 2); broken runs are passed over."""
    losses = []
    for run, broken in zip(runs, broke(runs), strict=True):
        if broken:
            continue
        if run.step < SECOND:
            break
        losses.append([run.curve.at(1), run.curve.at(SECOND)])
    found = np.array(losses, dtype=np.float64).reshape(-1, 2)
    return np.where(np.isfinite(found), found, np.inf)
