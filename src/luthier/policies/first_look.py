"""From which step on a loss says anything about the losses to come.

In some trainings the first epoch ranks runs as the last will; in others (warm-up, networks that sit
at chance for a while) it says nothing, or the contrary. So the first few runs train to the third
step whatever they report at the first, and their ranks decide for all.
"""

from collections.abc import Sequence

import numpy as np

from luthier.core.study import Run
from luthier.models.reliability import broke

LOOK_STEPS = 3  # steps that the first runs train …
N_LOOKS = 5  # … and how many of them do, broken ones not counted
_N_SHORTEST = 18  # steps of a training in which a look is cheap enough: a sixth
_AGREEMENT = 0.5  # rank correlation from which on the first step is believed


def looking(runs: Sequence[Run], last_step: int) -> list[Run]:
    """The runs that train to `LOOK_STEPS` whatever they report; `runs` in the order of trials.

    Later ones are not among them: how far they got depends on what they reported.
    """
    if last_step < _N_SHORTEST:
        return []
    return [run for run, bad in zip(runs, broke(runs), strict=True) if not bad][:N_LOOKS]


def more_looks(runs: Sequence[Run], last_step: int) -> bool:
    """Whether the next new run is to be one of them."""
    return last_step >= _N_SHORTEST and len(looking(runs, last_step)) < N_LOOKS


def telling_step(runs: Sequence[Run], last_step: int) -> int:
    """The first step whose losses are to be believed: 1, also while it is not known, or
    `LOOK_STEPS`."""
    looked = [run for run in looking(runs, last_step) if run.step >= LOOK_STEPS]
    if len(looked) < N_LOOKS:
        return 1
    from scipy.stats import rankdata

    losses = np.array([[run.curve.at(1), run.curve.at(LOOK_STEPS)] for run in looked])
    early, late = rankdata(np.where(np.isfinite(losses), losses, np.inf), axis=0).T
    if not late.std():
        return 1
    agree = bool(early.std()) and np.corrcoef(early, late)[0, 1] >= _AGREEMENT
    return 1 if agree else LOOK_STEPS
