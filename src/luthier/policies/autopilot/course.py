"""The course of the rate: up to the peak, then down to zero; a cooldown where no end is known."""

import math

from luthier.core.action import Action, Change, Stop
from luthier.core.course import AVERAGE, SAVE, SUFFIX, Points, factor_at
from luthier.core.domain import Value
from luthier.core.study import Run
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.logbook import COOL, MEAN, Logbook, ancestors, code_of
from luthier.policies.autopilot.reading import is_flat


def main_course(log: Logbook, step: float, first: float, end: float | None) -> dict[str, Value]:
    """From the factor `first` at `step` to the peak, then to zero at `end`.

    Decay to zero over a known budget: arXiv:2502.15938. Constant where no end is known.
    """
    name = log.rate + SUFFIX
    if end is None:
        return {name: ((step, first), (step + 1.0, 1.0))}
    rise = max(1.0, c.RISE_SHARE * end) if first < 1.0 else 0.0
    top = min(step + rise, end)
    begin = ((step, first),) if rise else ()
    return {name: tuple((float(s), float(f"{f:.6g}")) for s, f in (*begin, (top, 1.0), (end, 0.0)))}


def saving(log: Logbook) -> dict[str, Value]:
    """Checkpoints so near to each other that a rollback loses little."""
    return {SAVE: max(1.0, float(round(c.SAVE_SHARE * log.planned)))} if log.planned else {}


def averaging(log: Logbook, run: Run) -> list[Action]:
    """Without a known end the rate stays up, and the mean of the weights is better than they are.

    Under a decay to zero it is not (measured). Asked for once: what attached no model refuses.
    """
    if log.planned is not None or not run.active:
        return []
    lineage = ancestors(log.view, run)
    if any(code_of(entry) == MEAN and entry.run_id in lineage for entry in log.view.diary):
        return []
    return [
        Change(
            run_id=run.id,
            params={AVERAGE: c.AVERAGE_STEPS},
            reason=f"{MEAN}: no end is known, so the rate stays up; run.averaged() evaluates the "
            f"mean of the weights over {c.AVERAGE_STEPS:g} step",
        )
    ]


def shortened(points: Points, step: float, lost: float) -> Points:
    """The course with its end so many steps earlier, at least one behind `step`."""
    end = max(step + 1.0, points[-1][0] - lost)
    return (*(p for p in points[:-1] if p[0] < end), (end, points[-1][1]))


def annealed(log: Logbook, run: Run, step: float, end: float) -> dict[str, Value]:
    """From where the run's course stands at `step` down to zero at `end`."""
    points: Points = run.params.get(log.rate + SUFFIX, ((0.0, 1.0),))
    return {log.rate + SUFFIX: ((step, factor_at(points, step)), (end, 0.0))}


def cool_down(log: Logbook, run: Run) -> list[Action]:
    """Without a known end: when nothing more is gained, 1 - sqrt down to zero, then the end."""
    if log.planned is not None:
        return []
    if begun := log.code(COOL):
        end = begun[-1].action.params[log.rate + SUFFIX][-1][0]  # type: ignore[union-attr]
        if run.step < end:
            return []
        return [Stop(run_id=run.id, reason=f"{COOL}: the cooldown is done")]
    if not run.active or not is_flat(run.curve, c.COOLDOWN_SHARE * run.step):
        return []
    # ahead of the run, which trains on until the order has come
    begin, length = run.step + 1.0, max(1.0, c.COOLDOWN_SHARE * run.step)
    n = c.N_COOLDOWN_POINTS
    averaged: dict[str, Value] = {AVERAGE: 0.0} if run.params.get(AVERAGE) else {}
    points = tuple((begin + length * i / n, 1.0 - math.sqrt(i / n)) for i in range(n + 1))
    return [
        Change(
            run_id=run.id,
            params={log.rate + SUFFIX: points, **averaged},
            reason=f"{COOL}: no further gain in sight at this rate; down to zero until step "
            f"{begin + length:g}",
        )
    ]
