"""A few children, one after the other, each begun from what those before it taught.

The middle way of the chapter (14.12): more than one panda in a lifetime, far from caviar. The
first child begins at the default point; a nurse, such as the autopilot, may raise it. Each further
one begins near the best so far, in the parameters of one tier of importance, away from what did
badly, and repeats the changes that made the best what it is. A child that disappoints makes room
for the next.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Policy, Sampler
from luthier.core.action import Action, Author, Continue, Pause, Start, Stop
from luthier.core.domain import Value
from luthier.core.entry import Entry
from luthier.core.forecast import forecast
from luthier.core.person import waits_for_a_person
from luthier.core.short import short
from luthier.core.spent import spent_share
from luthier.core.study import Run, RunState, StudyView, Trial
from luthier.knowledge.stages import stages
from luthier.policies.drawing import draw
from luthier.policies.lessons import Lesson, learn, plan_for, votes

_JUDGED_FROM = 0.25  # of a full training: before it no child is called hopeless
_FLAT = 0.34  # of a full training without a new best: it may have come to its end
_SURE = 2.0  # standard errors, by which a forecast has to miss the best
_WIDTH, _NARROWER = 0.15, 0.6  # of steps in the unit cube; after all tiers were tried in vain
_PATIENCE = 2  # children in a row that were no better, after which the next tier has its turn
_N_CANDIDATES = 64
_SEED = 11
_SHARE_END, _PLATEAU, _TO_THE_END = "share-end", "plateau", "best-goes-on"
_CHILD, _FIRST = "child ", "child 1:"


@final
@dataclass(frozen=True, slots=True)
class Children:
    """`n_children` (None: as many as the budget raises), each with an even share of the budget.

    `nurse`: the policy that raises the first child; None: it trains on its own.
    """

    proposes_itself: ClassVar[bool] = True  # the sampler only helps out

    sampler: Sampler
    n_children: int | None = None
    nurse: Policy | None = None

    def decide(self, view: StudyView) -> Sequence[Action]:
        """End what disappoints; then begin the next child, or go on with what was begun."""
        number = n_children(view)
        if any(e.state == "refused" and isinstance(e.action, Start) for e in view.diary):
            return []  # it would be refused again; the diary says why
        if self.nurse is not None and number <= 1:
            actions = list(self.nurse.decide(view))
            busy = any(run.active or waits_for_a_person(view, run) for run in view.runs.values())
            if actions or busy or not view.runs:
                return actions
        children = [run for run in view.current().values() if self._is_child(view, run)]
        actions = [action for run in children if (action := self._judge(view, run))]
        going = _unfinished(view, children)[: view.n_free]
        actions += going
        n_new = min(view.n_free - len(going), view.n_new)
        if self.n_children is not None:
            n_new = min(n_new, self.n_children - number)
        for _ in range(n_new):
            number += 1
            start = self._next_child(view, number)
            if start is None:
                break
            actions.append(start)
            view = _after(view, start)
        if not actions and view.n_free and not any(r.active for r in view.runs.values()):
            actions += _best_goes_on(view, children)
        return actions

    def _is_child(self, view: StudyView, run: Run) -> bool:
        """Whether it is this policy's to judge: not the nurse's, not one that a person forked."""
        if run.trial == 0:
            return self.nurse is None
        return any(_is_birth(e) and view.runs[e.run_id].trial == run.trial for e in view.diary)

    def _judge(self, view: StudyView, run: Run) -> Action | None:
        """The end of a child that trains, if it is time for it."""
        if run.state is not RunState.RUNNING:
            return None
        if why := hopeless(view, run):
            return Stop(run_id=run.id, reason=why)
        if any(e.run_id == run.id and e.action.reason == _TO_THE_END for e in view.diary):
            return None
        if run.pausable and (why := plateau(view, run)):
            return Pause(run_id=run.id, reason=why)
        if run.pausable and self._share_is_over(view, run):
            return Pause(run_id=run.id, reason=_SHARE_END)
        return None

    def _share_is_over(self, view: StudyView, run: Run) -> bool:
        """Whether the child has had its part of the budget, and others wait for theirs."""
        spent = spent_share(view)
        if spent is None or self.n_children is None:
            return False
        n_places = max(1, view.n_free + sum(r.active for r in view.runs.values()))
        n_waves = -(-self.n_children // n_places)
        wave = _number(view, run) // n_places + 1
        return wave < n_waves and spent >= wave / n_waves

    def _next_child(self, view: StudyView, number: int) -> Start | None:
        to_step = float(view.study.max_steps or math.inf)
        space = view.study.space
        if not view.trials and space.feasible(default := space.default()):
            return Start(params=default, to_step=to_step, reason=f"{_FIRST} the default point")
        lesson = learn(view)
        point = _beside(view, lesson) if lesson else None
        if lesson is None or point is None:
            drawn = draw(view, self.sampler, 1)
            if not drawn:
                return None
            why = "drawn: no child before it tells anything" if lesson is None else "drawn"
            return Start(params=drawn[0], to_step=to_step, reason=f"{_CHILD}{number}: {why}")
        why = _reason(view, lesson, point, number)
        plan = plan_for(space, lesson, point)
        return Start(params=point, to_step=to_step, plan=plan, reason=why)


def n_children(view: StudyView) -> int:
    """Children begun so far; whatever a nurse tried is part of the first."""
    return min(1, len(view.trials)) + sum(map(_is_birth, view.diary))


def _is_birth(entry: Entry) -> bool:
    """Whether a child after the first began here."""
    action = entry.action
    return (
        entry.state == "obeyed" and isinstance(action, Start) and action.author is Author.POLICY
        and action.reason.startswith(_CHILD) and not action.reason.startswith(_FIRST)
    )  # fmt: skip


def _number(view: StudyView, run: Run) -> int:
    """The child's, from 0."""
    births = [view.runs[e.run_id].trial for e in view.diary if _is_birth(e)]
    return births.index(run.trial) + 1 if run.trial in births else 0


