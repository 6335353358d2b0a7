"""What `luthier what-if` says that stopping cost, beside what it did cost.

    python benchmarks/what_if.py TABLE… [--policies freeze-thaw asha …] [--budget 20] [--seeds 1]

A table knows how low the runs that were left would have come. Printed for each policy: in how many
searches one of them would have been better than the best, and with what chance that was said; by
how much on average, in units of the spread of the table's best half, said and come; in how many
searches the gain said for one case in ten was exceeded.
"""

import argparse
from pathlib import Path

import numpy as np
from chance import places

from luthier.core.study import StudyView
from luthier.simulation import policy_on, simulate
from luthier.table_folder import load_table
from luthier.tables import Table
from luthier.what_if import balance


class Seen:
    """A study as `balance` reads it."""

    def __init__(self, view: StudyView) -> None:
        self.view = lambda: view
        self.diary = lambda: view.diary


def said_and_came(
    table: Table, policy: str, budget: float, seed: int
) -> tuple[float, float, float, float] | None:
    """Chance, mean gain and gain in one case of ten as said; the gain that was missed."""
    view = simulate(table, policy_on(table, policy), budget_runs=budget, seed=seed).view
    told = balance(Seen(view))
    ends = table.best_losses()
    spread = float(np.median(ends[np.isfinite(ends)]) - ends.min())
    if told.p_better is None or told.missed is None or told.missed_90 is None or spread == 0.0:
        return None
    points = [table.find(view.runs[run.run].params) for run in told.left]
    came = [min(ends[row] for row in table.rows[point]) for point in points if point is not None]
    best = view.best()
    assert best is not None
    missed = max(0.0, best.best_loss - min(came, default=np.inf))
    return told.p_better, told.missed / spread, told.missed_90 / spread, missed / spread


def main() -> None:
    """Print a line for each policy."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="+", help="folder, or folder/task")
    parser.add_argument("--policies", nargs="+", default=["freeze-thaw", "asha", "hyperband"])
    parser.add_argument("--budget", type=float, default=20.0, help="full trainings")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    where = [place for name in options.tables for place in places(Path(name))]
    print("policy        searches   better: said   came   gain: said    came   over 90 %: came")
    for policy in options.policies:
        each = [
            said_and_came(load_table(folder, task), policy, options.budget, seed)
            for folder, task in where
            for seed in range(options.seeds)
        ]
        told = np.array([line for line in each if line is not None])
        if not len(told):
            print(f"{policy:12} {len(each):9}   nothing could be said")
            continue
        p, mean, tenth, came = told.T
        print(
            f"{policy:12} {len(told):9} {p.mean():14.2f} {(came > 0).mean():6.2f}"
            f" {mean.mean():12.4f} {came.mean():7.4f} {(came > tenth).mean():18.2f}"
        )


if __name__ == "__main__":
    main()
