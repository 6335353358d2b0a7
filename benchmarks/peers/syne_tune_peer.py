"""Syne Tune 0.16: ASHA with points from BOHB's densities, from CQR and from BORE.

The scheduler objects are driven as Syne Tune's own `Tuner` drives them. ASHA here stops trials; it
never resumes one. Every report of a trial carries the row's own values. Divergence:
`on_trial_error`. Defaults but for the seed; rungs at 1, 3, 9, …
"""

from collections.abc import Callable, Hashable
from datetime import datetime
from functools import partial
from typing import Any

import numpy as np
from curves import Curves
from numpy.typing import NDArray
from pool import Ask, Searcher
from serve import serve


class SyneTune:
    """A scheduler of any version behind its public methods."""

    def __init__(
        self,
        scheduler: Any,  # noqa: ANN401
        suggest: Callable[[int], Any],
        curves: Curves,
    ) -> None:
        from syne_tune.backend.trial_status import Trial
        from syne_tune.optimizer.scheduler import SchedulerDecision

        self._make_trial = partial(Trial, creation_time=datetime.now())
        self._go_on = SchedulerDecision.CONTINUE
        self._scheduler = scheduler
        self._suggest = suggest
        self._last = curves.max_steps
        self._names = names(curves)
        self._trials: dict[Hashable, Any] = {}
        self._results: dict[Hashable, dict[str, Any]] = {}
        self._suggested: dict[str, Any] = {}

    def ask(self) -> Ask | None:
        """A new trial or a paused one; until the next rung if the scheduler says so."""
        suggestion = self._suggest(len(self._trials))
        if suggestion is None:
            return None
        config = suggestion.config
        if suggestion.spawn_new_trial_id:
            self._suggested = config
            place = np.array([config[name] for name in self._names])
            return Ask(len(self._trials), int(config.get("epochs", self._last)), place)
        trial = self._trials[suggestion.checkpoint_trial_id]
        trial.config = trial.config if config is None else config
        return Ask(trial.trial_id, int(trial.config.get("epochs", self._last)))

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        """The trial that the scheduler knows has the row's values."""
        config = {**self._suggested, **dict(zip(self._names, map(float, x), strict=True))}
        self._trials[trial] = self._make_trial(trial_id=trial, config=config)
        self._scheduler.on_trial_add(self._trials[trial])

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        """Whether the scheduler says to go on."""
        self._results[trial] = result = {"loss": loss, "epoch": step}
        if self._scheduler.on_trial_result(self._trials[trial], dict(result)) == self._go_on:
            return True
        self._scheduler.on_trial_remove(self._trials[trial])
        return False

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        """An error, or a script that has come to its end."""
        if diverged:
            self._scheduler.on_trial_error(self._trials[trial])
        else:
            self._scheduler.on_trial_complete(self._trials[trial], dict(self._results[trial]))


def names(curves: Curves) -> list[str]:
    """The columns of the cube as hyperparameters."""
    return [f"x{j}" for j in range(curves.x.shape[1])]


def make(kind: str, curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """A scheduler of `syne_tune.optimizer.baselines`."""
    import syne_tune.optimizer.baselines as baselines
    from syne_tune.config_space import uniform

    scheduler = getattr(baselines, kind)(
        config_space={name: uniform(0.0, 1.0) for name in names(curves)}, metric="loss",
        time_attr="epoch", max_t=curves.max_steps, random_seed=seed,
    )  # fmt: skip
    return SyneTune(scheduler, lambda _: scheduler.suggest(), curves)


if __name__ == "__main__":
    serve({
        "syne-tune-bohb": partial(make, "BOHB"),
        "syne-tune-asha-cqr": partial(make, "ASHACQR"),
        "syne-tune-asha-bore": partial(make, "ASHABORE"),
    })  # fmt: skip