def _unfinished(view: StudyView, children: Sequence[Run]) -> list[Continue]:
    """Children that wait although nobody ended them: as after a calibration."""
    last = view.study.max_steps or math.inf
    return [
        Continue(run_id=run.id, to_step=last, reason="raised-on")
        for run in children
        if run.state is RunState.PAUSED and run.step < last and run.to_step <= run.step
        and run.reason != _SHARE_END and not run.reason.startswith(_PLATEAU)
        and not waits_for_a_person(view, run)
    ]  # fmt: skip


def hopeless(view: StudyView, run: Run) -> str:
    """Why a child will not become the best; empty while it may."""
    curve, last = run.curve, view.study.max_steps
    if len(curve) >= 2 and not np.isfinite(curve.values[-2:]).any():
        return "hopeless: its loss is no number"
    others = [r for r in view.current().values() if r.id != run.id and len(r.curve)]
    rivals = [r for r in others if math.isfinite(r.best_loss)]
    if last is None or not rivals or run.step < _JUDGED_FROM * last:
        return ""
    best = min(rivals, key=lambda r: r.best_loss)
    ahead = best.curve.until(run.step).best_loss
    if not best.best_loss < curve.best_loss or not curve.best_loss > ahead:
        return ""
    found = forecast(curve, np.array([float(last)]))
    if found is None:
        return ""
    mean, sd = float(found.mean[0]), float(np.hypot(found.trend_sd[0], found.noise_sd))
    if mean - _SURE * sd <= best.best_loss:
        return ""
    sign = view.study.loss(1.0)
    return (
        f"hopeless: forecast {sign * mean:.3g} ± {sd:.2g}, "
        f"child {_number(view, best) + 1} has {sign * best.best_loss:.3g}"
    )


