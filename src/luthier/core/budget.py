"""What a study may spend: seconds of tuning, trials, training steps; per study, not per worker."""

import math
import re
from dataclasses import dataclass
from typing import final

from luthier.core.errors import OptionError

_UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@final
@dataclass(frozen=True, slots=True)
class Budget:
    """Limits; None means no limit. The study ends when the first is reached."""

    time_s: float | None = None
    n_trials: int | None = None
    n_steps: float | None = None  # training steps, all runs together

    def __post_init__(self) -> None:
        for name in ("time_s", "n_trials", "n_steps"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and value > 0 and math.isfinite(value)):
                raise OptionError(f"{name}={value!r}; expected a positive number, or nothing.")
        if self.n_trials is not None and self.n_trials != int(self.n_trials):
            raise OptionError(f"n_trials={self.n_trials!r}; expected a whole number.")


def parse_seconds(text: str | float) -> float:
    """Seconds from "90", "90s", "10m", "1.5h", "1h30m", "2d"."""
    if isinstance(text, int | float):
        return float(text)
    compact = text.strip().lower()
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhd])", compact)
    if "".join(number + unit for number, unit in parts) == compact and parts:
        return sum(float(number) * _UNITS_S[unit] for number, unit in parts)
    try:
        return float(compact)
    except ValueError:
        raise OptionError(
            f"time {text!r}; expected seconds, or such as 90s, 10m, 1h30m, 2d."
        ) from None
