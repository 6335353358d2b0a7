"""The panda inside the caviar: the last part of a budget anneals the best runs.

Wraps a policy that compares many runs. When as much of the budget is left as it costs, the best
runs are forked from a checkpoint of their first part, and the rate of each fork falls linearly to
zero at its last step. Forks are compared with all runs by the study's objective; the policy inside
never sees them.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

from luthier.contracts import Policy
from luthier.core.action import Action, Author, Change, Continue, Fork, RollBack, Stop
from luthier.core.course import SUFFIX, live_rate
from luthier.core.entry import Entry
from luthier.core.person import waits_for_a_person
from luthier.core.study import Checkpoint, Run, RunState, StudyView
from luthier.policies.purse import (
    left_for,
    own_steps,
    steps_in_time,
    steps_left,
    steps_of,
    still_to_train,
    whole_for,
)

N_NURSED = 3  # runs
SHARE = 0.12  # of the budget, that their forks may take; the first …
FIRST_SHARE = 0.35  # … may take this much: where little is searched, an annealed end is worth more
PEAK = 2.0  # times its rate, from where a fork's falls: more than serves a constant rate
EARLIEST, LATEST = 0.2, 0.67  # of a full training, between which a fork begins
LEAST = 0.2  # of a full training: a shorter fall is not worth a fork
_MOVED = 0.02  # relative; a constant rate is found again as it was
_KNOB = "lr"  # how a run calls its rate when it is read back
CODE = "nursing"
OWN_SCHEDULE = f"{CODE}: the script moves its rate by itself; no more forks"


@final
@dataclass(frozen=True, slots=True)
class Nursing:
    """`policy`; then up to `n_nursed` of its best runs, in the last `share` of the budget.

    A single fork may take `first_share`. `peak`: the factor on the rate at its beginning. In a
    budget of trials the forks come when the policy has nothing more to do, and their share is one
    of the steps until then, on top of them.
    """

    forks_before: ClassVar[float] = LATEST  # so that a checkpoint from there is kept

    policy: Policy
    n_nursed: int = N_NURSED
    share: float = SHARE
    first_share: float = FIRST_SHARE
    peak: float = PEAK

    def decide(self, view: StudyView) -> Sequence[Action]:
        """What the policy says, and near the end of the budget forks of the best runs."""
        rate = live_rate(view.study.space.domains)
        if rate is None or view.study.max_steps is None:
            return self.policy.decide(view)
        story = _Story.of(view, rate)
        ends = list(_ends(story))
        ended = {action.run_id for action in ends}
        busy = any(run.active and run.id not in ended for run in story.forks)
        forks = self._forks(story)
        if forks and story.made and not ends and not story.over:
            return forks[: view.n_free]
        actions = self.policy.decide(story.inner)
        left = steps_left(view)
        if busy and left is not None and steps_of(view, actions) > left:
            actions = []  # it belongs to the forks that train
        if ends or story.over or busy:
            return [*ends, *actions]
        idle = not actions and not any(run.active for run in view.runs.values())
        due = view.n_free > 0 and self._is_due(story, actions)
        return forks[: view.n_free] if forks and (idle or due) else actions

    def _is_due(self, story: "_Story", actions: Sequence[Action]) -> bool:
        """Whether less would be left, after what the policy asks for, than the forks cost."""
        costs = self._costs(story)
        left = left_for(story.view, len(costs))
        return left is not None and left - steps_of(story.view, actions) < sum(costs)

    def _costs(self, story: "_Story") -> list[float]:
        """Steps of the forks still to be made, as many as the share allows."""
        last = float(story.view.study.max_steps or 0)
        found = candidates(story)[: max(0, self.n_nursed - len(story.made))]
        for n in range(len(found), 0, -1):
            costs = [last - c.step for _, c in found[:n]]
            first = n == 1 and not story.made
            allowed = self._allowed(story, n, self.first_share if first else self.share)
            if sum(costs) <= allowed:
                return costs
            if first and allowed >= LEAST * last:
                return [math.floor(allowed)]
        return []

    def _allowed(self, story: "_Story", n: int, share: float) -> float:
        """Steps that the share still holds for `n` forks."""
        whole = whole_for(story.view, n)
        if whole is None:
            whole = sum(own_steps(run) for run in story.inner.runs.values())
        return share * whole - sum(
            own_steps(run) + still_to_train(story.view, run) for run in story.forks
        )

    def _forks(self, story: "_Story") -> list[Action]:
        last = float(story.view.study.max_steps or 0)
        costs = self._costs(story)
        left = left_for(story.view, len(costs))
        left = sum(costs) if left is None else left
        time_left = steps_in_time(story.view)
        longest = math.inf if time_left is None else time_left
        found: list[Action] = []
        for (run, c), cost in zip(candidates(story), costs, strict=False):
            n_steps = math.floor(min(cost, left, longest))
            if n_steps < LEAST * last:
                break
            left -= n_steps
            end = c.step + n_steps
            course = ((c.step, self.peak), (end, 0.0))
            sign = story.view.study.loss(1.0)
            found.append(Fork(
                run_id=run.id, at_step=c.step, to_step=end, params={story.rate + SUFFIX: course},
                reason=f"{CODE}: {story.view.study.metric} {sign * run.best_loss:.3g} so "
                f"far; its rate from {self.peak:g} times what it is to zero at step {end:g}",
            ))  # fmt: skip
        return found


@final
@dataclass(frozen=True, slots=True)
class _Story:
    """The study, and what nursing did in it."""

    view: StudyView
    rate: str  # the name of the learning rate
    inner: StudyView  # without the forks, and what came of them
    made: tuple[Entry, ...]  # forks asked for, refused ones among them
    forks: tuple[Run, ...]  # the runs that nursing or a retry made of them
    over: bool  # there will be no more

    @classmethod
    def of(cls, view: StudyView, rate: str) -> "_Story":
        """Read off the diary."""
        made, ids = [], set[str]()
        for entry in view.diary:
            action = entry.action
            if not isinstance(action, Fork):
                continue
            if is_nursing(entry):
                made.append(entry)
            if entry.state == "obeyed" and (is_nursing(entry) or action.run_id in ids):
                ids.add(entry.run_id)
        runs = {i: run for i, run in view.runs.items() if i not in ids}
        over = any(e.action.reason == OWN_SCHEDULE for e in view.diary)
        over = over or any(_moves_by_itself(view, entry, rate) for entry in made)
        forks = tuple(view.runs[i] for i in view.runs if i in ids)
        return cls(view, rate, replace(view, runs=runs), tuple(made), forks, over)


def is_nursing(entry: Entry) -> bool:
    """Whether the line of the diary is one of this policy's."""
    action = entry.action
    return action.author is Author.POLICY and action.reason.startswith(f"{CODE}:")


