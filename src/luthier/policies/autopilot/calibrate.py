"""The rate to begin with: short probes at constant rates from step 0, the best of which go on.

Probes lie on a grid around the first rate, first far apart, outwards while the edge is best, then
close by. All see the same batches in the same order. What diverges bounds the peak from above.
Constant rates, since what anneals at step 0 chooses no better and its steps are lost; short ones
prefer low rates later in a training, but not at its start (arXiv:1803.02021, measured).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from luthier.core.action import ASKS, Action, Change, Continue, Fork, Pause
from luthier.core.domain import Float
from luthier.core.study import Run, RunState
from luthier.diagnosis.series import noise
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.course import main_course, saving
from luthier.policies.autopilot.logbook import (
    MAIN,
    PROBE,
    Logbook,
    end_for,
    own_steps,
    waits,
)
from luthier.policies.rungs import first_told, silent

N_COARSE = 3  # the rate given and its two neighbours, before anything is judged
_BROKEN = (RunState.FAILED, RunState.LOST, RunState.STOPPED)


@final
@dataclass(frozen=True, slots=True)
class Rates:
    """What the probes say; places count grid steps from the first rate."""

    at: dict[int, float]  # place -> rate
    loss: dict[int, float]  # place -> loss at the end of the probe; infinite where it diverged
    loose: tuple[float, ...]  # rates whose loss rose again after it had fallen

    @property
    def bearable(self) -> list[int]:
        """Places that are no worse than the lowest rate, which has hardly moved, by far."""
        start = self.loss[min(self.loss)]
        if not math.isfinite(start):
            return []
        return [k for k, v in self.loss.items() if v <= start + c.EXPLODED * abs(start)]

    @property
    def telling(self) -> bool:
        """Whether they can be compared: one has learned something, or the highest learns most."""
        start, lowest = self.loss[min(self.loss)], min(self.loss.values())
        if len(self.bearable) < 2 or self.loss[max(self.loss)] <= lowest:
            return True
        return start - lowest >= c.TELLING * abs(start)

    @property
    def best(self) -> int | None:
        """The highest rate's place among those alike; None when every rate diverged.

        Where nothing has been learned yet, the nearest to the rate given.
        """
        lowest = min(self.loss.values())
        if not math.isfinite(lowest):
            return None
        if not self.telling:
            return min(self.bearable, key=abs)
        return max(k for k, v in self.loss.items() if v <= lowest + c.ALIKE * abs(lowest))

    @property
    def diverged(self) -> float:
        """The lowest rate above the best that did worse than the lowest rate of all, or infinity.

        At the lowest rate hardly anything has been learned yet.
        """
        best, start = self.best, self.loss[min(self.loss)]
        if best is None or best == min(self.loss):
            broken = (self.at[k] for k, v in self.loss.items() if math.isinf(v))
            return min(broken, default=math.inf)
        worse = (self.at[k] for k, v in self.loss.items() if k > best and not v < start)
        return min(worse, default=math.inf)


def probe_steps(planned: float | None) -> int:
    """Steps of the first probe of each rate."""
    return max(1, round(c.PROBE_SHARE * planned)) if planned else 1


def allowed_steps(planned: float | None) -> float:
    """Steps that all probes but the winner may cost."""
    if planned is None:
        return 10.0 * probe_steps(None)
    high, low = c.CALIBRATION_SHARE
    share = high - (high - low) * min(1.0, max(0.0, math.log10(max(planned, 1.0) / 1e3)))
    return share * planned


def calibrate(log: Logbook) -> list[Action]:
    """What to probe next; at the end the winner's change into the run that is raised."""
    first = log.first
    assert first is not None
    if silent([first]):
        further = first.step + probe_steps(log.planned)
        return _onward(log, [first], further, "nothing reported yet")
    n_first = _first_steps(log)
    if any(run.active and run.step < n_first for run in log.probes) and log.view.n_free < 1:
        return []
    asked = [run for run in log.probes if not _done(run, n_first)]
    going = _onward(log, asked, n_first, "first rung")
    if asked:
        return going
    rates = _rates(log, n_first)
    wanted = _next_places(log, rates, n_first)
    if wanted:
        return [_probe(log, rate, n_first) for rate in wanted[: log.view.n_free]]
    if rates.best is None:
        return _give_up(log)
    return _rungs(log, rates, n_first) if rates.telling else _longer(log, rates, n_first)


