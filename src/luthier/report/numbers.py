"""Numbers, times and values in few characters."""

import math

from luthier.core.domain import Value
from luthier.svg.axis import shown


def value_words(value: Value) -> str:
    """A parameter's value, as short as it stays the same to the eye."""
    if isinstance(value, float):
        return shown(value) if math.isfinite(value) else str(value)
    return repr(value) if isinstance(value, tuple) else str(value)


def seconds_words(seconds: float) -> str:
    """A duration: 43 s, 12 min, 3 h 20 min."""
    if not math.isfinite(seconds):
        return str(seconds)
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours < 48 else f"{hours / 24:.1f} d"


def percent(share: float | None) -> str:
    """A chance or a share; "-" where there is none; never 0 % or 100 % unless it is."""
    if share is None or not math.isfinite(share):
        return "-"
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share > 0.995:
        return "> 99 %"
    return "< 1 %" if share < 0.005 else f"{100 * share:.0f} %"
