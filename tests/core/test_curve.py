import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from luthier.core.budget import Budget, parse_seconds
from luthier.core.curve import Curve, Series
from luthier.core.errors import OptionError

VALUES = st.floats(allow_nan=True, allow_infinity=True)
REPORTS = st.lists(
    st.tuples(st.integers(1, 30).map(lambda n: n / 2), VALUES), min_size=1, max_size=8
)


@given(st.lists(REPORTS | st.integers(0, 15), max_size=12))
def test_a_series_is_the_newest_value_per_step(
    batches: list[list[tuple[float, float]] | int],
) -> None:
    series, model = Series(), {}
    seen: list[tuple[Curve, list[float]]] = []
    for batch in batches:
        if isinstance(batch, int):
            series.truncate(batch)
            model = {s: v for s, v in model.items() if s <= batch}
        else:
            steps, values = (np.array(column) for column in zip(*batch, strict=True))
            series.extend(steps, values)
            for step, value in batch:
                model = {s: v for s, v in model.items() if s < step} | {step: value}
        curve = series.freeze()
        assert curve.steps.tolist() == list(model)
        np.testing.assert_array_equal(curve.values, list(model.values()))
        seen.append((curve, list(model.values())))
    for curve, values in seen:
        np.testing.assert_array_equal(curve.values, values)


def test_a_frozen_curve_cannot_be_written() -> None:
    series = Series()
    series.extend(np.array([1.0]), np.array([2.0]))
    with pytest.raises(ValueError, match="read-only"):
        series.freeze().values[0] = 3.0


def test_reading_a_curve() -> None:
    curve = Curve(np.array([1.0, 2.0, 3.0]), np.array([math.nan, 0.5, math.inf]))
    assert (curve.best_loss, curve.best_step, curve.last) == (0.5, 2.0, math.inf)
    assert math.isnan(curve.at(0.5))
    assert curve.at(2.9) == 0.5
    assert len(curve.until(2)) == 2
    assert math.isnan(Curve().best_loss)
    assert math.isnan(Curve().best_step)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), (2.5, 2.5)]
)
def test_times(text: str | float, seconds: float) -> None:
    assert parse_seconds(text) == seconds


def test_bad_budgets() -> None:
    for bad in ("ten", "10x", "", "1m-"):
        with pytest.raises(OptionError, match="expected seconds"):
            parse_seconds(bad)
    with pytest.raises(OptionError, match="n_trials=0"):
        Budget(n_trials=0)
