"""Is the best the best as often as `luthier report` says? On made-up studies whose truth is known.

python benchmarks/standing.py
"""

import numpy as np

from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.standing import standing

N_STUDIES = 500
STEPS = np.arange(1.0, 13.0)
STUDY = Study("made-up", make_space({"x": Float(0.0, 1.0)}), "loss")


def made_up(levels: np.ndarray, noise: float, rng: np.random.Generator) -> StudyView:
    """A run of 12 reports for each level, white noise on each report."""
    trials = {i: Trial(i, {"x": i / len(levels)}) for i in range(len(levels))}
    runs = {}
    for i, level in enumerate(levels):
        losses = level + np.exp(-STEPS / 3) + noise * rng.standard_normal(len(STEPS))
        runs[f"{i}.0"] = Run(
            f"{i}.0", i, trials[i].params, STEPS[-1], state=RunState.COMPLETED, step=STEPS[-1],
            curve=Curve(STEPS, losses),
        )  # fmt: skip
    return StudyView(STUDY, trials, runs)


def main() -> None:
    """A line per case: the mean chance that was said, and the share in which it was true."""
    print(f"{N_STUDIES} studies each\n{'runs':>5}{'noise':>7}{'spread':>8}{'said':>7}{'true':>7}")
    for n in (6, 10, 20):
        for noise, spread in ((0.02, 0.5), (0.05, 0.1), (0.1, 0.1), (0.1, 0.03)):
            rng = np.random.default_rng(5)
            said, true = [], []
            for _ in range(N_STUDIES):
                levels = spread * rng.standard_normal(n)
                found = standing(made_up(levels, noise, rng))
                assert found is not None
                said.append(found.p_best)
                true.append(found.best.trial == levels.argmin())
            print(f"{n:5}{noise:7}{spread:8}{np.mean(said):7.3f}{np.mean(true):7.3f}", flush=True)


if __name__ == "__main__":
    main()