def plateau(view: StudyView, run: Run) -> str:
    """Why a child has come to its end before its last step; empty while it has not."""
    curve, last = run.curve, view.study.max_steps
    if last is None or not len(curve) or run.step >= last:
        return ""
    if not run.step - curve.best_step >= _FLAT * last:
        return ""
    found = forecast(curve, np.array([float(last)]))
    if found is None or float(found.mean[0]) < curve.best_loss - found.noise_sd:
        return ""
    return f"{_PLATEAU}: no better since step {curve.best_step:g}"


def _beside(view: StudyView, lesson: Lesson) -> dict[str, Value] | None:
    """A new point near the lesson's, in the parameters of the tier whose turn it is."""
    space = view.study.space
    rng = view.study.rng(_SEED, len(view.trials))
    centre = space.to_unit(lesson.point)
    tried = [trial.params for trial in view.trials.values()]
    groups = stages(space)
    if not groups:
        return None
    in_vain = _in_vain(view)
    rounds, turn = divmod(in_vain // _PATIENCE, len(groups))
    for group in (*groups[turn:], *groups[:turn]):
        columns = [space.names.index(name) for name in group]
        units = _around(centre, columns, _WIDTH * _NARROWER**rounds, rng)
        for index in np.argsort(-votes(view, lesson, units), kind="stable"):
            point = space.from_unit(units[index])
            if point not in tried and space.feasible(point):
                return point
    return None


def _around(
    centre: NDArray[np.float64], columns: Sequence[int], width: float, rng: np.random.Generator
) -> NDArray[np.float64]:  # (n, d)
    """Candidates: normal steps in the columns, folded back at the walls of the cube."""
    units = np.tile(centre, (_N_CANDIDATES, 1))
    steps = width * rng.standard_normal((_N_CANDIDATES, len(columns)))
    steps += np.sign(steps) * width / 2  # a child too near to the best teaches nothing
    moved = np.abs(units[:, columns] + steps)
    units[:, columns] = np.clip(np.where(moved > 1.0, 2.0 - moved, moved), 0.0, 1.0)
    return units


def _in_vain(view: StudyView) -> int:
    """Children that ended since the best so far: none of them was better."""
    lesson = learn(view)
    if lesson is None:
        return 0
    births = {view.runs[e.run_id].trial for e in view.diary if _is_birth(e)}
    return sum(
        run.trial in births and run.trial > lesson.base.trial and not run.active
        for run in view.current().values()
    )


def _reason(view: StudyView, lesson: Lesson, point: dict[str, Value], number: int) -> str:
    base = lesson.point
    sign = view.study.loss(1.0)
    moved = [
        f"{name} {short(base[name]) if name in base else '-'} → {short(value)}"
        for name, value in point.items()
        if base.get(name) != value
    ]
    words = f"{_CHILD}{number}: from child {_number(view, lesson.base) + 1}"
    words += f" ({view.study.metric} {sign * lesson.base.best_loss:.3g})"
    words += f", {', '.join(moved)}" if moved else ""
    return f"{words}; {learnt}" if (learnt := lesson.words()) else words


def _best_goes_on(view: StudyView, children: Sequence[Run]) -> list[Continue]:
    """When no child is left to begin: the best of those that had to wait, unless it is flat."""
    last = view.study.max_steps or math.inf
    waiting = [
        run
        for run in children
        if run.state is RunState.PAUSED and run.step < last
        and math.isfinite(run.best_loss) and not waits_for_a_person(view, run)
    ]  # fmt: skip
    done = any(run.state is RunState.COMPLETED for run in view.runs.values())
    held = [run for run in waiting if run.reason == _SHARE_END or not done]
    if not held:
        return []
    best = min(held, key=lambda run: (run.best_loss, run.trial))
    return [Continue(run_id=best.id, to_step=last, reason=_TO_THE_END)]


def _after(view: StudyView, start: Start) -> StudyView:
    """The picture as it will be when the child has begun."""
    number = len(view.trials)
    run = Run(f"{number}.0", number, start.params, start.to_step)
    return replace(
        view,
        trials={**view.trials, number: Trial(number, start.params)},
        runs={**view.runs, run.id: run},
        n_free=view.n_free - 1,
        n_new=view.n_new - 1,
    )
