"""Freeze-thaw: continue a paused run or begin a new point, by what a model of curves expects.

After Swersky et al. 2014 (arXiv:1406.3896): a Gaussian process over points and steps extends every
curve seen so far. Of all paused runs and many new points, the one most likely to fall below a
target just under the best, at a horizon drawn anew for each decision (as in arXiv:2404.16795),
trains one slice. Asynchronous successive halving makes the first decisions and some of the later
ones, so that nothing starves that the model thinks little of.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import ListedSampler, Sampler
from luthier.core.action import Action, Continue, Start, Stop
from luthier.core.domain import Value
from luthier.core.errors import PolicyError
from luthier.core.space import Space
from luthier.core.study import Run, RunState, StudyView, Trial
from luthier.models.curves import CurveModel
from luthier.models.encoding import Encoding
from luthier.models.priors import Belief, doubted
from luthier.models.readings import log_grid
from luthier.models.reliability import broke, reliability
from luthier.policies.asha import Asha
from luthier.policies.hunches import with_hunches

Array = NDArray[np.float64]

_N_RANDOM, _N_NEAR, _N_BEST = 150, 10, 5  # new points looked at: anywhere, and about the best runs
_N_EXACT = 80  # of the candidates, how many are worked out in full
_PRIOR_WEIGHT = 6.0
_HORIZONS = (0, 3, 1000)  # slices beyond the next, up to the last
_EVEN_EVERY = 4  # of the first points, every so-manieth owes nothing to priors
_N_AT_LEAST = 9  # runs before the model, however long they are
_CHANCE = 0.1  # of ending best, below which the last runs are left alone
_SEED = 7

_encodings: OrderedDict[int, tuple[Space, Sampler, Encoding]] = OrderedDict()


@final
@dataclass(frozen=True, slots=True)
class FreezeThaw:
    """`n_first` runs by successive halving; then the model, but for a share `halving` of the
    decisions. When no new point may start, what is not likely to win is left alone."""

    proposes_itself: ClassVar[bool] = True  # the sampler is asked for the first points only

    sampler: Sampler
    n_first: int = 27
    halving: float = 0.05
    eta: int = 3

    def decide(self, view: StudyView) -> Sequence[Action]:
        """One action per free place, each made in view of those before it."""
        if view.study.max_steps is None:
            raise PolicyError(
                "freeze-thaw extends curves up to max_steps, and the study has none; "
                "write @luthier.tune(max_steps=30, …) or choose --policy random."
            )
        actions: list[Action] = list(self._stops(view))
        while view.n_free > 0:
            action = self._next(view)
            if action is None:
                break
            actions.append(action)
            view = _after(view, action)
        return actions

    def _stops(self, view: StudyView) -> list[Stop]:
        """What cannot pause is stopped as halving would."""
        if all(run.pausable for run in view.runs.values()):
            return []
        asked = Asha(self.sampler, self.eta).decide(replace(view, n_free=0, n_new=0))
        return [action for action in asked if isinstance(action, Stop)]

    def _next(self, view: StudyView) -> Action | None:
        runs = list(view.current().values())
        last = view.study.max_steps or 1
        rng = view.study.rng(_SEED, len(runs), int(sum(min(run.to_step, 1e9) for run in runs)))
        n_seen = sum(len(run.curve) > 0 for run in runs)
        n_steps = sum(run.step for run in runs)
        few = n_seen < self.n_first and (n_seen < _N_AT_LEAST or n_steps < last)
        early = few and view.n_new > 0
        picture = None
        if not early:
            picture = Picture.of(view, self.sampler, runs, "log" if rng.random() < 0.5 else "rank")
        action = None
        if picture is None or early or rng.random() < self.halving:
            action = self._by_halving(view, picture, rng)
        if action is None and picture is not None:
            action = picture.best_of_all(rng)
        return action

    def _by_halving(
        self, view: StudyView, picture: "Picture | None", rng: np.random.Generator
    ) -> Action | None:
        asked = Asha(self.sampler, self.eta).decide(replace(view, n_free=1))
        action = next((a for a in asked if isinstance(a, Start | Continue)), None)
        if not isinstance(action, Start):
            return action
        point = picture.best_new(rng) if picture else None
        point = point or _first_point(view, self.sampler, rng)
        return replace(action, params=point) if point else action


def _after(view: StudyView, action: Action) -> StudyView:
    """The picture as it will be when the action has been recorded."""
    runs, trials = dict(view.runs), dict(view.trials)
    n_new = view.n_new
    if isinstance(action, Start):
        number = len(trials)
        trials[number] = Trial(number, action.params)
        runs[f"{number}.0"] = Run(f"{number}.0", number, action.params, action.to_step)
        n_new -= 1
    elif isinstance(action, Continue):
        run = runs[action.run_id]
        runs[run.id] = replace(run, to_step=action.to_step, state=RunState.PENDING)
    return replace(view, runs=runs, trials=trials, n_free=view.n_free - 1, n_new=n_new)


@final
@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A study seen through a model: what could be trained next, and how good it looks."""

    view: StudyView
    runs: Sequence[Run]
    encoding: Encoding
    units: Array  # (runs, d)
    x: Array  # (runs, columns)
    model: CurveModel
    belief: Belief
    broken: NDArray[np.bool_]  # (runs,)

    @classmethod
    def of(
        cls, view: StudyView, sampler: Sampler, runs: Sequence[Run], kind: str
    ) -> "Picture | None":
        """Through a model of one kind of warp; None while no loss is a number."""
        encoding = _encoding(view.study.space, sampler)
        grid = log_grid(int(view.study.max_steps or 1))
        units = encoding.units(run.params for run in runs)
        x = encoding.rows(units)
        model = CurveModel.of(runs, x, encoding, grid, kind)
        if model is None:
            return None
        space = with_hunches(view.study.space)
        belief = Belief(space, doubted(space, units, model.lowest))
        return cls(view, runs, encoding, units, x, model, belief, broke(runs))

    def best_new(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """The most promising new point."""
        units = self._hopeful(rng)
        if not len(units):
            return None
        order = self._order(np.empty(0, dtype=np.int64), units, rng)
        return self._point(units, order)

    def best_of_all(self, rng: np.random.Generator) -> Action | None:
        """Continue the most promising run, or start a point that looks better still."""
        last = self.view.study.max_steps or 1
        paused = np.array(
            [i for i, run in enumerate(self.runs)
             if run.state is RunState.PAUSED and run.step < last and run.to_step <= run.step],
            dtype=np.int64,
        )  # fmt: skip
        units = self._hopeful(rng) if self.view.n_new > 0 else self.units[:0]
        if self.view.n_new <= 0:
            paused = self._contenders(paused)
        if not len(paused) + len(units):
            return None
        for choice in self._order(paused, units, rng):
            if choice < len(paused):
                run = self.runs[paused[choice]]
                grid = self.model.readings.grid
                to_step = float(grid[np.searchsorted(grid, run.step, side="right")])
                return Continue(run_id=run.id, to_step=to_step, reason="most-promising")
            point = self._point(units, np.array([choice - len(paused)]))
            if point is not None:
                reason = "prior-doubted" if self._doubts() else "new-point"
                return Start(params=point, to_step=1, reason=reason)
        return None

    def _contenders(self, paused: NDArray[np.int64]) -> NDArray[np.int64]:
        """Of these runs the best of all, and those that may yet end better than it."""
        from scipy.special import ndtr

        model = self.model
        ends = np.full(len(paused), len(model.readings.grid) - 1)
        mean, spread = model.predict(self.x[paused], paused, ends)
        best = float(model.warp(np.array([model.lowest.min()]))[0])
        likely = ndtr((best - mean) / spread) >= _CHANCE
        kept: NDArray[np.int64] = paused[likely | (paused == int(np.argmin(model.lowest)))]
        return kept

    def _doubts(self) -> bool:
        return any(
            d.prior is not None and n not in self.belief.names
            for n, d in self.view.study.space.domains.items()
        )

    def _order(
        self, paused: NDArray[np.int64], units: Array, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """Candidates (paused runs, then new points), the most promising first."""
        model, grid = self.model, self.model.readings.grid
        at = np.concatenate([[self.runs[i].step for i in paused], np.zeros(len(units))])
        horizon = rng.integers(1, grid[-1] + 1, 2).max()  # rather far than near
        span = model.warp.ceiling - model.warp.best
        goal = model.lowest.min() - 10.0 ** rng.uniform(-4, -1) * span
        target = float(model.warp(np.array([goal]))[0])
        step = np.searchsorted(grid, np.minimum(at + horizon, grid[-1]))
        x = np.concatenate([self.x[paused], self.encoding.rows(units)])
        own = np.concatenate([paused, np.full(len(units), -1)])
        holds = np.where(own >= 0, 1.0, self._holds(x))
        few = model.process.likely_below(x, own, step, target, _N_EXACT)
        merit = self._gain(x[few], own[few], at[few]) + np.log(holds[few])
        if self.belief.names:
            places = np.concatenate([self.units[paused], units])[few]
            n_slices = len(model.readings.run)
            merit = merit + _PRIOR_WEIGHT / max(n_slices, 1) * self.belief.log_density(places)
        return few[np.argsort(-merit, kind="stable")]

    def _holds(self, x: Array) -> Array:
        """Chances that training does not break there."""
        return reliability(self.model.process.kernel, self.x, self.broken, x)

    def _gain(self, x: Array, own: NDArray[np.int64], at: Array) -> Array:
        """Logarithm of the fall expected below the best, per root of the steps it takes, at the
        best of three horizons: the next slice, a few, the end."""
        grid = self.model.readings.grid
        following = np.searchsorted(grid, at, side="right")
        gains = []
        for further in _HORIZONS:
            step = np.minimum(following + further, len(grid) - 1)
            mean, spread = self.model.process.predict(x, own, step)
            fall = np.maximum(self.model.warp.gain(mean, spread), 1e-30)
            gains.append(np.log(fall) - 0.5 * np.log(np.maximum(grid[step] - at, 1.0)))
        best: Array = np.max(gains, axis=0)
        return best

    def _hopeful(self, rng: np.random.Generator) -> Array:
        """New points; once runs have broken, the half that is least likely to."""
        units = self._new_points(rng)
        if len(units) < 2 or not self.broken.any():
            return units
        holds = self._holds(self.encoding.rows(units))
        return units[holds >= np.median(holds)]

    def _new_points(self, rng: np.random.Generator) -> Array:
        """Places of the cube to look at, (n, d): anywhere, and about the best runs."""
        best = np.argsort(self.model.lowest, kind="stable")[:_N_BEST]
        places = self.encoding.places
        if places is not None:
            return self._from_list(places, best, rng)
        n_prior = _N_RANDOM // 2 if self.belief.names else 0
        anywhere = rng.random((_N_RANDOM - n_prior, self.units.shape[1]))
        near = np.repeat(self.units[best], 2 * _N_NEAR, axis=0)
        moved = rng.random(near.shape) < max(0.3, 1.0 / max(near.shape[1], 1))
        width = 10.0 ** rng.uniform(-2.0, -0.5, (len(near), 1))
        near = np.where(moved, near + width * rng.standard_normal(near.shape), near)
        near = np.where((near < 0) | (near > 1), rng.random(near.shape), near)
        return self.encoding.snap(np.concatenate([self.belief.draw(n_prior, rng), anywhere, near]))

    def _from_list(self, places: Array, best: NDArray[np.int64], rng: np.random.Generator) -> Array:
        encoded, numbers = _listed(self.encoding)
        free = np.ones(len(places), dtype=bool)
        free[[numbers[key] for key in map(_key, self.units) if key in numbers]] = False
        left = places[free]
        if len(left) <= _N_RANDOM:
            return left
        scaled = encoded[free] / self.encoding.length_scales()[self.encoding.groups]
        here = self.x[best] / self.encoding.length_scales()[self.encoding.groups]
        chosen = [rng.choice(len(left), _N_RANDOM, replace=False)]
        away = [((scaled - row) ** 2).sum(axis=1) for row in here]
        chosen += [np.argpartition(distance, _N_NEAR)[:_N_NEAR] for distance in away]
        return left[np.unique(np.concatenate(chosen))]

    def _point(self, units: Array, order: NDArray[np.int64]) -> dict[str, Value] | None:
        """The first that is allowed and new."""
        space = self.view.study.space
        tried = [trial.params for trial in self.view.trials.values()]
        for index in order:
            point = space.from_unit(units[index])
            if point not in tried and space.feasible(point):
                return point
        return None


def _first_point(
    view: StudyView, sampler: Sampler, rng: np.random.Generator
) -> dict[str, Value] | None:
    """A point from the priors that are not doubted; None without any, for the first, and for every
    fourth: what lies elsewhere must be seen, or no prior could be found wrong."""
    space = view.study.space
    runs = list(view.current().values())
    believed = with_hunches(space)
    encoding = _encoding(space, sampler)
    lowest = np.array([r.curve.best_loss for r in runs])
    units = encoding.units(run.params for run in runs)
    belief = Belief(believed, doubted(believed, units, lowest))
    if not belief.names or len(view.trials) % _EVEN_EVERY == 0:
        return None
    places = encoding.places
    tried = [trial.params for trial in view.trials.values()]
    if places is not None:
        weights = np.exp(belief.log_density(places))
        drawn = places[rng.choice(len(places), 64, p=weights / weights.sum())]
    else:
        drawn = belief.draw(64, rng)
    for unit in drawn:
        point = space.from_unit(unit)
        if point not in tried and space.feasible(point):
            return point
    return None


def _encoding(space: Space, sampler: Sampler) -> Encoding:
    """The encoding of a space, with what it remembers."""
    known = _encodings.get(id(space))
    if known is None or known[0] is not space or known[1] is not sampler:
        listed = sampler.places if isinstance(sampler, ListedSampler) else None
        places = None if listed is None else np.array(listed, dtype=np.float64)
        known = _encodings[id(space)] = (space, sampler, Encoding(space, places))
        if len(_encodings) > 4:
            _encodings.popitem(last=False)
    return known[2]


_lists: OrderedDict[int, tuple[Encoding, Array, dict[bytes, int]]] = OrderedDict()


def _listed(encoding: Encoding) -> tuple[Array, dict[bytes, int]]:
    """The encoded places of an encoding that has some, and their numbers."""
    known = _lists.get(id(encoding))
    if known is None or known[0] is not encoding:
        assert encoding.places is not None
        numbers = {_key(place): i for i, place in enumerate(encoding.places)}
        known = _lists[id(encoding)] = (encoding, encoding.rows(encoding.places), numbers)
        if len(_lists) > 4:
            _lists.popitem(last=False)
    return known[1], known[2]


def _key(place: Array) -> bytes:
    return np.round(place, 12).tobytes()
