"""Asynchronous successive halving in promotion mode (arXiv:1810.05934, Alg. 2).

A run trains to a rung and pauses there. Whenever a place is free, a run among the best 1/eta of its
rung is promoted: it goes on from its checkpoint. If there is none, a new point starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Continue, Start, Stop
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.drawing import draw
from luthier.policies.rungs import ranked, reached, rung_steps, standing


@final
@dataclass(frozen=True, slots=True)
class Asha:
    """Rungs at `first_step * eta**k`; of each, one run in `eta` goes on.

    When no new point may start and nothing is left to promote, the best paused run of the highest
    rung goes on, so that the winner is always trained to its last step.
    """

    sampler: Sampler
    eta: int = 3
    first_step: int = 1

    def decide(self, view: StudyView) -> Sequence[Action]:
        """Promotions first, then new points; unpausable runs are stopped where others pause."""
        rungs = rung_steps(view, self.first_step, self.eta)
        runs = list(view.current().values())
        actions: list[Action] = list(self._stops(runs, rungs))
        n_free = view.n_free
        promoted = self._promotions(runs, rungs)[:n_free]
        actions += promoted
        n_free -= len(promoted)
        points = draw(view, self.sampler, min(n_free, view.n_new))
        actions += [Start(params=p, to_step=rungs[0], reason="new-point") for p in points]
        if not actions and n_free > 0 and not any(run.active for run in runs):
            actions += self._finale(runs, rungs)
        return actions

    def _promotions(self, runs: list[Run], rungs: list[int]) -> list[Continue]:
        found = []
        for step, following in reversed(list(pairwise(rungs))):
            there = ranked((run for run in runs if reached(run, step)), step)
            for run in there[: len(there) // self.eta]:
                waits = run.state is RunState.PAUSED and step <= run.step < following
                if waits and run.to_step <= run.step and standing(run, step) < float("inf"):
                    found.append(Continue(run_id=run.id, to_step=following, reason="promoted"))
        return found

    def _finale(self, runs: list[Run], rungs: list[int]) -> list[Continue]:
        for step, following in reversed(list(pairwise(rungs))):
            waiting = [r for r in runs if r.state is RunState.PAUSED and step <= r.step < following]
            finished = [r for r in runs if r.step >= following]
            if waiting and not finished:
                best = ranked(waiting, step)[0]
                return [Continue(run_id=best.id, to_step=following, reason="best-goes-on")]
            if finished:
                return []
        return []

    def _stops(self, runs: list[Run], rungs: list[int]) -> list[Stop]:
        found = []
        for run in runs:
            if run.pausable or run.state is not RunState.RUNNING:
                continue
            passed = [step for step in rungs[:-1] if step <= run.step]
            if passed:
                there = ranked((r for r in runs if reached(r, passed[-1])), passed[-1])
                n_best = max(1, len(there) // self.eta)
                if len(there) >= self.eta and run not in there[:n_best]:
                    found.append(Stop(run_id=run.id, reason="outside-best-third"))
        return found
