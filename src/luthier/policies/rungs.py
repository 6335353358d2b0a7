"""What successive-halving policies share: rungs, the standing of runs on them, and moves."""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from luthier.core.action import Continue
from luthier.core.errors import PolicyError
from luthier.core.study import Run, RunState, StudyView

_BROKEN = (RunState.FAILED, RunState.LOST)


def last_step(view: StudyView) -> int:
    """The step at which a run is complete; PolicyError when the study does not say."""
    if view.study.max_steps is None:
        raise PolicyError(
            "this policy compares runs on the way to max_steps, and the study has none; "
            "write @luthier.tune(max_steps=30, …) or choose --policy random."
        )
    return view.study.max_steps


def rung_steps(view: StudyView, first_step: int, eta: int) -> list[int]:
    """Steps at which runs are compared: first, first * eta, … and the study's last step."""
    last = last_step(view)
    steps = []
    step = min(first_step, last)
    while step < last:
        steps.append(step)
        step *= eta
    return [*steps, last]


def standing(run: Run, step: float) -> float:
    """Loss of a run at a rung, worst for what is no number and for runs that ended before it."""
    loss = run.curve.at(step)
    ended_before = run.state.ended and run.step < step
    return loss if math.isfinite(loss) and not ended_before else math.inf


def reached(run: Run, step: float) -> bool:
    """Whether the run has been at the rung, or ended where it never will be."""
    return run.step >= step or run.state in (RunState.STOPPED, *_BROKEN)


def on_rung(runs: Iterable[Run], rungs: Sequence[float], index: int) -> list[Run]:
    """Runs compared at a rung, from the best: those that came, and those that broke on the way."""
    before = rungs[index - 1] if index else 0.0
    step = rungs[index]
    return ranked(
        (r for r in runs if r.step >= step or (r.state in _BROKEN and r.step >= before)), step
    )


def ranked(runs: Iterable[Run], step: float) -> list[Run]:
    """From the lowest loss to the highest; ties go to the earlier trial."""
    return sorted(runs, key=lambda run: (standing(run, step), run.trial))


def waits(run: Run, step: float, following: float) -> bool:
    """Whether the run is paused at the rung at `step` and nobody has sent it on."""
    here = step <= run.step < following and run.to_step <= run.step
    return here and run.state is RunState.PAUSED


def first_told(run: Run) -> float:
    """The step of its first report; infinite before there is one."""
    return float(run.curve.steps[0]) if len(run.curve) else math.inf


def silent(runs: Iterable[Run]) -> list[Run]:
    """Paused runs that have reported nothing yet, as where only every third epoch is validated."""
    return [run for run in runs if run.state is RunState.PAUSED and run.to_step <= run.step
            and not len(run.curve)]  # fmt: skip


def promotions(runs: Sequence[Run], rungs: Sequence[float], eta: int) -> list[Continue]:
    """Waiting runs among the best 1/eta of their rung, from the highest rung down; first those that
    have reported nothing yet: nobody can judge them.
    """
    found = [
        Continue(run_id=run.id, to_step=following, reason="nothing-yet")
        for run in silent(runs)
        for following in [next((s for s in rungs if s > run.step), None)]
        if following is not None
    ]
    for index, (step, following) in reversed(list(enumerate(pairwise(rungs)))):
        there = on_rung(runs, rungs, index)
        found += [
            Continue(run_id=run.id, to_step=following, reason="promoted")
            for run in there[: len(there) // eta]
            if waits(run, step, following) and standing(run, run.step) < math.inf
        ]
    return found


def finale(runs: Sequence[Run], rungs: Sequence[float]) -> list[Continue]:
    """The best waiting run of the highest rung, when no run has been beyond it; those that came to
    nothing do not count."""
    runs = [run for run in runs if not len(run.curve) or math.isfinite(run.curve.last)]
    for step, following in reversed(list(pairwise(rungs))):
        if any(run.step >= following for run in runs):
            return []
        waiting = [r for r in runs if r.state is RunState.PAUSED
                   and step <= r.step < following and r.to_step <= r.step]  # fmt: skip
        if waiting:
            best = ranked(waiting, step)[0]
            return [Continue(run_id=best.id, to_step=following, reason="best-goes-on")]
    return []
