"""What the runs so far teach about where the next one should begin."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.core.action import Author, Change, Plan, RollBack
from luthier.core.course import is_extra
from luthier.core.domain import Value
from luthier.core.script import root_of, script_of
from luthier.core.short import short
from luthier.core.space import Space
from luthier.core.study import Run, StudyView
from luthier.core.verdict import verdict

_COMPARED_FROM = 0.25  # of a full training: what was broken off before says nothing of its point
_REACH = 0.2  # in the unit cube: how far what a run showed tells something of its surroundings
# Of a decay to zero, a rate three times too small costs far more than one three times too large, so
# a run whose best was its end asks for a higher rate; one that was best early, for a lower one.
_RATES = ("lr", "learning_rate")
_AT_ITS_END, _EARLY, _RATE_PULL = 0.85, 0.5, 0.7
_TRUST = 0.4  # how soon a place is too far from the best to be taken for its neighbour
_WAITS = -0.3  # the vote of a run that still trains: not there, but it is not known to be bad


@final
@dataclass(frozen=True, slots=True)
class Judged:
    """A live change of a run, and whether it helped."""

    run: Run
    step: float
    author: Author
    name: str
    before: Value
    after: Value
    helped: bool


@final
@dataclass(frozen=True, slots=True)
class Lesson:
    """Where to begin: at the best run's point, with the changes that made it what it is."""

    base: Run
    point: Mapping[str, Value]
    plan: Plan  # its changes, each at its step; a person's that hurt are left out
    changes: tuple[Judged, ...]  # of all runs, those with a clear verdict
    rate: float = 0.0  # where the best curve asks the learning rate to go: 1 up, -1 down

    def words(self) -> str:
        """What the changes taught, for the diary."""
        told = []
        for outcome, helped in (("helped", True), ("hurt", False)):
            names = dict.fromkeys(
                f"{c.name} {short(c.before)} → {short(c.after)}"
                for c in self.changes
                if c.helped is helped
            )
            told += [f"{', '.join(names)} {outcome}"] if names else []
        if self.rate:
            told += ["it fell to its end" if self.rate > 0 else "it was best early"]
        return "; ".join(told)


def learn(view: StudyView) -> Lesson | None:
    """The lesson of all runs so far; None while none has reported a number."""
    runs = [run for run in view.current().values() if math.isfinite(run.best_loss)]
    if not runs:
        return None
    best = min(runs, key=lambda run: (run.best_loss, run.trial))
    changes = tuple(change for run in view.current().values() for change in _judged(view, run))
    hurt = {
        (change.step, change.name)
        for change in changes
        if change.run is best and change.author is Author.HUMAN and not change.helped
    }
    script = script_of(view, view.diary, best.id)
    kept = (
        (step, {name: value for name, value in params.items() if (step, name) not in hurt})
        for step, params in script
    )
    plan = tuple((step, params) for step, params in kept if params)
    point = view.trials[root_of(view, best.id).trial].params
    return Lesson(best, point, plan, changes, _asked_rate(best))


def plan_for(space: Space, lesson: Lesson, point: Mapping[str, Value]) -> Plan:
    """The lesson's plan for another point: what the point varies is its own, but that the rate's
    changes are scaled along with the rate, within its domain."""
    found = []
    for step, params in lesson.plan:
        changed = {}
        for name, value in params.items():
            was, now = lesson.point.get(name), point.get(name)
            if name in _RATES and was and now and isinstance(value, float):
                scaled = value * float(now) / float(was)
                domain = space.domains[name]
                value = domain.from_unit(domain.to_unit(scaled))
            elif was != now or not (is_extra(name) or space.domains[name].live):
                continue
            changed[name] = value
        found += [(step, changed)] if changed else []
    return tuple(found)


def votes(
    view: StudyView,
    lesson: Lesson,
    units: NDArray[np.float64],  # (n, d)
) -> NDArray[np.float64]:  # (n,)
    """How much the runs speak for places of the unit cube: for what is near to good runs and in
    the direction of changes that helped, against what is near to bad ones."""
    space = view.study.space
    runs = list(view.current().values())
    least = _COMPARED_FROM * (view.study.max_steps or 0)
    known = [
        run
        for run in runs
        if not run.active and len(run.curve)
        and (run.step >= least or not math.isfinite(run.curve.last))
    ]  # fmt: skip
    away = units - space.to_unit({**space.defaults(), **lesson.point})
    found = np.asarray(-0.5 * _TRUST * (away**2).sum(axis=1) / _REACH**2, dtype=np.float64)
    for run, vote in [
        *zip(known, _standing(known), strict=True),
        *((run, _WAITS) for run in runs if run.active),
    ]:
        at = space.to_unit(view.trials[run.trial].params)
        found += vote * np.exp(-0.5 * ((units - at) ** 2).sum(axis=1) / _REACH**2)
    pulls = _pulls(space, lesson.changes)
    for name in _RATES:
        if name in space.names:
            pulls[name] = pulls.get(name, 0.0) + _RATE_PULL * lesson.rate
    for name, pull in pulls.items():
        column = space.names.index(name)
        start = space.domains[name].to_unit(lesson.point[name]) if name in lesson.point else 0.5
        found += pull * np.tanh((units[:, column] - start) / _REACH)
    return found


def _asked_rate(run: Run) -> float:
    """1 where a run was best at its end, -1 where it was best early, else 0."""
    if len(run.curve) < 3:
        return 0.0
    at = run.best_step / float(run.curve.steps[-1])
    return 1.0 if at >= _AT_ITS_END else -1.0 if at <= _EARLY else 0.0


def _standing(runs: Sequence[Run]) -> NDArray[np.float64]:
    """From 1 for the best to -1 for the worst, those without a number among them; by rank.

    One run alone stands for nothing: it has not been compared.
    """
    if len(runs) == 1:
        return np.zeros(1)
    losses = [r.best_loss if math.isfinite(r.best_loss) else math.inf for r in runs]
    order = np.argsort(np.argsort(losses, kind="stable"), kind="stable")
    return 1.0 - 2.0 * order / (len(runs) - 1)


def _pulls(space: Space, changes: Sequence[Judged]) -> dict[str, float]:
    """Per parameter, the direction that helped, or away from the one that hurt; -1 to 1."""
    found: dict[str, list[float]] = {}
    for change in changes:
        if change.name in space.names:
            domain = space.domains[change.name]
            way = domain.to_unit(change.after) - domain.to_unit(change.before)
            found.setdefault(change.name, []).append(math.copysign(1.0, way) * (
                1.0 if change.helped else -1.0))  # fmt: skip
    return {name: float(np.mean(ways)) for name, ways in found.items()}


def _judged(view: StudyView, run: Run) -> Iterator[Judged]:
    """The live changes of a run that helped or hurt beyond doubt."""
    entries = [
        entry
        for entry in view.diary
        if entry.run_id == run.id and entry.state == "obeyed" and entry.step is not None
        and isinstance(entry.action, Change | RollBack) and entry.action.params
    ]  # fmt: skip
    for index, entry in enumerate(entries):
        assert entry.step is not None
        later = entries[index + 1].step if index + 1 < len(entries) else None
        outcome = verdict(run.curve, entry.step, math.inf if later is None else later).outcome
        if outcome not in ("helped", "hurt"):
            continue
        for name, after in getattr(entry.action, "params", {}).items():
            before = entry.before.get(name)
            if before is not None and name in view.study.space.domains and before != after:
                yield Judged(
                    run, entry.step, entry.action.author, name, before, after, outcome == "helped"
                )
