"""A study whose trials the user's own loop trains."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from luthier.api.options import checked_length
from luthier.asktell import AskTell
from luthier.contracts import Policy
from luthier.core.budget import Budget
from luthier.core.errors import OptionError
from luthier.core.space import Space, make_space
from luthier.core.study import Study, metric_and_goal
from luthier.environment import environment
from luthier.registry import from_recipe, make_policy, to_recipe
from luthier.sitting import DEFAULT_STORE, begin
from luthier.stores.sqlite import SqliteStore
from luthier.stores.sqlite_file import names_in


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
    resume: bool = False,
) -> AskTell:
    """A study for a loop of your own: `task = study.ask()`, train, `study.tell(task, value)`.

    With `resume` the study `name` goes on as it was created, if there is one; of what is said here
    the number of trials counts. Tasks that were out are lost.
    """
    if resume and name is None:
        raise OptionError("resume=True without a name; say which study goes on.")
    if resume and name in names_in(Path(store)):
        return _going_on(Path(store), name, trials)
    metric, goal = metric_and_goal(minimize, maximize)
    length, made = checked_length(max_steps), make_space(space)
    path = Path(store)
    player = make_policy(policy)
    recipe = {"policy": to_recipe(player), "environment": environment()}
    budget = Budget(n_trials=trials)

    def question(name: str) -> tuple[Study, dict[str, Any]]:
        return Study(name, made, metric, goal, length, seed, budget), recipe

    return AskTell(begin(path, name, "study", question), player)


def _going_on(store: Path, name: str | None, trials: int | None) -> AskTell:
    made = SqliteStore.open(store, name, read_only=False)
    recipe = made.recipe
    if "target" in recipe:
        made.close()
        raise OptionError(f"study {name!r} is not of ask and tell; go on with luthier resume.")
    study = AskTell(made, from_recipe(recipe["policy"]))
    study.take_over()
    if trials is not None:
        made.set_budget(replace(made.study.budget, n_trials=trials))
    return study
