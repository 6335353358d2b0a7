"""What came of a change: the reports after it against the forecast from before it."""

import math
from dataclasses import dataclass
from typing import Literal, final

import numpy as np

from luthier.core.curve import Curve
from luthier.core.forecast import forecast

Outcome = Literal["helped", "hurt", "could not tell", "too early"]
MIN_REPORTS = 3  # after the change, before anything is said
WINDOW_SHARE = 0.3  # of the steps before the change: what is further off has other causes
SURE = 2.0  # standard errors


@final
@dataclass(frozen=True, slots=True)
class Verdict:
    """`observed` and `expected` are means of the metric over the `n` reports up to `until`."""

    outcome: Outcome
    observed: float = math.nan
    expected: float = math.nan
    error: float = math.nan  # standard error of the difference
    n: int = 0
    until: float = math.nan  # step


def verdict(losses: Curve, step: float, next_step: float = math.inf) -> Verdict:
    """The verdict on a change at `step` of a run with these losses (lower is better).

    Reports after `next_step`, the next change, are not looked at. A report that is no number, when
    those before were, counts as hurt.
    """
    before = losses.until(step)
    window = max(WINDOW_SHARE * step, 0.0)
    inside = (losses.steps > step) & (losses.steps <= next_step)
    within = inside & (losses.steps <= step + window)
    if within.sum() < MIN_REPORTS:  # a change early in the run: the first reports after it
        within = inside & (np.cumsum(inside) <= MIN_REPORTS)
    values, steps = losses.values[within], losses.steps[within]
    if len(values) and not np.isfinite(values).all() and np.isfinite(before.last):
        return Verdict("hurt", math.nan, before.last, math.nan, len(values), float(steps[-1]))
    if len(values) < MIN_REPORTS:
        return Verdict("too early", n=len(values))
    found = forecast(before, steps)
    if found is None:
        return Verdict(
            "could not tell", float(values.mean()), n=len(values), until=float(steps[-1])
        )
    expected, observed = float(found.mean.mean()), float(values.mean())
    error = math.hypot(float(found.trend_sd.mean()), found.noise_sd / math.sqrt(len(values)))
    outcome: Outcome = "could not tell"
    if abs(observed - expected) > SURE * error:
        outcome = "helped" if observed < expected else "hurt"
    return Verdict(outcome, observed, expected, error, len(values), float(steps[-1]))
