"""A study seen through a model of curves: what could be trained next, and how good it looks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from luthier.contracts import Sampler
from luthier.core.action import Action, Continue, Start
from luthier.core.domain import Value
from luthier.core.study import Run, RunState, StudyView
from luthier.knowledge.stages import centre_of
from luthier.models.curves import CurveModel
from luthier.models.encoding import Encoding
from luthier.models.priors import Belief
from luthier.models.readings import log_grid
from luthier.models.reliability import broke, reliability
from luthier.policies.hunches import belief_of, lowest_so_far
from luthier.policies.odds import AGAINST, Odds, may_test
from luthier.policies.pausing import next_places, pause_steps
from luthier.policies.places import encoding_of, key_of, listed
from luthier.policies.second_look import may_look_again, second_look

Array = NDArray[np.float64]

_N_RANDOM, _N_NEAR, _N_BEST = 150, 10, 5  # new points looked at: anywhere, and about the best runs
_N_EXACT = 80  # of the candidates, how many are worked out in full
_PRIOR_WEIGHT = 6.0
_HORIZONS = (0, 3, 1000)  # slices beyond the next, up to the last
_CHANCE = 0.1  # of ending best, below which the last runs are left alone
_FAR, _N_IN_VAIN = 0.4, 6  # of a training, and runs that sit there by then: the others will too


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
    first_step: int = 1  # from which on losses are believed
    pause: float = 0.0  # its cost, in steps
    groups: Sequence[tuple[str, ...]] = ()  # new points differ from the best in one of them only
    deceived: bool = False  # a second look has shown that losses before `first_step` deceive

    @classmethod
    def of(
        cls,
        view: StudyView,
        sampler: Sampler,
        runs: Sequence[Run],
        kind: str,
        first_step: int = 1,
        groups: Sequence[tuple[str, ...]] = (),
        deceived: bool = False,
    ) -> "Picture | None":
        """Through a model of one kind of warp; None while no loss is a number."""
        encoding = encoding_of(view.study.space, sampler)
        grid = log_grid(int(view.study.max_steps or 1))
        units = encoding.units(run.params for run in runs)
        x = encoding.rows(units)
        # without new points there is nothing else to turn to
        with_idle = view.n_new <= 0
        model = CurveModel.of(runs, x, encoding, grid, kind, first_step, with_idle=with_idle)
        if model is None:
            return None
        unknown = np.isnan(lowest_so_far(runs))
        lowest = np.where(unknown, np.nan, model.lowest)
        broken = broke(runs)
        unread = deceived & np.isinf(lowest) & ~(broken | model.idle)
        belief = belief_of(view.study.space, units[~unread], lowest[~unread])
        return cls(
            view, runs, encoding, units, x, model, belief, broken, first_step, pause_steps(view),
            groups, deceived,
        )  # fmt: skip

    def best_new(self, rng: np.random.Generator) -> dict[str, Value] | None:
        """The most promising new point."""
        units = self._hopeful(rng)
        if not len(units):
            return None
        order, _ = self._order(np.empty(0, dtype=np.int64), units, rng)
        return self._point(units, order)

    def best_of_all(self, rng: np.random.Generator) -> Action | None:
        """Continue the most promising run, or start a point that looks better still."""
        paused = self._may_go_on()
        units = self._hopeful(rng) if self.view.n_new > 0 else self.units[:0]
        if self.view.n_new <= 0:
            paused = self._contenders(paused)
        if not len(paused) + len(units):
            return None
        order, challenger = self._order(paused, units, rng)
        if challenger is not None:
            return self._slice(challenger, AGAINST)
        for choice in order:
            if choice < len(paused):
                return self._slice(int(paused[choice]), "most-promising")
            point = self._point(units, np.array([choice - len(paused)]))
            if point is not None:
                reason = "early-deceives" if self.deceived else "new-point"
                reason = "prior-doubted" if self._doubts() else reason
                to_step = float(self._ends(self._next_places(np.zeros(1)))[0])
                return Start(params=point, to_step=to_step, reason=reason)
        return None

    def one_that_looks_poor(self, rng: np.random.Generator) -> Action | None:
        """Half a training for it, once nothing better has come for long; no more of them once one
        has overtaken the others, and early losses are not believed."""
        best = self.runs[int(np.argmin(self.model.lowest))]
        if self.view.n_new <= 0 or self.deceived or not may_look_again(self.view, best):
            return None
        return second_look(self.view, self.runs, self.model.lowest, self._may_go_on(), rng)

    def longest_sitter(self) -> Action | None:
        """Of the runs that sit at chance the one that has trained longest: it may take off late.

        None while such a run trains, once some sat there long in vain, and when another run is
        below them all.
        """
        sitting = [int(i) for i in np.flatnonzero(self.model.idle)]
        far = _FAR * (self.view.study.max_steps or 1)
        paused = [i for i in sitting if _waits(self.runs[i], far)]
        level = min((self.runs[i].curve.values[-1] for i in sitting), default=-np.inf)
        n_in_vain = sum(self.runs[i].step >= far for i in sitting)
        busy = any(self.runs[i].active for i in sitting)
        if not paused or busy or n_in_vain >= _N_IN_VAIN or self.model.lowest.min() < level:
            return None
        return self._slice(max(paused, key=lambda i: self.runs[i].step), "may-take-off")

    def _may_go_on(self) -> NDArray[np.int64]:
        """Paused runs that are neither broken nor sit at chance."""
        last = self.view.study.max_steps or 1
        hopeless = self.model.idle | self.broken
        go_on = [i for i, run in enumerate(self.runs) if _waits(run, last) and not hopeless[i]]
        return np.array(go_on, dtype=np.int64)

    def _slice(self, number: int, reason: str) -> Continue:
        run = self.runs[number]
        places = self._following(np.array([run.step]), np.array([number]))
        return Continue(run_id=run.id, to_step=float(self._ends(places)[0]), reason=reason)

    def _following(self, at: Array, own: NDArray[np.int64]) -> NDArray[np.int64]:
        """Places in the grid to which candidates have to come to tell anything: the next, or where
        others took off from the level at which they sit. New points have that before them too,
        though they begin with less: most do not come to that level."""
        early = np.append(self.model.early, self.model.take_off >= 0)[own]
        places = self._next_places(at)
        if self.deceived:  # nothing is told before the first step that is believed
            grid = self.model.readings.grid
            places = np.maximum(places, np.searchsorted(grid, self.first_step))
        return np.where(early, np.maximum(places, self.model.take_off), places)

    def _next_places(self, at: Array) -> NDArray[np.int64]:
        return next_places(self.model.readings.grid, at, self.pause)

    def _ends(self, places: NDArray[np.int64]) -> Array:
        """Where slices end that reach to places of the grid: at steps that are believed."""
        grid = self.model.readings.grid
        ends: Array = np.maximum(grid[np.minimum(places, len(grid) - 1)], self.first_step)
        return ends.astype(np.float64)

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
        """Whether a prior that the user stated was set aside."""
        kept = {n: self.belief.space.domains[n].prior for n in self.belief.names}
        return any(
            d.prior is not None and kept.get(n) != d.prior
            for n, d in self.view.study.space.domains.items()
        )

    def _order(
        self, paused: NDArray[np.int64], units: Array, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], int | None]:
        """Candidates (paused runs, then new points), the most promising first; and the run that
        should go on before them all, to see whether the model is right."""
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
        gain, odds = self._gain(x[few], own[few], at[few])
        merit = gain + np.log(holds[few])
        if self.belief.names:
            places = np.concatenate([self.units[paused], units])[few]
            n_slices = len(model.readings.run)
            merit = merit + _PRIOR_WEIGHT / max(n_slices, 1) * self.belief.log_density(places)
        order = few[np.argsort(-merit, kind="stable")]
        return order, self._challenger(own[few], odds, rng)

    def _challenger(
        self, own: NDArray[np.int64], odds: Odds, rng: np.random.Generator
    ) -> int | None:
        """Of the candidates the run to put the model to the test with."""
        best = int(np.argmin(self.model.lowest))
        chosen = odds.challenger((own >= 0) & (own != best), rng)
        if chosen is None or self.view.n_new <= 0 or not may_test(self.view, self.runs[best]):
            return None
        return int(own[chosen])

    def _holds(self, x: Array) -> Array:
        """Chances that training does not break there."""
        return reliability(self.model.process.kernel, self.x, self.broken, x)

    def _gain(self, x: Array, own: NDArray[np.int64], at: Array) -> tuple[Array, Odds]:
        """Logarithm of the fall expected below the best, per step that it is expected to take, at
        the best of three horizons: the next slice, a few, the end.

        The next slice is paid in any case, the rest only by what then still looks better than the
        best: a new point costs little more than its first slice, for most are given up after it.
        With it, how they would end.
        """
        from scipy.special import ndtr

        grid, warp = self.model.readings.grid, self.model.warp
        best = float(warp(np.array([self.model.lowest.min()]))[0])
        following = self._following(at, own)
        slice_end = self._ends(following)
        places = np.minimum(following[:, None] + np.array(_HORIZONS), len(grid) - 1)
        mean, spread = self.model.process.predict(x, own, places)
        fall = np.maximum(warp.gain(mean, spread), 1e-30)
        ends = grid[places].astype(np.float64)
        chance = ndtr((best - mean) / spread)
        steps = _expected_steps(at[:, None], slice_end[:, None], ends, chance)
        merit: Array = (np.log(fall) - np.log(steps + self.pause)).max(axis=1)
        return merit, Odds(mean[:, -1], spread[:, -1], chance[:, -1])

    def _hopeful(self, rng: np.random.Generator) -> Array:
        """New points; once runs have broken, the half that is least likely to."""
        units = self._new_points(rng)
        if self.groups:
            units = self._within(units)
        if len(units) < 2 or not self.broken.any():
            return units
        holds = self._holds(self.encoding.rows(units))
        return units[holds >= np.median(holds)]

    def _within(self, units: Array) -> Array:
        """Points that differ from the best so far in the first group of which not all have been
        tried; as they were where there is none."""
        space = self.view.study.space
        tried = [trial.params for trial in self.view.trials.values()]
        centre = space.to_unit(centre_of(self.view))
        for group in self.groups:
            moving = [name in group for name in space.names]
            held = np.unique(np.where(moving, units, centre), axis=0)
            points = [space.from_unit(unit) for unit in held]
            fresh = [point not in tried and space.feasible(point) for point in points]
            if any(fresh):
                return held[fresh]
        return units

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
        encoded, numbers = listed(self.encoding)
        free = np.ones(len(places), dtype=bool)
        free[[numbers[key] for key in map(key_of, self.units) if key in numbers]] = False
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


def _waits(run: Run, until: float) -> bool:
    """Whether it can go on, and has not trained so far."""
    return run.state is RunState.PAUSED and run.to_step <= run.step < until


def _expected_steps(at: Array, slice_end: Array, end: Array, chance: Array) -> Array:
    """Steps from `at` to the end of a slice, and with the chance of being better than the best
    also those from there to `end`."""
    first = np.maximum(np.minimum(slice_end, end) - at, 1.0)
    steps: Array = first + chance * np.maximum(end - at - first, 0.0)
    return steps
