"""The lowest anytime regret that any search could have on a table, whatever it knew beforehand.

    python benchmarks/floor.py TABLE… [--budgets 5 20] [--workers 1 8]

With w workers that are equally fast no run has more than k / w steps when k have been trained. So
at best what is seen then is the lowest loss of any row up to that step ("any row"); one who knew
the best row, and trained it alone from the first step on, would have the second figure.
"""

import argparse
from pathlib import Path

import numpy as np
from chance import places

from luthier.table_folder import load_table
from luthier.tables import Table


def floors(table: Table, budget: float, n_workers: int) -> tuple[float, float]:
    """Anytime regret of the lowest of all rows at each depth, and of the best single row."""
    losses = np.where(np.isfinite(table.losses), table.losses, np.inf)
    lowest = np.minimum.accumulate(losses, axis=1)
    n_steps = max(1, round(budget * table.max_steps))
    depth = np.minimum(np.arange(n_steps) // n_workers, table.max_steps - 1)
    regrets = [float(table.regret(row[depth]).mean()) for row in lowest]
    return float(table.regret(lowest.min(axis=0)[depth]).mean()), min(regrets)


def main() -> None:
    """Print a line for each budget and number of workers."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tables", nargs="+", help="folder, or folder/task")
    parser.add_argument("--budgets", type=float, nargs="+", default=[5, 20], help="full trainings")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    where = [place for name in options.tables for place in places(Path(name))]
    tables = [load_table(folder, task) for folder, task in where]
    print(f"{len(tables)} tasks; mean anytime regret")
    for budget in options.budgets:
        for n_workers in options.workers:
            found = np.mean([floors(table, budget, n_workers) for table in tables], axis=0)
            print(f"budget {budget:3g}, workers {n_workers}: any row {found[0]:.3f}, "
                  f"the best row {found[1]:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
