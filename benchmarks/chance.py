"""Chances that were recorded for runs left behind, beside what came of them.

    python benchmarks/chance.py TABLE… [--policies freeze-thaw asha …] [--budget 20] [--seeds 1]

Every pause and every stop of a search says how likely the run would have become the best, had it
been trained to its end. A table knows: it would have when the lowest loss of its row lies below the
lowest that any other run of the search came to. Printed for each policy: how many were left, what
was said and what came on average, and the same in classes of what was said.
"""

import argparse
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np

from luthier.core.action import Pause, Stop
from luthier.simulation import policy_on, simulate
from luthier.table_folder import load_table, tables_of
from luthier.tables import Table

EDGES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)


def said_and_came(
    table: Table, policy: str, budget: float, seed: int
) -> Iterator[tuple[float, bool]]:
    """Of every pause and stop with a chance: the chance, and whether the run was to be the best."""
    view = simulate(table, policy_on(table, policy), budget_runs=budget, seed=seed).view
    ends = table.best_losses()
    lowest = {run.id: run.curve.best_loss for run in view.runs.values()}
    for entry in view.diary:
        action = entry.action
        if isinstance(action, Pause | Stop) and action.p_best is not None:
            point = table.find(view.runs[entry.run_id].params)
            others = [loss for i, loss in lowest.items() if i != entry.run_id]
            end = min(ends[row] for row in table.rows[point]) if point is not None else np.inf
            yield action.p_best, bool(end < np.nanmin(others, initial=np.inf))


def places(path: Path) -> list[tuple[Path, str]]:
    """A folder's tasks, or the one that is named."""
    if (path / "meta.json").exists():
        return [(path, task) for task in tables_of(path)]
    return [(path.parent, path.name)]


def main() -> None:
    """Print a block of lines for each policy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="+", help="folder, or folder/task")
    parser.add_argument("--policies", nargs="+", default=["freeze-thaw", "asha"])
    parser.add_argument("--budget", type=float, default=20.0, help="full trainings")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="take every n-th task only")
    options = parser.parse_args()
    where = [place for name in options.tables for place in places(Path(name))]
    for policy in options.policies:
        found = np.array([
            pair
            for folder, task in where[:: options.every]
            for seed in range(options.seeds)
            for pair in said_and_came(load_table(folder, task), policy, options.budget, seed)
        ])  # fmt: skip
        if not len(found):
            print(f"{policy}: left nothing")
            continue
        said, came = found[:, 0], found[:, 1]
        p = np.clip(said, 1e-4, 1 - 1e-4)
        loss = -np.mean(came * np.log(p) + (1 - came) * np.log(1 - p))
        print(f"{policy}: {len(said)} left, said {said.mean():.2%}, came {came.mean():.2%}, "
              f"log loss {loss:.3f}")  # fmt: skip
        for low, high in pairwise(EDGES):
            here = (said >= low) & ((said < high) | (high == 1.0))
            if here.any():
                print(f"  said {low:.0%} to {high:.0%}: {here.sum():5} left, on average "
                      f"{said[here].mean():.1%}, came {came[here].mean():.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
