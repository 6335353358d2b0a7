"""Which policy compares many runs, and which sampler: the only rule that says so.

`--policy auto` asks it with what is known beforehand, `core/choose.py` with what was measured as
well. The borders are from docs/policies.md and benchmarks/choose.py.
"""

from dataclasses import dataclass
from typing import final

from luthier.core.budget import Budget
from luthier.core.domain import Choice
from luthier.core.space import Space

_FEW_STEPS = 4  # below, a curve has nothing to extend
_MANY_TRIALS = 2000  # beyond, a model of all curves decides more slowly than halving finds
_MANY_WORKERS = 32  # each waits for the decisions of all others
_GP_TRIALS, _GP_DIMENSIONS = 200, 20  # a suggestion takes 0.2 s there, and more beyond
# Freeze-thaw finds more in as many steps, but its decisions take time: so much per step of the
# whole search and step trained, measured by benchmarks/choose.py, up to the readings it looks at.
# It is taken where that is at most this share of the training.
DECISION_S, MOST_STEPS = 7e-5, 600
DECISION_SHARE = 0.25


@final
@dataclass(frozen=True, slots=True)
class Chosen:
    """Names of a policy and of a sampler, and why these."""

    policy: str
    sampler: str
    reason: str


@final
@dataclass(frozen=True, slots=True)
class Known:
    """What the rule goes by; None where it is not known."""

    max_steps: int | None  # of a full training
    n_trainings: float | None  # full ones, that the budget buys
    n_workers: int
    n_parameters: int
    mixed: bool = False  # choices or conditions are in the space
    pausable: bool = True
    step_s: float | None = None  # measured


def choose(space: Space, max_steps: int | None, budget: Budget, n_workers: int) -> Chosen:
    """Before anything is measured."""
    n_trainings: float | None = budget.n_trials
    if n_trainings is None and budget.n_steps is not None:
        n_trainings = round(budget.n_steps / (max_steps or 1))
    return policy_of_many(
        Known(max_steps, n_trainings, n_workers, space.dimension, mixed=is_mixed(space))
    )


def is_mixed(space: Space) -> bool:
    """Whether not all of its parameters are numbers that every point has."""
    return any(d.when or isinstance(d, Choice) for d in space.domains.values())


def policy_of_many(known: Known) -> Chosen:
    """By the length of a training and of a step, the budget, the workers and the space."""
    n = known.n_trainings
    if known.max_steps is None or known.max_steps < _FEW_STEPS:
        return _full(known)
    if not known.pausable:
        return Chosen("asha", "random", "the runs cannot pause")
    if known.step_s is not None and n is not None:  # what was measured tells more than counts
        waits_s = known.n_workers * decision_s(n, known.max_steps)  # one decides for all
        if waits_s > DECISION_SHARE * known.step_s:  # a suggestion of tpe would take as long
            return Chosen("asha", "random", "steps are short: decisions must be quick")
    elif known.n_workers > _MANY_WORKERS:
        return Chosen("asha", "tpe", f"{known.n_workers} workers: decisions must be quick")
    elif n is not None and n > _MANY_TRIALS:
        return Chosen("asha", "tpe", f"about {n:.0f} trials: decisions must be quick")
    reason = f"curves of {known.max_steps} steps can be extended"
    return Chosen("freeze-thaw", "random", reason)


def decision_s(n_trainings: float, max_steps: int) -> float:
    """Seconds that freeze-thaw takes for each step, in a search of so many trainings."""
    return DECISION_S * min(n_trainings * max_steps, MOST_STEPS)


def _full(known: Known) -> Chosen:
    n = known.n_trainings
    if known.mixed:
        return Chosen("full", "tpe", "no steps to stop at; choices or conditions in the space")
    if known.n_parameters > _GP_DIMENSIONS:
        return Chosen("full", "tpe", f"no steps to stop at; {known.n_parameters} parameters")
    if n is None or n > _GP_TRIALS:
        return Chosen("full", "tpe", "no steps to stop at; many or uncounted trials")
    return Chosen("full", "gp", f"no steps to stop at; {n:.0f} trials, numbers only")
