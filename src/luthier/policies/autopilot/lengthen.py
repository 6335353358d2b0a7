"""When the budget of steps has grown, the course goes on: up to a part of the peak, and down again.

What was annealed to zero learns nothing more at a rate of next to nothing.
"""

from luthier.core.action import Action, Change, Fork
from luthier.core.course import SUFFIX, Points, factor_at
from luthier.core.domain import Value
from luthier.core.study import Run, RunState
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.logbook import (
    DONE,
    LONGER,
    MAIN,
    Logbook,
    ancestors,
    end_of,
    own_steps,
    waits,
)


def lengthen(log: Logbook, run: Run) -> list[Action]:
    """A course to the new end; nothing where the budget is what it was."""
    name = log.rate + SUFFIX
    stopped = run.state is RunState.STOPPED and run.reason.startswith(f"{DONE}:")
    if log.limit is None or name not in run.params or not (waits(run) or stopped):
        return []
    gain = _gained(log, run, name)
    end = end_of(log, run)
    if gain < max(c.LEAST_LONGER, c.LONGER_SHARE * end):
        return []
    params: dict[str, Value] = {name: _course(run.params[name], run.step, end + gain)}
    reason = (
        f"{LONGER}: {gain:g} steps more than planned; {log.rate} from where it is to "
        f"{c.REWARMED:g} of its peak, then down to zero at step {end + gain:g}"
    )
    if not stopped:
        return [Change(run_id=run.id, params=params, reason=reason)]
    if log.view.n_free < 1:
        return []
    return [Fork(run_id=run.id, at_step=run.step, to_step=end + gain, params=params, reason=reason)]


def _gained(log: Logbook, run: Run, name: str) -> float:
    """Steps that the budget has grown by since the course was made; what was lost stays lost."""
    made = [e for e in log.code(MAIN) if name in getattr(e.action, "params", {})]
    if not made or log.planned is None or log.limit is None:
        return 0.0
    lineage = ancestors(log.view, run)
    probed = sum(own_steps(r) for r in log.probes if r.id not in lineage)
    longest = log.view.study.max_steps or float("inf")
    first = made[0].action.params[name][-1][0]  # type: ignore[union-attr]
    gain = min(log.limit - probed, longest) - first
    for entry in log.code(LONGER):
        after = entry.action.params[name][-1][0]  # type: ignore[union-attr]
        before = entry.before.get(name)
        if isinstance(entry.action, Fork):
            before = log.view.runs[entry.action.run_id].params[name]
        gain -= after - (before[-1][0] if before else after)
    return float(gain)


def _course(points: Points, step: float, end: float) -> Points:
    """From the factor in force, up to a part of the peak if it is below that, down to zero."""
    now = factor_at(points, step)
    if now >= c.REWARMED:
        return ((step, now), (end, 0.0))
    top = step + max(1.0, c.RISE_SHARE * (end - step))
    return ((step, float(f"{now:.6g}")), (top, c.REWARMED), (end, 0.0))
