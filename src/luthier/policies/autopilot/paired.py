"""A paired comparison of two runs that saw the same batches; pure numerics."""

import math
from dataclasses import dataclass
from typing import final

import numpy as np

from luthier.core.curve import Curve


@final
@dataclass(frozen=True, slots=True)
class Paired:
    """Control minus arm over the reports after a step: positive where the arm has less loss."""

    gain: float  # mean difference
    relative: float  # of the control's mean, in absolute value
    p: float  # that no true difference gives a gain so large; one-sided
    n: int  # reports compared


def compare(control: Curve, arm: Curve, after: float) -> Paired:
    """The last half of the reports after `after` that both have.

    Neighbouring reports of one curve hang together, so the standard error is not taken below that
    of half as many.
    """
    steps = sorted(set(control.steps[control.steps > after]) & set(arm.steps))
    steps = steps[len(steps) // 2 :] if len(steps) > 5 else steps
    pairs = [(control.at(step), arm.at(step)) for step in steps]
    fine = [a - b for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    if any(math.isfinite(a) and not math.isfinite(b) for a, b in pairs) or len(fine) < 2:
        return Paired(-math.inf, -math.inf, 1.0, len(fine))
    values, n = np.array(fine), len(fine)
    error = float(values.std(ddof=1)) * math.sqrt(2.0 / n)
    gain = float(values.mean())
    level = abs(float(np.mean([a for a, _ in pairs])))
    t = gain / error if error > 0 else math.copysign(math.inf, gain) if gain else 0.0
    return Paired(gain, gain / level if level else 0.0, student(t, n - 1), n)


def student(t: float, freedom: int) -> float:
    """Chance of more than `t` under Student's distribution with so many degrees of freedom."""
    if not math.isfinite(t):
        return 0.0 if t > 0 else 1.0
    # x = sqrt(freedom) tan(angle) makes the density a power of the cosine on a finite interval
    angles = np.linspace(math.atan(t / math.sqrt(freedom)), math.pi / 2, 2001)
    part = np.trapezoid(np.cos(angles) ** (freedom - 1), angles)
    whole = math.sqrt(math.pi) * math.exp(math.lgamma(freedom / 2) - math.lgamma((freedom + 1) / 2))
    return float(min(1.0, max(0.0, part / whole)))
