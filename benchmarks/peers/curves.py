"""A table as arrays, as `search_jobs.export` writes it: needs numpy alone, of any version."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Curves:
    """A table as arrays: `m` points with their rows, `n` curves of up to `T` steps."""

    x: NDArray[np.float64]  # (m, columns) in [0, 1]
    first: NDArray[np.int64]  # (m + 1,): rows of point i are row_of[first[i]:first[i + 1]]
    row_of: NDArray[np.int64]  # (n,)
    losses: NDArray[np.float64]  # (n, T), NaN where there is no report
    n_steps: NDArray[np.int64]  # (n,)
    diverged: NDArray[np.bool_]  # (n,)
    step_s: NDArray[np.float64]  # (n, T)
    prior: NDArray[np.float64]  # (columns,) what names let expect, NaN where nothing
    low: float  # best loss of the table: regret 0
    middle: float  # median of the rows' best losses: regret 1

    @property
    def max_steps(self) -> int:
        """Steps of a full training."""
        return int(self.losses.shape[1])

    @property
    def limit(self) -> float:
        """The highest loss that a searcher is told."""
        start = np.median(self.losses[:, 0][np.isfinite(self.losses[:, 0])])
        return float(start + max(start - self.low, self.middle - self.low))

    def regret(self, loss: NDArray[np.float64]) -> NDArray[np.float64]:
        """As `luthier.tables.Table.regret`."""
        scaled = (loss - self.low) / max(self.middle - self.low, 1e-300)
        return np.clip(np.where(np.isnan(scaled), 1.0, scaled), 0.0, 1.0)


def load(path: Path) -> Curves:
    """Read what `search_jobs.export` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    return Curves(**{k: float(v) if v.ndim == 0 else v for k, v in arrays.items()})
