"""Milliseconds of CPU for one suggestion, side by side with Optuna's samplers in the same run.

Trials are runs without curves, 10 floating-point parameters, 1 in 20 diverged. Luthier's samplers
begin from the frozen view at every call; Optuna's study lies in memory and lasts.

    OMP_NUM_THREADS=1 python benchmarks/samplers.py
"""

import math
import time
import warnings
from collections.abc import Callable

import numpy as np
import optuna

from luthier.core.curve import Curve
from luthier.core.domain import Float
from luthier.core.space import make_space
from luthier.core.study import Run, RunState, Study, StudyView, Trial
from luthier.registry import make_sampler

N_DIMENSIONS = 10
N_CALLS, N_LONG_CALLS = 200, 5
N_FOR_GP = 200  # trials up to which Optuna's GP is asked
SPACE = make_space({f"x{i}": Float(0, 1) for i in range(N_DIMENSIONS)})
STUDY = Study("bench", SPACE, "loss", max_steps=1)
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore")


def losses_of(units: np.ndarray) -> np.ndarray:
    """A quadratic, NaN in every twentieth place."""
    losses = ((units - 0.3) ** 2).sum(axis=1)
    losses[::20] = math.nan
    return losses


def view_of(units: np.ndarray) -> StudyView:
    """A study in which all points are trained."""
    trials, runs = {}, {}
    for number, (unit, loss) in enumerate(zip(units, losses_of(units), strict=True)):
        point = SPACE.from_unit(unit)
        trials[number] = Trial(number, point)
        curve = Curve(np.array([1.0]), np.array([loss]))
        run = Run(f"{number}.0", number, point, 1, None, RunState.COMPLETED, 1, curve=curve)
        runs[run.id] = run
    return StudyView(STUDY, trials, runs, 1, 1)


def optuna_study(units: np.ndarray, sampler: optuna.samplers.BaseSampler) -> optuna.Study:
    """The same for Optuna; it does not take NaN for a finished trial, so the worst stands in."""
    study = optuna.create_study(sampler=sampler)
    kinds = {name: optuna.distributions.FloatDistribution(0, 1) for name in SPACE.names}
    values = np.nan_to_num(losses_of(units), nan=float(np.nanmax(losses_of(units))))
    study.add_trials(
        optuna.create_trial(
            params=dict(zip(SPACE.names, map(float, unit), strict=True)),
            distributions=kinds,
            value=float(value),
        )
        for unit, value in zip(units, values, strict=True)
    )
    return study


def cpu_ms(call: Callable[[], object], n_calls: int) -> tuple[float, float]:
    """Smallest and median of some calls, after one that is not counted.

    The smallest is what the work takes; other programs on the machine only ever add to it.
    """
    call()
    took = []
    for _ in range(n_calls):
        began_s = time.process_time()
        call()
        took.append(1000 * (time.process_time() - began_s))
    return min(took), float(np.median(took))


def ask(study: optuna.Study) -> None:
    """One suggestion; the trial stays open, as with a worker at it."""
    trial = study.ask()
    for name in SPACE.names:
        trial.suggest_float(name, 0, 1)


if __name__ == "__main__":
    print(f"{'ms of CPU per suggestion':36} {'trials':>7} {'smallest':>9} {'median':>9}")
    for n_trials in (200, 1000):
        units = np.random.default_rng(0).random((n_trials, N_DIMENSIONS))
        view = view_of(units)
        for name in ("random", "tpe", "de", "cma-es", "gp"):
            sampler = make_sampler(name)
            rng = np.random.default_rng(0)
            n_calls = N_LONG_CALLS if name in ("gp", "cma-es") else N_CALLS
            least, middle = cpu_ms(lambda: sampler.suggest(view, 1, rng), n_calls)  # noqa: B023
            print(f"luthier {name:28} {n_trials:7} {least:9.2f} {middle:9.2f}", flush=True)
        peers = {"TPESampler(multivariate=True)": optuna.samplers.TPESampler(multivariate=True)}
        if n_trials <= N_FOR_GP:
            peers["GPSampler()"] = optuna.samplers.GPSampler()
        for name, peer in peers.items():
            study = optuna_study(units, peer)
            n_calls = N_CALLS if name.startswith("TPE") else N_LONG_CALLS
            least, middle = cpu_ms(lambda: ask(study), n_calls)  # noqa: B023
            print(f"optuna  {name:28} {n_trials:7} {least:9.2f} {middle:9.2f}", flush=True)
