"""A study whose trials the user's own loop trains."""

from collections.abc import Mapping
from pathlib import Path

from luthier.api.options import checked_length
from luthier.asktell import AskTell
from luthier.contracts import Policy
from luthier.core.budget import Budget
from luthier.core.space import Space, make_space
from luthier.core.study import Study, metric_and_goal
from luthier.environment import environment
from luthier.registry import make_policy, to_recipe
from luthier.sitting import DEFAULT_STORE, free_name
from luthier.stores.sqlite import SqliteStore


def create(
    *,
    space: Space | Mapping[str, object],
    minimize: str | None = None,
    maximize: str | None = None,
    max_steps: int | None = None,
    trials: int | None = None,
    policy: str | Policy = "random",
    store: str | Path = DEFAULT_STORE,
    name: str | None = None,
    seed: int = 0,
) -> AskTell:
    """A study for a loop of your own: `task = study.ask()`, train, `study.tell(task, value)`."""
    metric, goal = metric_and_goal(minimize, maximize)
    length, made = checked_length(max_steps), make_space(space)
    path = Path(store)
    study = Study(free_name(path, name, "study"), made, metric, goal, length, seed,
                  Budget(n_trials=trials))  # fmt: skip
    player = make_policy(policy)
    recipe = {"policy": to_recipe(player), "environment": environment()}
    return AskTell(SqliteStore.create(path, study, recipe), player)
