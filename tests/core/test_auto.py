"""What `--policy auto` stands for."""

import pytest

from luthier.core.auto import choose
from luthier.core.budget import Budget
from luthier.core.domain import Choice, Float
from luthier.core.space import make_space

NUMBERS = make_space({"lr": Float(1e-5, 1e-1, log=True), "wd": Float(0, 1)})
MIXED = make_space({"lr": Float(1e-5, 1e-1, log=True), "opt": Choice("sgd", "adam")})
WIDE = make_space({f"x{k}": Float(0, 1) for k in range(30)})


@pytest.mark.parametrize(
    ("space", "max_steps", "budget", "n_workers", "policy", "sampler"),
    [
        (NUMBERS, 30, Budget(time_s=600), 4, "freeze-thaw", "random"),
        (MIXED, 30, Budget(n_trials=50), 8, "freeze-thaw", "random"),
        (NUMBERS, 30, Budget(n_steps=30 * 5000), 8, "asha", "tpe"),
        (NUMBERS, 30, Budget(time_s=600), 64, "asha", "tpe"),
        (NUMBERS, None, Budget(n_trials=50), 4, "full", "gp"),
        (NUMBERS, 2, Budget(n_steps=100), 4, "full", "gp"),
        (NUMBERS, None, Budget(time_s=600), 4, "full", "tpe"),
        (NUMBERS, None, Budget(n_trials=1000), 4, "full", "tpe"),
        (MIXED, None, Budget(n_trials=50), 4, "full", "tpe"),
        (WIDE, None, Budget(n_trials=50), 4, "full", "tpe"),
    ],
)
def test_the_choice(
    space: object, max_steps: int | None, budget: Budget, n_workers: int, policy: str, sampler: str
) -> None:
    chosen = choose(space, max_steps, budget, n_workers)  # type: ignore[arg-type]
    assert (chosen.policy, chosen.sampler) == (policy, sampler)
    assert chosen.reason
