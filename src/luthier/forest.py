"""Regression trees on points of the unit cube, in numpy: what importances are read from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
N_LEAST_IN_LEAF = 3
_TRIED_SHARE = 5 / 6  # of the coordinates, at each split (Hutter et al. 2014)


@final
@dataclass(frozen=True, slots=True)
class Tree:
    """Nodes by number, the root is 0; a leaf is its own child."""

    coordinate: NDArray[np.intp]  # (n_nodes,)
    threshold: Floats  # (n_nodes,), to the left at or below it
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    value: Floats  # (n_nodes,), mean of the targets
    depth: int

    def predict(self, x: Floats) -> Floats:
        """Values at points of shape (n, d)."""
        node = np.zeros(len(x), dtype=np.intp)
        rows = np.arange(len(x))
        for _ in range(self.depth):
            goes_left = x[rows, self.coordinate[node]] <= self.threshold[node]
            node = np.where(goes_left, self.left[node], self.right[node])
        return self.value[node]


def grow(x: Floats, y: Floats, rng: np.random.Generator) -> Tree:
    """A tree on points (n, d) in the unit cube and targets (n,)."""
    coordinate: list[int] = []
    threshold: list[float] = []
    left: list[int] = []
    right: list[int] = []
    value: list[float] = []
    waiting: list[tuple[NDArray[np.intp], int, int, int]] = [(np.arange(len(y)), -1, 0, 0)]
    deepest = 0
    while waiting:
        rows, parent, side, depth = waiting.pop()
        number = len(value)
        deepest = max(deepest, depth)
        if parent >= 0:
            (left if side == 0 else right)[parent] = number
        value.append(float(y[rows].mean()))
        left.append(number)
        right.append(number)
        found = _split(x[rows], y[rows], rng)
        at, cut = found or (0, 0.0)
        coordinate.append(at)
        threshold.append(cut)
        if found:
            below = x[rows, at] <= cut
            waiting.append((rows[below], number, 0, depth + 1))
            waiting.append((rows[~below], number, 1, depth + 1))
    return Tree(
        np.array(coordinate), np.array(threshold), np.array(left), np.array(right),
        np.array(value), deepest,
    )  # fmt: skip


def predict(trees: Sequence[Tree], x: Floats) -> Floats:
    """Mean of the trees at points (n, d)."""
    mean: Floats = np.mean([tree.predict(x) for tree in trees], axis=0)
    return mean


def _split(x: Floats, y: Floats, rng: np.random.Generator) -> tuple[int, float] | None:
    """The coordinate and threshold that leave the least squares; None for a leaf."""
    n, d = x.shape
    if n < 2 * N_LEAST_IN_LEAF or y.min() == y.max():
        return None
    tried = rng.permutation(d)[: max(1, int(np.ceil(_TRIED_SHARE * d)))]
    order = np.argsort(x[:, tried], axis=0, kind="stable")
    places = np.take_along_axis(x[:, tried], order, axis=0)
    sums = np.cumsum(y[order], axis=0)  # (n, n_tried)
    n_left = np.arange(1, n)[:, None]
    gain = sums[:-1] ** 2 / n_left + (sums[-1] - sums[:-1]) ** 2 / (n - n_left)
    gain[places[1:] <= places[:-1]] = -np.inf  # equal places cannot be told apart
    gain[: N_LEAST_IN_LEAF - 1] = gain[n - N_LEAST_IN_LEAF :] = -np.inf
    row, column = np.unravel_index(np.argmax(gain), gain.shape)
    if not np.isfinite(gain[row, column]):
        return None
    # anywhere between the two neighbours: many trees then give a smooth whole
    low, high = places[row, column], places[row + 1, column]
    return int(tried[column]), float(low + (high - low) * rng.random())
