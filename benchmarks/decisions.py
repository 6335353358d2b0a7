"""Milliseconds of CPU for one decision of each policy, with random points.

The picture: runs of an ASHA study, a third of them at each rung further on, all with curves of one
point per step; one of them has just paused, one is training, four places are free.

    OMP_NUM_THREADS=1 python benchmarks/decisions.py
"""

import time

import numpy as np

from luthier.contracts import Policy
from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Checkpoint, Run, RunState, Study, StudyView, Trial
from luthier.policies.leaving import OUTSIDE
from luthier.registry import make_policy

SPACE = make_space({f"x{k}": Float(0, 1, live=True) for k in range(10)})
STUDY = Study("bench", SPACE, "loss", max_steps=81)
NAMES = ("full", "asha", "freeze-thaw", "asha-stopping", "halving", "hyperband", "bohb", "pasha",
         "median", "one-epoch", "pbt")  # fmt: skip
N_CALLS = 21


def view_of(n_runs: int) -> StudyView:
    """The newest two runs have just paused and are training; the rest were left, or are done."""
    rng = np.random.default_rng(0)
    trials, runs = {}, {}
    for number in range(n_runs):
        step = 3 ** min(4, int(rng.geometric(2 / 3)) - 1)
        point = SPACE.from_unit(rng.random(SPACE.dimension))
        state, reason = (RunState.COMPLETED if step == 81 else RunState.PAUSED), OUTSIDE
        if number == n_runs - 2:
            state, reason = RunState.PAUSED, "slice-end"
        elif number == n_runs - 1:
            state, step = RunState.RUNNING, 9
        steps = np.arange(1.0, step + 1)
        losses = rng.random() + 1 / steps + 0.05 * rng.standard_normal(step)
        run_id = f"{number}.0"
        saved = (Checkpoint(run_id, step, "f", 1, 1),)
        trials[number] = Trial(number, point)
        runs[run_id] = Run(run_id, number, point, step, None, state, step, reason=reason,
                           curve=Curve(steps, losses), checkpoints=saved)  # fmt: skip
    return StudyView(STUDY, trials, runs, 4, 4)


def cpu_ms(policy: Policy, view: StudyView) -> tuple[float, float, float]:
    """Smallest (without what other programs add), median, 95th percentile."""
    policy.decide(view)
    took = []
    for _ in range(N_CALLS):
        began_s = time.process_time()
        policy.decide(view)
        took.append(1000 * (time.process_time() - began_s))
    return min(took), float(np.median(took)), float(np.percentile(took, 95))


if __name__ == "__main__":
    print(f"{'ms of CPU per decision':24} {'runs':>6} {'smallest':>9} {'median':>8} {'p95':>8}")
    for n_runs in (100, 1000):
        view = view_of(n_runs)
        for name in NAMES:
            least, middle, p95 = cpu_ms(make_policy(name), view)
            print(f"{name:24} {n_runs:6} {least:9.2f} {middle:8.2f} {p95:8.2f}", flush=True)
