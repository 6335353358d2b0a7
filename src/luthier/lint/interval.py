"""Learning rates by optimizer: the textbook's interval and today's, for training from scratch."""

from dataclasses import dataclass
from typing import Any, final


@final
@dataclass(frozen=True, slots=True)
class Interval:
    """Two ranges of an initial learning rate, and the usual value from scratch today."""

    chapter: tuple[float, float]
    modern: tuple[float, float]
    usual: float

    @property
    def low(self) -> float:
        """The lower end of both together."""
        return min(self.chapter[0], self.modern[0])

    @property
    def high(self) -> float:
        """The upper end of both together."""
        return max(self.chapter[1], self.modern[1])


# Chapter: table 14.6. Modern: arXiv:1706.02677 (SGD with momentum, at batch 256), arXiv:2201.03545
# (AdamW up to 4e-3 at batch 4096), arXiv:2302.13971 (AdamW 1.5e-4 to 3e-4), torch's defaults
# (Adadelta 1.0, Adagrad 1e-2, Adamax and NAdam 2e-3, RMSprop 1e-2).
INTERVALS = {
    "sgd": Interval((1e-2, 1e-1), (1e-2, 1.0), 0.1),
    "momentum": Interval((1e-3, 1e-2), (1e-2, 1.0), 0.1),
    "adagrad": Interval((1e-3, 1e-2), (1e-3, 1e-1), 1e-2),
    "adadelta": Interval((1e-2, 1e-1), (1e-1, 1.0), 1.0),
    "rmsprop": Interval((1e-3, 1e-2), (1e-4, 1e-2), 1e-3),
    "adam": Interval((1e-3, 1e-2), (1e-4, 4e-3), 1e-3),
    "adamw": Interval((1e-3, 1e-2), (1e-4, 4e-3), 1e-3),
    "adamax": Interval((1e-3, 1e-2), (1e-4, 1e-2), 2e-3),
    "nadam": Interval((1e-3, 1e-2), (1e-4, 1e-2), 2e-3),
    "radam": Interval((1e-3, 1e-2), (1e-4, 1e-2), 1e-3),
}


def interval_of(optimizer: str, momentum: float = 0.0) -> Interval | None:
    """The interval by the optimizer's class name, whatever its capitals; None for others."""
    name = optimizer.lower()
    return INTERVALS.get("momentum" if name == "sgd" and momentum else name)


def peak_lr(group: dict[str, Any]) -> float:
    """The rate that a group is meant to reach: a schedule may have lowered it for its start."""
    return float(group.get("max_lr", group.get("initial_lr", group["lr"])))
