"""A search on one table by any searcher: which row a suggestion gets, and what a step costs.

Peers run in environments of their own, so this needs numpy alone and never imports Luthier. The
rules, the same for all:

- A suggestion is a place in the cube in which Luthier's model sees the table. It goes to the
  nearest row not used so far; when all are used, to the nearest row. A searcher whose interface
  allows it is told that row's place instead of its own.
- A step of a row is paid once. A trial that is resumed, or asked for again with a larger budget,
  goes on from its checkpoint; what was paid before is free, also to peers that would train anew.
- A searcher sees losses cut off as far above the median first loss as the best of the table lies
  below it: raw losses of diverging rows (1e30) would ruin any model that standardises. That limit
  also stands for a divergence where the interface has no failed state. The limit is a favour: it
  knows the table.
- A result for a budget is the lowest loss up to there, as the regret counts it.
- A step without a report repeats the one before.
- Workers run in the table's seconds; the order of steps follows. Decisions cost no such time.
- A search ends when its steps are paid, when the searcher has nothing more to ask for, or when
  `IDLE` asks in a row brought no step that had to be paid; the rest counts with the last best.
"""

import heapq
import math
import time
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from curves import Curves
from numpy.typing import NDArray

IDLE = 200


@dataclass(frozen=True)
class Ask:
    """What a free worker is to do: train `trial` up to `to_step`."""

    trial: Hashable
    to_step: int
    wanted: NDArray[np.float64] | None = None  # for a trial not seen before: its place


class Searcher(Protocol):
    """A peer behind its own public interface."""

    def ask(self) -> Ask | None:
        """What to do next; None when it waits for a result, or has no more to ask."""

    def place(self, trial: Hashable, x: NDArray[np.float64]) -> None:
        """A new trial got the row at `x`."""

    def report(self, trial: Hashable, step: int, loss: float) -> bool:
        """A loss at a step; whether the trial trains on."""

    def end(self, trial: Hashable, step: int, best: float, *, diverged: bool) -> None:
        """The slice is over: `to_step` reached, the row's end, or a divergence.

        Not called after `report` said no. `best`: the lowest loss so far, the limit if diverged.
        """


@dataclass
class _Trial:
    key: Hashable
    row: int
    step: int = 0
    to_step: int = 0
    last: float = math.nan
    best: float = math.inf


@dataclass
class Search:
    """One search under way."""

    curves: Curves
    searcher: Searcher
    budget: int  # steps
    n_workers: int
    rng: np.random.Generator
    seen: list[float] = field(default_factory=list)  # losses, one per paid step
    decision_ms: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = np.ones(len(self.curves.x), dtype=bool)
        self._held = np.zeros(len(self.curves.losses), dtype=int)  # steps paid of each row
        self._trials: dict[Hashable, _Trial] = {}
        self._limit = self.curves.limit
        self._spent_s = 0.0  # CPU of the searcher since its last answer
        self._n_idle = 0

    def run(self) -> None:
        """Until the budget is spent or nothing more is asked for."""
        now_s, order = 0.0, 0
        under_way: list[tuple[float, int, _Trial]] = []
        while len(self.seen) < self.budget and self._n_idle < IDLE:
            while len(under_way) < self.n_workers and (trial := self._next()) is not None:
                order += 1
                heapq.heappush(under_way, (now_s + self._seconds(trial), order, trial))
                self._n_idle += 1
                if self._n_idle >= IDLE:
                    break
            if not under_way:
                return
            now_s, _, trial = heapq.heappop(under_way)
            if self._advance(trial):
                order += 1
                heapq.heappush(under_way, (now_s + self._seconds(trial), order, trial))

    def regret(self) -> NDArray[np.float64]:
        """Of the best loss so far after each step of the budget."""
        best = np.full(self.budget, np.inf)
        paid = np.array(self.seen[: self.budget], dtype=float)
        best[: len(paid)] = np.where(np.isfinite(paid), paid, np.inf)
        best = np.minimum.accumulate(best)
        return self.curves.regret(np.where(np.isinf(best), np.nan, best))

    def _next(self) -> _Trial | None:
        began_s = time.process_time()
        ask = self.searcher.ask()
        self._spent_s += time.process_time() - began_s
        if ask is None:
            return None
        trial = self._trials.get(ask.trial)
        if trial is None:
            if ask.wanted is None:
                raise ValueError(f"trial {ask.trial!r} is new and has no place")
            point = self._nearest(ask.wanted)
            rows = self.curves.row_of[self.curves.first[point] : self.curves.first[point + 1]]
            trial = self._trials[ask.trial] = _Trial(ask.trial, int(self.rng.choice(rows)))
            self._call(self.searcher.place, ask.trial, self.curves.x[point])
        trial.to_step = ask.to_step
        self.decision_ms.append(1e3 * self._spent_s)
        self._spent_s = 0.0
        return trial

    def _nearest(self, wanted: NDArray[np.float64]) -> int:
        places = np.flatnonzero(self._free) if self._free.any() else np.arange(len(self._free))
        distance = ((self.curves.x[places] - wanted) ** 2).sum(axis=1)
        point = int(places[np.argmin(distance)])
        self._free[point] = False
        return point

    def _seconds(self, trial: _Trial) -> float:
        """Of the next step; none if it is paid, or if there is nothing left to train."""
        end = min(trial.to_step, int(self.curves.n_steps[trial.row]))
        if trial.step >= end or trial.step < self._held[trial.row]:
            return 0.0
        return float(self.curves.step_s[trial.row, trial.step])

    def _advance(self, trial: _Trial) -> bool:
        """One step; whether another follows."""
        row, end = trial.row, int(self.curves.n_steps[trial.row])
        diverged = bool(self.curves.diverged[row])
        if trial.step < min(trial.to_step, end):
            loss = float(self.curves.losses[row, trial.step])
            trial.step += 1
            if trial.step > self._held[row]:
                self._held[row] = trial.step
                self.seen.append(loss)
                self._n_idle = 0
            if not (diverged and trial.step == end):
                trial.last = min(loss, self._limit) if math.isfinite(loss) else trial.last
                trial.best = min(trial.best, loss, self._limit) if loss == loss else trial.best
                told = trial.last if math.isfinite(trial.last) else self._limit
                if not self._call(self.searcher.report, trial.key, trial.step, told):
                    return False
        if trial.step < min(trial.to_step, end):
            return True
        broken = diverged and trial.step == end
        best = self._limit if broken or not math.isfinite(trial.best) else trial.best
        self._call(self.searcher.end, trial.key, trial.step, best, diverged=broken)
        return False

    def _call(self, method: Any, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        began_s = time.process_time()
        answer = method(*args, **named)
        self._spent_s += time.process_time() - began_s
        return answer
