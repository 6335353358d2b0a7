"""Freeze-thaw: continue a paused run or begin a new point, by what a model of curves expects.

After Swersky et al. 2014 (arXiv:1406.3896): a Gaussian process over points and steps extends every
curve seen so far. Of all paused runs and many new points, the one whose loss should fall furthest
below the best, for the steps that it takes, trains one slice (`picture.py`). Asynchronous
successive halving makes the first decisions and some of the later ones, so that nothing starves
that the model thinks little of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Sampler
from luthier.core.action import Action, Continue, Start, Stop
from luthier.core.domain import Value
from luthier.core.entry import Entry
from luthier.core.errors import PolicyError
from luthier.core.space import Space
from luthier.core.study import Run, RunState, StudyView, Trial
from luthier.knowledge.stages import turns_of
from luthier.models.priors import Belief
from luthier.policies.asha import Asha
from luthier.policies.believed import believed_from, overtaken_at
from luthier.policies.default_first import default_goes_on
from luthier.policies.first_step import telling_step
from luthier.policies.hunches import belief_of, lowest_so_far
from luthier.policies.leaving import LESS, left_behind, pauses
from luthier.policies.pausing import least_slice, pause_steps
from luthier.policies.picture import Picture
from luthier.policies.places import encoding_of
from luthier.policies.purse import left_for, n_workers

Array = NDArray[np.float64]

_EVEN_EVERY = 6  # one in so many of the first points owes nothing to priors
_N_BELIEVED = 64  # points drawn from priors, of which the first that is new starts,
_N_DRAWN = 3  # each the likeliest of so many
_ETA_UNSURE = 2  # one run in so many goes on to the next rung while first losses say little
_FAR = 0.15  # of a range: apart so far, what was stated and what the name says are tried both
_N_AT_LEAST = 9  # runs before the model, however long they are
_LATE_SHARE = 0.25  # of the decisions look after one who sits at chance, and may take off late,
_LATE_FROM, _LATE_LEFT = 2.5, 7.2  # from so many trainings on, or where so many are left
_SEED = 7


@final
@dataclass(frozen=True, slots=True)
class FreezeThaw:
    """`n_first` runs by successive halving; then the model, but for a share `halving` of the
    decisions. When no new point may start, what is not likely to win is left alone."""

    proposes_itself: ClassVar[bool] = True  # the sampler is asked for the first points only

    sampler: Sampler
    n_first: int = 14
    halving: float = 0.05
    eta: int = 3
    staged: bool = False  # new points differ in the parameters only whose turn it is

    def decide(self, view: StudyView) -> Sequence[Action]:
        """One action per free place, each made in view of those before it."""
        if view.study.max_steps is None:
            raise PolicyError(
                "freeze-thaw extends curves up to max_steps, and the study has none; "
                "write @luthier.tune(max_steps=30, …) or choose --policy random."
            )
        actions: list[Action] = list(self._stops(view))
        after = view
        while after.n_free > 0:
            action = self._next(after)
            if action is None:
                break
            actions.append(action)
            after = _after(after, action)
        left = left_behind(list(view.current().values()), actions)
        return [*pauses(view, left, LESS), *actions]

    def _stops(self, view: StudyView) -> list[Stop]:
        """What cannot pause is stopped as halving would."""
        if all(run.pausable for run in view.runs.values()):
            return []
        first = believed_from(view, list(view.current().values()))
        asked = self._halving(view, first).decide(replace(view, n_free=0, n_new=0))
        return [a for a in asked if isinstance(a, Stop)]

    def _next(self, view: StudyView) -> Action | None:
        runs = list(view.current().values())
        last = view.study.max_steps or 1
        rng = view.study.rng(_SEED, len(runs), int(sum(min(run.to_step, 1e9) for run in runs)))
        n_seen = sum(len(run.curve) > 0 for run in runs)
        n_steps = sum(run.step for run in runs)
        few = n_seen < self.n_first and (n_seen < _N_AT_LEAST or n_steps < last)
        early = few and view.n_new > 0
        overtaken = overtaken_at(view)
        first = max(telling_step(runs, last), overtaken)
        if early and (onward := default_goes_on(view, runs)):
            return onward
        picture, action = None, None
        if not early:
            kind = "log" if rng.random() < 0.5 else "rank"
            groups = turns_of(view) if self.staged else []
            picture = Picture.of(view, self.sampler, runs, kind, first, groups, overtaken > 1)
        if picture is None or early or rng.random() < self.halving:
            action = self._by_halving(view, picture, rng, first)
        some_sit = picture is not None and picture.model.idle.any()
        if action is None and picture is not None and some_sit and self._may_look(view, n_steps):
            action = picture.longest_sitter() if rng.random() < _LATE_SHARE else None
        if action is None and picture is not None:
            action = picture.one_that_looks_poor(rng) or picture.best_of_all(rng)
        return action

    def _may_look(self, view: StudyView, n_steps: float) -> bool:
        """Six looks take 2.4 trainings: a third of what is left at most, or once nobody else has
        learned for as long."""
        last = view.study.max_steps or 1
        left = left_for(view, view.n_free + len(view.runs))
        return n_steps >= _LATE_FROM * last or (left is not None and left >= _LATE_LEFT * last)

    def _halving(self, view: StudyView, first_step: int) -> Asha:
        """While early losses are not believed, more runs get a second chance; not where several
        train at once: there a half would go on before the better ones have come."""
        unsure = first_step > 1 and n_workers(view) <= 1
        eta = min(self.eta, _ETA_UNSURE) if unsure else self.eta
        last, nothing = float(view.study.max_steps or 1), np.zeros(1)
        least = round(least_slice(pause_steps(view), nothing, last)[0])
        return Asha(self.sampler, eta, max(first_step, least))

    def _by_halving(
        self, view: StudyView, picture: "Picture | None", rng: np.random.Generator, first_step: int
    ) -> Action | None:
        asked = self._halving(view, first_step).decide(replace(view, n_free=1))
        action = next((a for a in asked if isinstance(a, Start | Continue)), None)
        if not isinstance(action, Start):
            return action
        point = picture.best_new(rng) if picture else None
        if not self.staged:
            point = point or _first_point(view, self.sampler, rng)
        return replace(action, params=point) if point else action


def _after(view: StudyView, action: Action) -> StudyView:
    """The picture as it will be when the action has been recorded."""
    runs, trials, diary = dict(view.runs), dict(view.trials), view.diary
    n_new = view.n_new
    if isinstance(action, Start):
        number = len(trials)
        trials[number] = Trial(number, action.params)
        runs[f"{number}.0"] = Run(f"{number}.0", number, action.params, action.to_step)
        n_new -= 1
    elif isinstance(action, Continue):
        run = runs[action.run_id]
        runs[run.id] = replace(run, to_step=action.to_step, state=RunState.PENDING)
        number = diary[-1].number + 1 if diary else 0
        diary = (*diary, Entry(number, action, view.elapsed_s, run.id, step=run.step))
    n_free = view.n_free - 1
    return replace(view, runs=runs, trials=trials, n_free=n_free, n_new=n_new, diary=diary)


def _first_point(
    view: StudyView, sampler: Sampler, rng: np.random.Generator
) -> dict[str, Value] | None:
    """A point from the priors that are not doubted; the very first is what they take for best, or
    of a list the place nearest to it (to what was stated, where anything was). The second is what
    names alone say, where that is far from what was stated.

    None without any prior, and for one in `_EVEN_EVERY`: what lies elsewhere must be seen, or no
    prior could be found wrong.
    """
    space = view.study.space
    runs = list(view.current().values())
    encoding = encoding_of(space, sampler)
    units = encoding.units(run.params for run in runs)
    belief = belief_of(space, units, lowest_so_far(runs))
    stated = [n for n in belief.names
              if space.domains[n].prior is not None
              and belief.space.domains[n].prior == space.domains[n].prior]  # fmt: skip
    number, places = len(view.trials), encoding.places
    if number == 0 and (stated or belief.unconditional):
        drawn = _nearest_default(places, belief.space, stated or belief.unconditional)
    elif number == 1 and stated and (other := _otherwise(belief, stated)):
        drawn = _nearest_default(places, belief.also, other)
    elif not belief.names or number % _EVEN_EVERY == 0:
        return None
    else:
        drawn = _likeliest(_drawn(belief, places, rng), belief)
    tried = [trial.params for trial in view.trials.values()]
    for unit in drawn:
        point = space.from_unit(unit)
        if point not in tried and space.feasible(point):
            return point
    return None


def _otherwise(belief: Belief, stated: Sequence[str]) -> list[str]:
    """The parameters of which names say something, where that is far from what was stated."""
    domains = belief.also.domains
    told = [name for name in belief.also.names
            if domains[name].prior is not None and not domains[name].when]  # fmt: skip
    far = [
        name for name in set(told) & set(stated)
        if abs(_default_unit(belief.space, name) - _default_unit(belief.also, name)) > _FAR
    ]  # fmt: skip
    return told if far else []


def _default_unit(space: Space, name: str) -> float:
    domain = space.domains[name]
    return domain.to_unit(domain.default())


def _nearest_default(places: Array | None, space: Space, names: Sequence[str]) -> Array:
    """Places, nearest first to the default of some parameters; without places the default."""
    if places is None:
        return space.to_unit(space.default())[None]
    columns = [space.names.index(name) for name in names]
    away = np.abs(places - space.to_unit(space.default()))[:, columns].sum(axis=1)
    return places[np.argsort(away, kind="stable")]


def _drawn(belief: Belief, places: Array | None, rng: np.random.Generator) -> Array:
    if places is None:
        return belief.draw(_N_BELIEVED, rng)
    weights = np.exp(belief.log_density(places))
    return places[rng.choice(len(places), _N_BELIEVED, p=weights / weights.sum())]


def _likeliest(units: Array, belief: Belief) -> Array:
    """Of every `_N_DRAWN` the one that is believed most."""
    density, n = belief.log_density(units, belief.unconditional), _N_DRAWN
    return units[[i + int(np.argmax(density[i : i + n])) for i in range(0, len(units), n)]]
