"""Copies of a run, beside its study, for what they tell of speed; nothing of them is kept."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import final

from luthier.contracts import Assignment
from luthier.core.choose import MEMORY_SHARE, N_CAVIAR, Facts, side_by_side, trainings
from luthier.core.event import Ended, Reported
from luthier.core.paths import StudyPaths
from luthier.core.study import Run, Study
from luthier.executors.local import LocalExecutor

_N_STEPS, _MOST_STEPS = 3, 50  # reports of a copy that are enough; more only while they are quick
_LEAST_S = 0.3  # of a copy's training, that a speed is read off
_CLEARLY_MANY = 4.0 * N_CAVIAR  # full trainings, for which nobody asks what threads are worth
_GOOD = 0.7  # of n times the speed of one run: as good as n runs side by side can be expected to be
_FIRST_NAME = 900  # of the copies' attempts, far from those of any run
_POLL_S = 0.05


@final
class Copies:
    """Copies of `run`, which does not train now; `left_s` says how long they may take."""

    def __init__(
        self,
        executor: LocalExecutor,
        study: Study,
        run: Run,
        facts: Facts,
        left_s: Callable[[], float],
    ) -> None:
        self._executor = executor
        self._study = study
        self._run = run
        self._facts = facts
        self._left_s = left_s
        self._n_begun = 0
        self._memory: tuple[float, float] | None = None  # of the newest copy, as last seen

    def measure(self, most: int) -> Facts:
        """The facts, with what there was time to find out about up to `most` runs at a time."""
        if self._worth_it():  # as the others are measured: without the way to the first step
            limit_s = self._facts.start_s + _LEAST_S + 8.0 * (self._facts.step_s or 0.0)
            if steps := self._speed(1, 1, limit_s):
                self._facts = replace(self._facts, step_s=1.0 / steps)
            if self._memory is not None:
                peak_mb = max(self._memory[0], self._facts.peak_mb or 0.0)
                own_mb = max(self._memory[1], self._facts.own_mb or 0.0)
                self._facts = replace(self._facts, peak_mb=peak_mb, own_mb=own_mb)
        facts = self._together(self._facts, most)
        n_all = trainings(facts, workers=side_by_side(facts))
        few = n_all is not None and n_all < _CLEARLY_MANY
        if few and facts.n_cores > 1 and not facts.n_gpus and self._worth_it():
            limit_s = facts.start_s + _LEAST_S + 3.0 * (facts.step_s or 0.0)
            steps = self._speed(1, facts.n_cores, limit_s)
            if steps is not None and facts.step_s:
                facts = replace(facts, thread_gain=steps * facts.step_s)
        return facts

    def _together(self, facts: Facts, most: int) -> Facts:
        n = most
        if facts.own_mb:
            n = min(n, max(1, int(MEMORY_SHARE * facts.free_mb / facts.own_mb)))
        best: tuple[float, int] | None = None
        while n > 1 and self._worth_it():
            limit_s = facts.start_s + _LEAST_S + 8.0 * n * (facts.step_s or 0.0)
            steps = self._speed(n, 1, limit_s)
            if steps is not None and facts.step_s:
                gain = steps * facts.step_s
                if best is not None and gain < best[0]:
                    break
                best = (gain, n)
                if gain > _GOOD * n:
                    break
            n //= 2
        if best is not None:
            facts = replace(facts, together_gain=best[0], n_together=best[1])
        return facts

    def _worth_it(self) -> bool:
        """Whether copies would come to a second step in the time that is left."""
        return self._left_s() > self._facts.start_s + 2.0 * (self._facts.step_s or 0.0)

    def _speed(self, n: int, n_threads: int, limit_s: float) -> float | None:
        """Steps a second that `n` copies do together; None when they were interrupted."""
        limit_s = min(self._left_s(), limit_s)
        with TemporaryDirectory(prefix="luthier-calibration-") as folder:
            paths = StudyPaths(Path(folder))
            self._executor.share_out(n, n_threads)
            first = _FIRST_NAME + self._n_begun
            copies = {f"{self._run.trial}.{first + i}": _Clock() for i in range(n)}
            self._n_begun += n
            began_s = time.perf_counter()
            for name in copies:
                copy = Run(name, self._run.trial, self._run.params, float("inf"))
                seed = self._study.trial_seed(copy.trial)
                self._executor.start([Assignment(self._study, copy, None, seed, paths.run(name))])
            running = set(copies)
            # the time may also be over at once: when the user interrupts
            while running and time.perf_counter() - began_s < limit_s and self._left_s() > 0.0:
                for event in self._executor.events(_POLL_S):
                    if isinstance(event, Ended):
                        running.discard(event.run_id)
                    elif isinstance(event, Reported):
                        copies[event.run_id].hear(event)
                self._memory = self._executor.memory_mb(name) or self._memory
                if all(clock.enough for clock in copies.values()):
                    break
            ended = not running and not all(clock.n_steps for clock in copies.values())
            seen_s = time.perf_counter() - began_s
            self._executor.kill()
            while running:
                ends = self._executor.events(_POLL_S)
                running -= {event.run_id for event in ends if isinstance(event, Ended)}
        if ended:
            return None
        return sum(clock.speed(seen_s) for clock in copies.values())


@final
class _Clock:
    """How fast one copy trains."""

    def __init__(self) -> None:
        self._rows: list[tuple[float, float]] = []  # step, train_s

    def hear(self, event: Reported) -> None:
        """Take in what the copy reported."""
        self._rows += [(float(row[0]), float(row[1])) for row in event.rows]

    @property
    def n_steps(self) -> float:
        """Steps it has come to."""
        return self._rows[-1][0] if self._rows else 0.0

    @property
    def enough(self) -> bool:
        """Whether a speed can be read off."""
        if len(self._rows) < _N_STEPS:
            return False
        return self._rows[-1][1] - self._rows[0][1] >= _LEAST_S or len(self._rows) >= _MOST_STEPS

    def speed(self, seen_s: float) -> float:
        """Steps a second; from its start on where it came to no second step."""
        if len(self._rows) >= 2:
            (first, first_s), (last, last_s) = self._rows[0], self._rows[-1]
            if last > first and last_s > first_s:
                return (last - first) / (last_s - first_s)
        return self.n_steps / seen_s
