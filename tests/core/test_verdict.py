"""Forecasts hold what they promise, and verdicts tell a change from noise."""

import math

import numpy as np
import pytest

from luthier.core.curve import Curve
from luthier.core.forecast import forecast
from luthier.core.verdict import verdict

STEPS = np.arange(1.0, 31)


def noisy(values: np.ndarray, sd: float, seed: int) -> np.ndarray:
    return values + np.random.default_rng(seed).normal(0, sd, len(values))


def curve(kind: str) -> np.ndarray:
    shapes = {
        "power": 0.3 + 1.5 * STEPS**-0.5,
        "exponential": 0.2 + 2.0 * np.exp(-STEPS / 6),
        "flat": np.full(30, 0.7),
        "fast": 0.1 + 2.0 / STEPS,
    }
    return shapes[kind]


@pytest.mark.parametrize("kind", ["power", "exponential", "flat", "fast"])
@pytest.mark.parametrize("sd", [0.005, 0.03])
def test_what_comes_lies_in_the_band(kind: str, sd: float) -> None:
    inside = total = 0
    for seed in range(40):
        values = noisy(curve(kind), sd, seed)
        found = forecast(Curve(STEPS[:20], values[:20]), STEPS[20:25])
        assert found is not None
        band = 2 * np.hypot(found.trend_sd, found.noise_sd)
        inside += int((np.abs(values[20:25] - found.mean) <= band).sum())
        total += 5
    assert inside / total >= 0.85


def test_too_little_to_go_by() -> None:
    assert forecast(Curve(STEPS[:3], STEPS[:3]), STEPS[3:5]) is None
    assert forecast(Curve(STEPS[:5], np.full(5, math.nan)), STEPS[5:6]) is None


def outcomes(jump: float, sd: float) -> list[str]:
    found = []
    for seed in range(40):
        values = noisy(curve("power"), sd, seed)
        values[20:] += jump
        found.append(verdict(Curve(STEPS, values), 20).outcome)
    return found


def test_a_change_that_did_nothing_is_not_praised() -> None:
    assert outcomes(0.0, 0.02).count("could not tell") >= 34


def test_a_change_that_helped_and_one_that_hurt() -> None:
    assert outcomes(-0.15, 0.02).count("helped") >= 36
    assert outcomes(+0.15, 0.02).count("hurt") >= 36


def test_early_nan_and_the_next_change() -> None:
    values = curve("power")
    assert verdict(Curve(STEPS[:22], values[:22]), 20).outcome == "too early"
    broken = values.copy()
    broken[21] = math.nan
    assert verdict(Curve(STEPS, broken), 20).outcome == "hurt"
    later = values.copy()
    later[25:] += 9
    assert verdict(Curve(STEPS, later), 20, next_step=25).outcome != "hurt"
