"""Curves made small enough to draw: what a screen can show of them stays."""

import numpy as np
from numpy.typing import NDArray


def sample(
    x: NDArray[np.float64], y: NDArray[np.float64], n_points: int
) -> NDArray[np.intp]:  # (m,), increasing
    """Places of about `n_points` points that look like the whole; x, shape (n,), increases.

    Of every column of the picture the lowest and the highest value stay, with the first and the
    last that is no number, and the ends of the whole.
    """
    n = len(x)
    if n <= n_points:
        return np.arange(n)
    n_columns = max(1, n_points // 2)
    width = float(x[-1] - x[0]) or 1.0
    columns = np.minimum(((x - x[0]) / width * n_columns).astype(np.intp), n_columns - 1)
    finite = np.isfinite(y)
    kept = [np.array([0, n - 1])]
    places = np.flatnonzero(finite)
    if len(places):
        kept += [_extremes(places, columns, y), _extremes(places, columns, -y)]
    odd = np.flatnonzero(~finite)
    if len(odd):
        first = np.unique(columns[odd], return_index=True)[1]
        last = len(odd) - 1 - np.unique(columns[odd][::-1], return_index=True)[1]
        kept += [odd[first], odd[last]]
    found: NDArray[np.intp] = np.unique(np.concatenate(kept))
    return found


def _extremes(
    places: NDArray[np.intp], columns: NDArray[np.intp], y: NDArray[np.float64]
) -> NDArray[np.intp]:
    """The place of the lowest value of every column, the earliest of equals."""
    where, values = columns[places], y[places]
    begins = np.flatnonzero(np.r_[True, where[1:] != where[:-1]])
    lowest = np.repeat(np.minimum.reduceat(values, begins), np.diff(np.r_[begins, len(where)]))
    hits = np.flatnonzero(values == lowest)
    return places[hits[np.unique(where[hits], return_index=True)[1]]]
