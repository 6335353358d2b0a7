"""Syne Tune 0.13.0, the last with MOBSTER, Hyper-Tune and DyHPO; and PASHA.

All four pause and resume. They are told the rows through `restrict_configurations`, so they choose
among real rows as Luthier does, and no suggestion has to move. Divergence: `on_trial_error`, which
keeps the point from being tried again. MOBSTER and Hyper-Tune promote; Hyper-Tune has four
brackets, as in its authors' comparison; DyHPO decides after every step, as its documentation says.
The rest are defaults.
"""

from functools import partial
from typing import Any

from curves import Curves
from pool import Searcher
from serve import serve
from syne_tune_peer import SyneTune, names

OPTIONS: dict[str, dict[str, Any]] = {
    "MOBSTER": {"type": "promotion"},
    "HyperTune": {"type": "promotion", "brackets": 4},
    "DyHPO": {"rung_increment": 1, "grace_period": 1},
    "PASHA": {},
}


def make(kind: str, curves: Curves, seed: int, workers: int, budget: int) -> Searcher:
    """A scheduler of `syne_tune.optimizer.baselines`."""
    import syne_tune.optimizer.baselines as baselines
    from syne_tune.config_space import uniform

    columns = names(curves)
    space: dict[str, Any] = {name: uniform(0.0, 1.0) for name in columns}
    rows = [dict(zip(columns, map(float, x), strict=True)) for x in curves.x]
    search_options = {"restrict_configurations": rows, "debug_log": False}
    scheduler = getattr(baselines, kind)(
        {**space, "epochs": curves.max_steps}, metric="loss", mode="min", resource_attr="epoch",
        max_resource_attr="epochs", random_seed=seed, search_options=search_options,
        **OPTIONS[kind],
    )  # fmt: skip
    return SyneTune(scheduler, scheduler.suggest, curves)


if __name__ == "__main__":
    serve({
        "mobster": partial(make, "MOBSTER"),
        "hyper-tune": partial(make, "HyperTune"),
        "dyhpo": partial(make, "DyHPO"),
        "syne-tune-pasha": partial(make, "PASHA"),
    })  # fmt: skip