def candidates(story: _Story) -> list[tuple[Run, Checkpoint]]:
    """Runs that could be forked and from where, the best first; no run twice."""
    view, last = story.inner, float(story.view.study.max_steps or 0)
    forked = {entry.action.run_id for entry in story.made if isinstance(entry.action, Fork)}
    found = []
    for run in view.current().values():
        there = [c for c in run.checkpoints if EARLIEST * last <= c.step <= LATEST * last]
        rests = run.state in (RunState.PAUSED, RunState.COMPLETED)
        held = run.held or waits_for_a_person(view, run)
        sound = math.isfinite(run.best_loss) and _KNOB in run.read_back
        if there and rests and not held and sound and run.id not in forked:
            found.append((run, there[-1]))
    return sorted(found, key=lambda pair: (pair[0].best_loss, pair[0].trial))


def _ends(story: _Story) -> Iterator[Stop]:
    """Forks that are done, or in vain."""
    moving = {e.run_id for e in story.made if _moves_by_itself(story.view, e, story.rate)}
    for run in story.forks:
        if run.active and run.id in moving:
            yield Stop(run_id=run.id, reason=OWN_SCHEDULE)
        elif run.active and len(run.curve) and not math.isfinite(run.curve.last):
            yield Stop(run_id=run.id, reason=f"{CODE}: its loss is no number")
        elif run.state is RunState.PAUSED and run.step >= run.to_step:
            yield Stop(run_id=run.id, reason=f"{CODE}: its rate has come down")


def _moves_by_itself(view: StudyView, entry: Entry, rate: str) -> bool:
    """Whether the rate found at the fork's step is another than at the beginning of a training.

    Only a fork that has begun but once tells: later its own course is in what is found.
    """
    fork, run = entry.action, view.runs.get(entry.run_id)
    if entry.state != "obeyed" or run is None or not isinstance(fork, Fork):
        return False
    resumed = _resumed(view)
    now = _factor(run, rate)
    if now is None or run.id in resumed:
        return False
    fresh = [_factor(r, rate) for r in view.runs.values()
             if r.parent is None and r.id not in resumed]  # fmt: skip
    first = [factor for factor in fresh if factor is not None]
    if first and math.isclose(min(first), max(first), rel_tol=_MOVED):
        return not math.isclose(now, first[0], rel_tol=_MOVED)
    before = _factor(view.runs[fork.run_id], rate)  # scripts may put a factor of a run's own on it
    return before is not None and not math.isclose(now, before, rel_tol=_MOVED)


def _resumed(view: StudyView) -> set[str]:
    """Runs whose rate was read not only at their first step."""
    kinds = Continue | Change | RollBack
    return {e.run_id for e in view.diary if e.state == "obeyed" and isinstance(e.action, kinds)}


def _factor(run: Run, rate: str) -> float | None:
    """What was found of the rate, over what was given; None where nothing was found."""
    found, given = run.read_back.get(_KNOB), run.params.get(rate)
    if found is None or not given:
        return None
    highest = max(found) if isinstance(found, tuple | list) else found
    return float(highest) / float(given)