def _longer(log: Logbook, rates: Rates, n_first: int) -> list[Action]:
    """Nothing has been learned yet: the best go on with the rate given, which is kept if alike."""
    given = next(run for run in log.probes if _place(log, run) == rates.best)
    fine = [run for run in log.probes if _place(log, run) in rates.bearable and run is not given]
    longest = float(c.N_LONGEST * _unit(log))
    going = [run for run in fine if run.step > n_first]  # begun already
    # by the loss alone: that little has been learned, but not that it is all the same
    fine = going or sorted(fine, key=lambda run: _loss(run, n_first))
    spent = _lost(log) - sum(own_steps(run) - n_first for run in going)
    room = int((allowed_steps(log.planned) - spent) // (longest - n_first)) if longest else 0
    rivals = [given, *fine[: max(0, min(N_COARSE - 1, room))]]
    late = [run for run in rivals if not _done(run, longest)]
    if late and len(rivals) > 1:
        return _onward(log, late, longest, "nothing learned yet, longer")
    best = _ranked(log, rivals, longest)[0]
    gain = _loss(given, longest) - _loss(best, longest)
    enough = min(c.TELLING * abs(_loss(best, longest)), c.NOISES * noise(given.curve.values))
    if len(rivals) > 1 and not gain <= enough:
        return _raise(log, best, rates)
    return _raise(log, given, rates, why="is kept, as no rate has learned enough to tell")


def _unit(log: Logbook) -> int:
    """Steps of a first probe: as planned, or up to the first report where that comes later."""
    told = first_told(log.first) if log.first is not None else math.inf
    return max(probe_steps(log.planned), math.ceil(told) if told < math.inf else 0)


def _first_steps(log: Logbook) -> int:
    """Steps of the first probe of each rate: more where the coarse ones have learned nothing."""
    n_first = _unit(log)
    coarse = [run for run in log.probes if abs(_place(log, run)) in (0, c.STRIDE)]
    if len(coarse) < N_COARSE or not all(_done(run, n_first) for run in coarse):
        return n_first
    rates = _rates(log, n_first, coarse)
    longer = c.N_LONGER * n_first
    fits = (N_COARSE - 1) * longer <= allowed_steps(log.planned)
    return n_first if rates.telling or not fits else longer


def _rungs(log: Logbook, rates: Rates, n_first: int) -> list[Action]:
    """The better ones train on, fewer and fewer, as far as the allowance goes; the best is it."""
    step, rivals = float(n_first), _ranked(log, log.probes, n_first)
    # among them the rate given, which somebody had a reason for: what dies at once may seem better
    given = [run for run in log.probes if _place(log, run) == 0 and 0 in rates.bearable]
    n_best = c.RUNGS[0][0] - 1
    rivals = [*rivals[:n_best], *(run for run in given if run not in rivals[:n_best]),
              *rivals[n_best:]]  # fmt: skip
    for n_kept, times in c.RUNGS:
        following = float(times * _unit(log))
        if following <= step:
            continue
        rivals = [run for run in rivals[:n_kept] if math.isfinite(_loss(run, step))]
        late = [run for run in rivals if not _done(run, following)]
        if len(rivals) < 2:
            break
        if late:
            cost = sum(following - run.step for run in late) - (following - step)
            if _lost(log) + cost > allowed_steps(log.planned):
                break
            return _onward(log, late, following, "the better ones once more")
        before = min(_loss(run, n_first) for run in log.probes)
        now = min(_loss(run, following) for run in rivals)
        if not before - now >= c.TELLING * abs(before):
            lower = _lower(log, rivals)
            fits = _lost(log) + following - n_first <= allowed_steps(log.planned)
            if lower and not _done(lower[0], following) and (fits or lower[0].active):
                return _onward(log, lower, following, "the others stand still")
            rivals = [*rivals, *lower]
        step, rivals = following, _ranked(log, rivals, following)
    return _raise(log, rivals[0], rates)


def _lower(log: Logbook, rivals: Sequence[Run]) -> list[Run]:
    """The next lower rate, if there is one: what is dead stands still from the start."""
    lowest = min(_trial_rate(log, run) for run in rivals)
    fine = (run for run in log.probes if run.state not in _BROKEN)
    below = [run for run in fine if _trial_rate(log, run) < lowest]
    return sorted(below, key=lambda run: -_trial_rate(log, run))[:1]


def _ranked(log: Logbook, runs: Sequence[Run], step: float) -> list[Run]:
    """From the lowest loss at a step; of those alike to the lowest, the highest rate first."""
    losses = {run.id: _loss(run, step) for run in runs}
    lowest = min(losses.values())
    alike = lowest + c.ALIKE * abs(lowest) if math.isfinite(lowest) else lowest

    def order(run: Run) -> tuple[float, float]:
        same = losses[run.id] <= alike
        return (lowest if same else losses[run.id], -_trial_rate(log, run) if same else 0.0)

    return sorted(runs, key=order)


def _raise(log: Logbook, winner: Run, rates: Rates, why: str = "") -> list[Action]:
    """The winner's rate becomes the peak of a course."""
    if not waits(winner):
        return []
    rate = float(winner.params[log.rate])
    tried = winner.step >= c.N_LONGEST * _unit(log)
    boost = 1.0 if log.planned is None or why else c.BOOST if tried else c.BOOST_SHORT
    loose = min((r for r in rates.loose if r > rate), default=math.inf)
    limit = max(min(rate, boost * rate), min(c.BELOW_DIVERGENCE * rates.diverged, loose / c.GRID))
    domain = log.view.study.space.domains[log.rate]
    assert isinstance(domain, Float)
    peak = domain.cast(min(boost * rate, limit, domain.high))
    words = ", ".join(f"{rates.at[k]:.3g}: {rates.loss[k]:.4g}" for k in sorted(rates.at))
    return [
        Change(
            run_id=winner.id,
            params={
                log.rate: peak,
                **main_course(log, winner.step, rate / peak, end_for(log, winner)),
                **saving(log),
            },
            reason=f"{MAIN}: {log.rate}={rate:.3g} {why or 'was best'} ({words}), so its steps are "
            f"kept; peak {peak:.3g}",
        )
    ]


def _next_places(log: Logbook, rates: Rates, n_first: int) -> list[float]:
    """Rates to probe next, within what may be spent; empty when the best is enclosed."""
    room = int((allowed_steps(log.planned) - _lost(log)) // n_first)
    known = set(rates.at)
    best = rates.best
    # in pairs, whatever the number of places: what is wanted next must not depend on it
    pair = [place for place in (c.STRIDE, -c.STRIDE) if place not in known]
    if pair and _inside(log, pair):
        wanted = pair
    elif best is not None and (not rates.telling or n_first > _unit(log)):
        wanted = []  # nothing would come of it, or what there is goes further instead
    elif best is None:
        wanted, room = [min(known) - c.STRIDE], max(room, int(len(known) < 2 * c.GRID))
    elif best == max(known):
        wanted = [best + c.STRIDE]
    elif best == min(known):
        wanted = [best - c.STRIDE]
    else:
        coarse = [place for place in known if place % c.STRIDE == 0]
        centre = min(coarse, key=lambda place: (rates.loss[place], -place))
        # upwards first: a peak too low costs more than one too high (measured)
        wanted = [centre + 1, centre - 1]
    wanted = [place for place in _inside(log, wanted) if place not in known]
    return [rate for place in wanted[: max(room, 0)] if (rate := _rate(log, place)) is not None]


def _inside(log: Logbook, places: list[int]) -> list[int]:
    """Those whose rates are in the domain."""
    return [place for place in places if _rate(log, place) is not None]


def _rate(log: Logbook, place: int) -> float | None:
    """The rate at a place of the grid; None where the space has no such point."""
    assert log.first is not None
    domain = log.view.study.space.domains[log.rate]
    assert isinstance(domain, Float)
    rate = float(_trial_rate(log, log.first)) * c.GRID**place
    if not domain.low <= rate <= domain.high:
        return None
    rate = float(domain.cast(rate))
    point = {**log.view.trials[log.first.trial].params, log.rate: rate}
    return rate if log.view.study.space.feasible(point) else None


def _probe(log: Logbook, rate: float, n_first: int) -> Fork:
    first = log.first
    assert first is not None
    return Fork(
        run_id=first.id,
        at_step=0.0,
        to_step=n_first,
        params={log.rate: rate},
        seed=log.view.study.trial_seed(first.trial),  # the same batches for all
        reason=f"{PROBE}: {log.rate}={rate:.3g} for {n_first} step{'s' * (n_first > 1)}",
    )


def _onward(log: Logbook, runs: Sequence[Run], to_step: float, words: str) -> list[Action]:
    paused = [run for run in runs if waits(run) and run.to_step <= run.step]
    return [
        Continue(run_id=run.id, to_step=to_step, reason=f"{PROBE}: {words}")
        for run in paused[: log.view.n_free]
    ]


def _give_up(log: Logbook) -> list[Action]:
    words = f"{ASKS}every rate that was probed diverged; look at data, loss and model"
    paused = [run for run in log.probes if waits(run)]
    if not paused or any(run.reason == words for run in paused):
        return []
    lowest = min(paused, key=lambda run: _trial_rate(log, run))
    return [Pause(run_id=lowest.id, reason=words)]


def _rates(log: Logbook, step: float, probes: Sequence[Run] = ()) -> Rates:
    at, loss, loose = {}, {}, []
    for run in probes or log.probes:
        place = _place(log, run)
        at[place], loss[place] = _trial_rate(log, run), _loss(run, step)
    start = loss[min(loss)]
    for run in probes or log.probes:
        low, last = float(run.curve.best_loss), float(run.curve.last)
        if run.step > step and not last - low <= c.LOOSE * max(0.0, start - low):
            loose.append(_trial_rate(log, run))
    return Rates(at, loss, tuple(loose))


def _place(log: Logbook, run: Run) -> int:
    """The place of its rate on the grid."""
    first = float(_trial_rate(log, log.probes[0]))
    return round(math.log(_trial_rate(log, run) / first) / math.log(c.GRID))


def _trial_rate(log: Logbook, run: Run) -> float:
    return float(log.view.trials[run.trial].params[log.rate])


def _done(run: Run, step: float) -> bool:
    return run.state in _BROKEN or run.state is RunState.COMPLETED or (
        run.step >= step and not run.active
    )  # fmt: skip


def _loss(run: Run, step: float) -> float:
    loss = run.curve.at(step)
    ended = run.state in _BROKEN and run.step < step
    return loss if math.isfinite(loss) and not ended else math.inf


def _lost(log: Logbook) -> float:
    """Steps that will be lost, whichever of the probes goes on."""
    steps = [own_steps(run) for run in log.probes]
    return sum(steps) - max(steps, default=0.0)
