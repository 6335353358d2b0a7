"""One run, raised without a person: the rate found, annealed, watched, and mended.

Lint (before the study) → probes → peak → decay to zero → watch. Whatever it does is an ordinary
action with its reason in the diary, and follows from the diary and the curves alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.contracts import Sampler
from luthier.core.action import Action, Continue, Pause, Start, Stop
from luthier.core.errors import PolicyError
from luthier.core.person import waits_for_a_person
from luthier.core.study import Run, StudyView
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.calibrate import allowed_steps, calibrate, probe_steps
from luthier.policies.autopilot.course import averaging, cool_down, main_course, saving
from luthier.policies.autopilot.guard import guard
from luthier.policies.autopilot.intervene import intervene
from luthier.policies.autopilot.lengthen import lengthen
from luthier.policies.autopilot.logbook import (
    DONE,
    MAIN,
    PROBE,
    SLOWER,
    Logbook,
    ask,
    end_of,
    is_asked,
    n_refused,
    newest,
    planned_steps,
    rate_of,
    read,
    waits,
)
from luthier.policies.drawing import draw


@final
@dataclass(frozen=True, slots=True)
class Autopilot:
    """Raises one run from the defaults of the space, else from the sampler's first point.

    Needs a live learning rate (`lr` or `learning_rate`) and attached model and optimizer. Probes
    and rehearsals cost at most 15 % of the planned steps, on top of them. Without `tests` only the
    guard changes anything in the middle. See docs/autopilot.md.
    """

    sampler: Sampler
    tests: bool = True

    def decide(self, view: StudyView) -> Sequence[Action]:
        """The next move; none for a run that a person holds."""
        rate = rate_of(view)
        if not view.runs:
            return self._begin(view, rate)
        for run in view.runs.values():
            if not run.pausable:
                raise PolicyError(
                    f"the autopilot pauses and forks runs, and run {run.id} cannot be saved; write "
                    "run.attach(model=model, optimizer=optimizer) before the loop."
                )
        if any(run.held and not run.state.ended for run in view.runs.values()):
            return []
        log = read(view)
        if log.main is None:
            return calibrate(log)
        return _tidy(log, log.main) or _raise(log, log.main, self.tests)

    def _begin(self, view: StudyView, rate: str) -> list[Action]:
        n_new, default = min(view.n_free, view.n_new, 1), view.study.space.default()
        feasible = view.study.space.feasible(default)
        points = [default] * n_new if feasible else draw(view, self.sampler, n_new)
        planned = planned_steps(view)
        n_first = probe_steps(planned)
        if allowed_steps(planned) >= n_first:
            return [
                Start(params=p, to_step=n_first, reason=f"{PROBE}: {rate}={p[rate]:.3g} as given")
                for p in points
            ]
        log = read(view)
        return [
            Start(
                params=p,
                to_step=planned or float("inf"),
                plan=((0.0, {**main_course(log, 0.0, 1.0, planned), **saving(log)}),),
                reason=f"{MAIN}: too few steps for a probe of another rate",
            )
            for p in points
        ]


def _tidy(log: Logbook, main: Run) -> list[Action]:
    """The probes that did not win end for good."""
    return [
        Stop(run_id=run.id, reason=SLOWER)
        for run in (newest(log.view, run.id) for run in log.probes)
        if run.trial != main.trial and waits(run)
    ]


def _raise(log: Logbook, main: Run, tests: bool) -> list[Action]:
    """Guard, then tests, then onward to the last step."""
    if waits_for_a_person(log.view, main) or is_asked(log, main):
        return []
    if n_refused(log, main) >= c.N_REFUSED:
        return ask(main, "what the autopilot wanted was refused; see the diary")
    if actions := guard(log, main):
        return actions
    if actions := lengthen(log, main):
        return actions
    if main.state.ended:
        return []
    if tests:
        actions, busy = intervene(log, main)
        if actions or busy:
            return actions
    if actions := cool_down(log, main) or averaging(log, main):
        return actions
    to_step = end_of(log, main)
    if main.step >= to_step:
        words = f"{DONE}: the budget of steps is spent"
        if waits(main):
            return [Stop(run_id=main.id, reason=words)]
        # its last step is to be saved, which it does by itself at the end of its lease
        leaves = main.to_step <= main.step or main.step == log.view.study.max_steps
        return [] if leaves else [Pause(run_id=main.id, reason=words)]
    if waits(main) and log.view.n_free:
        return [Continue(run_id=main.id, to_step=to_step, reason=f"{MAIN}: on to the end")]
    return []
