"""Whether a rate that was changed stays as it was put."""

import math
from typing import final

from luthier.worker.live import Effective, Live


@final
class Drift:
    """Of the newest change: the rates before it and after it."""

    def __init__(self) -> None:
        self._number = 0
        self._before: list[float] = []
        self._after: list[float] = []  # empty: nothing to look for

    def watch(self, number: int, before: Effective, after: Effective) -> None:
        """A change, by its number in the diary, and what was in force before and after it."""
        self._number, self._before, self._after = number, _rates(before), _rates(after)

    def follow(self, ratio: float) -> None:
        """The rates moved by a factor, as they should."""
        if ratio == 1.0 or not self._after:
            return
        self._before = [rate * ratio for rate in self._before]
        self._after = [rate * ratio for rate in self._after]

    def forget(self) -> None:
        """Nothing that was changed is in force any more."""
        self._after = []

    def look(self, live: Live, step: float) -> tuple[int, str] | None:
        """The change's number and what to say when a scheduler has taken it back; says it once."""
        if not self._after:
            return None
        now = _rates(live.read())
        if now == self._after or len(now) != len(self._before):
            return None
        before, after = self._before, self._after
        self.forget()
        for at, was, asked in zip(now, before, after, strict=True):
            if min(at, was, asked) > 0 and abs(math.log(at / was)) < abs(math.log(at / asked)):
                return self._number, (
                    f"a scheduler has put the rate to {at:.3g} by step {step:g}: it computes "
                    "it from a base of its own; attach the scheduler, or use run.schedule(…)"
                )
        return None


def _rates(effective: Effective) -> list[float]:
    return [float(value) for value in effective.get("lr", [])]
