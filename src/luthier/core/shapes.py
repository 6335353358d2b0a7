"""Shapes of learning-rate schedules: the factor on the peak rate at a fraction of the training."""

import math
from collections.abc import Callable

from luthier.core.errors import OptionError

Shape = Callable[[float], float]  # fraction of the training that is done, 0 to 1 -> factor


def shape(name: str, *, warmup: float = 0.0, cooldown: float = 0.2, final: float = 0.0) -> Shape:
    """A shape by its name: "constant", "linear", "cosine", "cooldown", "one-cycle".

    All rise linearly over the fraction `warmup`. Then "linear" and "cosine" fall to `final` at the
    end (to zero: arXiv:2502.15938); "cooldown" stays and falls as 1 - sqrt over the last fraction
    `cooldown` (arXiv:2405.18392); "one-cycle" rises from 1/25 as a cosine over max(warmup, 0.3)
    and falls to `final` (arXiv:1708.07120).
    """
    for option, value in (("warmup", warmup), ("cooldown", cooldown), ("final", final)):
        if not 0.0 <= value <= 1.0:
            raise OptionError(f"{option}={value}; expected a fraction from 0 to 1.")
    if name == "one-cycle":
        return lambda at: _one_cycle(at, max(warmup, 0.3), final)
    falls: dict[str, Shape] = {
        "constant": lambda at: 1.0,
        "linear": lambda at: 1.0 - at,
        "cosine": lambda at: 0.5 * (1.0 + math.cos(math.pi * at)),
        "cooldown": lambda at: 1.0,
    }
    if name not in falls:
        raise OptionError(f"schedule {name!r}; expected one of {[*falls, 'one-cycle']}.")
    fall = falls[name]

    def factor(at: float) -> float:
        if at < warmup:
            return at / warmup
        if name == "cooldown":
            started = 1.0 - cooldown
            if at <= started or not cooldown:
                return 1.0
            return final + (1.0 - final) * (1.0 - math.sqrt(min(1.0, (at - started) / cooldown)))
        done = (at - warmup) / (1.0 - warmup) if warmup < 1.0 else 1.0
        return final + (1.0 - final) * fall(min(done, 1.0))

    return factor


def _one_cycle(at: float, rise: float, final: float) -> float:
    if at < rise:
        return 1 / 25 + (1 - 1 / 25) * 0.5 * (1.0 - math.cos(math.pi * at / rise))
    done = min((at - rise) / (1.0 - rise), 1.0) if rise < 1.0 else 1.0
    return final + (1.0 - final) * 0.5 * (1.0 + math.cos(math.pi * done))
