"""Curves that rise and come down again are read by their lowest loss so far."""

from collections.abc import Sequence

import numpy as np

from luthier.models.ragged import is_ragged
from luthier.models.readings import Readings

GRID = np.array([1, 2, 3, 4, 5, 7, 10])


def ragged(curves: list[list[float]], sitting: Sequence[int] = ()) -> bool:
    run = np.repeat(np.arange(len(curves)), [len(c) for c in curves])
    step = np.concatenate([np.arange(len(c)) for c in curves])
    loss = np.concatenate([np.array(c) for c in curves])
    low = np.concatenate([np.minimum.accumulate(c) for c in curves])
    low = np.where(np.isfinite(loss), low, np.inf)
    readings = Readings(GRID, run, step, loss, low)
    return is_ragged(readings, np.isin(run, sitting))


RESTARTED = [[2.0 - n / 10, 1.8 - n / 10, 1.9 - n / 10, 1.7 - n / 10] for n in range(6)]
RISEN_AT_ONCE = [[2.0 - n / 10, 2.1 - n / 10, 2.1 - n / 10, 1.7 - n / 10] for n in range(6)]
FALLING = [[2.0 - n / 10, 1.8 - n / 10, 1.7 - n / 10, 1.6 - n / 10] for n in range(6)]
TURNED_UP = [[2.0 - n / 10, 1.8 - n / 10, 1.9 - n / 10, 2.0 - n / 10] for n in range(6)]


def test_what_rises_and_comes_down_is_ragged_and_what_turns_up_for_good_is_not() -> None:
    assert ragged(RESTARTED)
    assert not ragged(FALLING)
    assert not ragged(TURNED_UP)


def test_a_few_runs_or_readings_do_not_tell() -> None:
    assert not ragged(RESTARTED[:3])
    assert not ragged([[curve[0], curve[2], curve[3]] for curve in RISEN_AT_ONCE])
    assert ragged(RISEN_AT_ONCE)


def test_runs_at_chance_and_broken_ones_are_passed_over() -> None:
    flat = [[0.5, 0.5 + 1e-6, 0.5 + 2e-6, 0.5 - 1e-6] for _ in range(6)]
    assert ragged([*FALLING, *flat])
    assert not ragged([*FALLING, *flat], sitting=range(6, 12))
    assert ragged([*RESTARTED, [1.0, np.inf, np.inf, np.inf]])
