"""What a run does by itself on the way, written as parameters beside those of the space.

`"lr/course": ((10, 0.5), (12, 1.0), (100, 0.0))` puts a factor on the live parameter `lr`, linear
between its points (step, factor) and constant outside of them. `"batches/skip": ((11, 13),)` leaves
out the batches between these steps, in loops that use `run.batches()`. `"weights/average": 1.0`
keeps a running mean of the weights over so many steps, for `run.averaged()`; and
`"checkpoints/every": 1.0` saves so often at least. 0 turns these two off. As they are parameters, a
restart, a rollback, a fork and a replay know them.
"""

import math
from collections.abc import Mapping
from itertools import pairwise

from luthier.core.domain import Domain, Float, Value
from luthier.core.errors import PointError

SUFFIX = "/course"
SKIP = "batches/skip"
AVERAGE = "weights/average"  # a window in steps
SAVE = "checkpoints/every"  # steps
# a factor of 0 could not be scaled back, and takes the ratios between parameter groups with it
LEAST = 1e-6
NEAR = 1e-9  # steps: what fractions of a step lose in rounding
_RATES = ("lr", "learning_rate")

Points = tuple[tuple[float, float], ...]


def live_rate(domains: Mapping[str, Domain]) -> str | None:
    """The name of the learning rate, where it may change while a run trains."""
    for name in _RATES:
        domain = domains.get(name)
        if isinstance(domain, Float) and domain.live and domain.low > 0:
            return name
    return None


def is_extra(name: str) -> bool:
    """Whether the name is a course or the like, which stands in no space."""
    return name in (SKIP, AVERAGE, SAVE) or name.endswith(SUFFIX)


def nothing(name: str) -> Value:
    """The value under which it does nothing."""
    if name in (AVERAGE, SAVE):
        return 0.0
    return ((0.0, 0.0),) if name == SKIP else ((0.0, 1.0),)


def without_extras(params: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters of the space alone."""
    return {name: value for name, value in params.items() if not is_extra(name)}


def extras(params: Mapping[str, Value]) -> dict[str, Value]:
    """Courses and the like alone."""
    return {name: value for name, value in params.items() if is_extra(name)}


def check_extra(name: str, points: Value) -> None:
    """PointError unless these are pairs of numbers, in the order of the steps; or a number."""
    if name in (AVERAGE, SAVE):
        number = isinstance(points, int | float) and not isinstance(points, bool)
        if not number or not 0.0 <= points < math.inf:
            raise PointError(f"{name}={points!r}; expected a number of steps, or 0.")
        return
    try:
        pairs = [(a, b) for a, b in points]
        if not all(isinstance(x, int | float) for pair in pairs for x in pair):
            raise TypeError("not all are numbers")
        pairs = [(float(a), float(b)) for a, b in pairs]
    except (TypeError, ValueError, OverflowError) as error:
        raise PointError(f"{name}={points!r}: {error}; expected pairs of numbers.") from error
    if not pairs or not all(math.isfinite(a) and math.isfinite(b) and b >= 0 for a, b in pairs):
        raise PointError(f"{name}={points!r}; expected one pair of finite numbers or more.")
    if any(late[0] < early[0] for early, late in pairwise(pairs)):
        raise PointError(f"{name}={points!r}; expected pairs in the order of their steps.")


def factor_at(points: Points, step: float) -> float:
    """The factor for training from `step` on."""
    if step <= points[0][0]:
        return max(LEAST, points[0][1])
    for (a, low), (b, high) in pairwise(points):
        if step < b:
            return max(LEAST, low + (high - low) * (step - a) / (b - a))
    return max(LEAST, points[-1][1])


def is_skipped(windows: Points, begin: float, end: float) -> bool:
    """Whether a batch between these steps lies in one of the windows."""
    return any(first - NEAR <= begin and end <= last + NEAR for first, last in windows)
