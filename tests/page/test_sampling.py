"""Curves made small keep what a picture of them shows."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from luthier.page.plain import dumps, numbers
from luthier.page.sampling import sample


@given(
    hnp.arrays(np.float64, st.integers(1, 400), elements=st.floats(width=64)),
    st.integers(2, 60),
    st.floats(1e-3, 1e3),
)
def test_ends_extremes_and_odd_values_stay(y: np.ndarray, n_points: int, width: float) -> None:
    x = np.cumsum(np.random.default_rng(len(y)).random(len(y)) + 1e-3) * width
    places = sample(x, y, n_points)
    assert (np.diff(places) > 0).all()
    assert places[0] == 0
    assert places[-1] == len(y) - 1
    kept, finite = y[places], y[np.isfinite(y)]
    if len(finite):
        assert finite.min() in kept
        assert finite.max() in kept
    odd = np.flatnonzero(~np.isfinite(y))
    if len(odd):
        assert odd[0] in places
        assert odd[-1] in places
    assert len(places) <= max(n_points, 4 * (n_points // 2) + 2)
    assert len(dumps({"y": numbers(kept)}))


def test_short_curves_are_whole() -> None:
    x = np.arange(10.0)
    assert sample(x, x, 10).tolist() == list(range(10))
    assert sample(np.array([]), np.array([]), 10).tolist() == []


def test_a_spike_between_columns_is_seen() -> None:
    y = np.zeros(100_000)
    y[77_777] = 5.0
    assert 77_777 in sample(np.arange(1e5), y, 100)
