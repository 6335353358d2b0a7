"""Runs that are left behind: why, and with what chance of having been the best."""

from collections.abc import Iterable, Sequence

from luthier.core.action import Action, Continue, Pause, Stop
from luthier.core.study import Run, RunState, StudyView
from luthier.policies.chance import chance_of_best, chances_at
from luthier.policies.rungs import first_told, on_rung

OUTSIDE = "outside-best"
LESS = "less-promising"  # than others, by a model
_TOLD = (OUTSIDE, LESS)


def pauses(view: StudyView, left: Iterable[Run], reason: str = OUTSIDE) -> list[Pause]:
    """Says once of each run in `left` that has paused where it was sent that it stays there."""
    told = [
        run
        for run in left
        if run.state is RunState.PAUSED and run.to_step <= run.step and run.reason not in _TOLD
    ]
    chances = {step: chances_at(view, step) for step in {run.step for run in told}}
    return [Pause(run_id=r.id, reason=reason, p_best=chances[r.step][r.id]) for r in told]


def stops(
    view: StudyView,
    runs: Sequence[Run],
    rungs: Sequence[float],
    eta: int,
    *,
    unpausable: bool = False,
) -> list[Stop]:
    """Training runs outside the best 1/eta of the rung passed last; or only `unpausable` ones."""
    found = []
    for run in runs:
        passed = [i for i, step in enumerate(rungs[:-1]) if step <= run.step]
        if run.state is not RunState.RUNNING or not passed or (unpausable and run.pausable):
            continue
        if first_told(run) > rungs[passed[-1]]:
            continue  # a rung at which it had reported nothing says nothing of it
        there = on_rung(runs, rungs, passed[-1])
        best = {r.id for r in there[: max(1, len(there) // eta)]}
        if len(there) >= eta and run.id not in best:
            p_best = chance_of_best(view, run, rungs[passed[-1]])
            found.append(Stop(run_id=run.id, reason=OUTSIDE, p_best=p_best))
    return found


def left_behind(runs: Sequence[Run], actions: Iterable[Action]) -> list[Run]:
    """All runs but those that go on."""
    going = {action.run_id for action in actions if isinstance(action, Continue)}
    return [run for run in runs if run.id not in going]
