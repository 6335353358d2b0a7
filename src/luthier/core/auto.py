"""What `--policy auto` stands for. The only place that says so; measured in docs/policies.md."""

from dataclasses import dataclass
from typing import final

from luthier.core.budget import Budget
from luthier.core.domain import Choice
from luthier.core.space import Space

_FEW_STEPS = 4  # below, a curve has nothing to extend
_MANY_TRIALS = 2000  # beyond, a model of all curves decides more slowly than halving finds
_MANY_WORKERS = 32  # each waits for the decisions of all others
_GP_TRIALS, _GP_DIMENSIONS = 200, 20  # a suggestion takes 0.2 s there, and more beyond


@final
@dataclass(frozen=True, slots=True)
class Chosen:
    """Names of a policy and of a sampler, and why these."""

    policy: str
    sampler: str
    reason: str


def choose(space: Space, max_steps: int | None, budget: Budget, n_workers: int) -> Chosen:
    """By the length of a training, the budget, the workers and the space."""
    n_trials = budget.n_trials
    if n_trials is None and budget.n_steps is not None:
        n_trials = round(budget.n_steps / (max_steps or 1))
    if max_steps is None or max_steps < _FEW_STEPS:
        return _full(space, n_trials)
    if n_workers > _MANY_WORKERS:
        return Chosen("asha", "tpe", f"{n_workers} workers: decisions must be quick")
    if n_trials is not None and n_trials > _MANY_TRIALS:
        return Chosen("asha", "tpe", f"about {n_trials} trials: decisions must be quick")
    return Chosen("freeze-thaw", "random", f"curves of {max_steps} steps can be extended")


def _full(space: Space, n_trials: int | None) -> Chosen:
    mixed = any(d.when or isinstance(d, Choice) for d in space.domains.values())
    if mixed:
        return Chosen("full", "tpe", "no steps to stop at; choices or conditions in the space")
    if space.dimension > _GP_DIMENSIONS:
        return Chosen("full", "tpe", f"no steps to stop at; {space.dimension} parameters")
    if n_trials is None or n_trials > _GP_TRIALS:
        return Chosen("full", "tpe", "no steps to stop at; many or uncounted trials")
    return Chosen("full", "gp", f"no steps to stop at; {n_trials} trials, numbers only")
