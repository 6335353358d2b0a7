"""When the training is lost: back to before it was, without the batches around it, and milder.

The first attempt only leaves the batches out (PaLM restarted 100 steps earlier and skipped 200 to
500), from the nearest checkpoint; the following ones go further back and lower the rate. A
divergence at a rate that was never higher is the rate's fault at once. The rate is that from before
the newest change behind the checkpoint: what a wrong change did is taken back with it.
"""

import math

from luthier.core.action import Action, Change, Fork, RollBack
from luthier.core.course import SKIP, SUFFIX, factor_at
from luthier.core.domain import Float, Value
from luthier.core.entry import Entry
from luthier.core.study import Checkpoint, Run, RunState
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.course import main_course, shortened
from luthier.policies.autopilot.logbook import (
    BACK,
    MAIN,
    RESCUE,
    Logbook,
    ask,
    changes,
    checkpoints,
    code_of,
    end_of,
)
from luthier.policies.autopilot.reading import Trouble, trouble


def guard(log: Logbook, run: Run) -> list[Action]:
    """A rollback, a new run in place of one that ended, a question; nothing while all is well."""
    found = trouble(run.curve)
    if run.state is RunState.FAILED:
        tried = [e for e in _setbacks(log, RESCUE) if e.number > log.touched]
        if len(tried) >= c.N_RESCUES:
            return []
        found = found or Trouble("failed", run.step + 1.0, run.step + 1.0)
    if found is None or run.state is RunState.STOPPED:
        return []
    n_before = sum(e.number > log.touched for e in _setbacks(log, BACK, RESCUE))
    if n_before >= c.N_ROLLBACKS:
        return ask(run, f"{found.kind} at step {found.onset:g} again, after {n_before} rollbacks")
    n_here = _times_here(log, found)
    # where the rate had been higher before, something else has happened: data, or a mistake
    accident = found.kind == "not a number" or _has_borne_more(log, run, found.onset)
    near = accident and not n_here
    # one step at least between the checkpoint and the batches to leave out
    distance = 1.0 if near else max(3.0, c.BACK_SHARE * (log.planned or 0.0))
    to = _before(log, run, found.onset, distance)
    lost = found.last - (to.step if to else 0.0)
    dear = lost > c.DEAR_SHARE * (log.planned or math.inf) and found.kind == "diverged"
    if dear and found.last < found.onset + 2 * c.PATIENCE and not run.state.ended:
        return []  # it may come back by itself, which is cheaper
    # first one of the two, then the other, then both
    data = accident or n_here > 0
    factor = 1.0 if data and n_here == int(not accident) else c.MILDER
    params = _params(log, run, found, to, factor)
    if data:
        # what diverges again has begun to before it shows
        begin = found.onset - (2.0 if found.kind == "diverged" and not near else 1.0)
        params[SKIP] = tuple(sorted({*run.params.get(SKIP, ()), (begin, found.last)}))
    step = to.step if to else 0.0
    where = f"{found.kind} at step {found.onset:g}: back to {step:g}"
    left_out = "without the batches since, " if data else ""
    how = f"{left_out}{log.rate} x{factor:g}"
    if not run.state.ended and to is not None:
        return [RollBack(run_id=run.id, to_step=to.step, params=params,
                         reason=f"{BACK}: {where}, {how}")]  # fmt: skip
    if not run.state.ended or log.view.n_free < 1:
        return []
    return [Fork(run_id=run.id, at_step=step, to_step=end_of(log, run), params=params,
                 reason=f"{RESCUE}: {where}, {how}")]  # fmt: skip


def _setbacks(log: Logbook, *codes: str) -> list[Entry]:
    """In the whole diary: of new runs in place of ended ones, none descends from another."""
    return [e for e in log.view.diary if e.state == "obeyed" and code_of(e) in codes]


def _times_here(log: Logbook, found: Trouble) -> int:
    """How often the autopilot has gone back from this place before."""
    reasons = (entry.action.reason for entry in _setbacks(log, BACK, RESCUE))
    onsets = [float(reason.split(" at step ")[1].split(":")[0]) for reason in reasons]
    return sum(abs(onset - found.onset) <= c.PATIENCE for onset in onsets)


def _has_borne_more(log: Logbook, run: Run, onset: float) -> bool:
    """Whether the run's course had been at least so much higher before, for some reports."""
    course = run.params.get(log.rate + SUFFIX)
    if not course:
        return False
    bearable = factor_at(course, onset) / c.BORNE
    before = run.curve.steps[run.curve.steps < onset - c.PATIENCE]
    return sum(factor_at(course, step) >= bearable for step in before) >= c.PATIENCE


def _before(log: Logbook, run: Run, onset: float, distance: float) -> Checkpoint | None:
    """The newest checkpoint that lies before the trouble, with some distance if there is one."""
    fine = [k for k in checkpoints(log.view, run) if k.step < onset and k.loss is not None]
    return next((k for k in fine if k.step < onset - distance), fine[0] if fine else None)


def _params(
    log: Logbook, run: Run, found: Trouble, to: Checkpoint | None, factor: float
) -> dict[str, Value]:
    """The rate from before the trouble, made milder, and its course."""
    rate = float(run.params[log.rate])
    for entry in changes(log):
        action, known = entry.action, entry.before.get(log.rate)
        if not isinstance(action, Change) or code_of(entry) == MAIN or to is None:
            continue
        wrong = log.rate in action.params and entry.step is not None and entry.step >= to.step
        if wrong and isinstance(known, float):
            rate = known
            break
    domain = log.view.study.space.domains[log.rate]
    assert isinstance(domain, Float)
    course = run.params.get(log.rate + SUFFIX)
    step = to.step if to else 0.0
    own = main_course(log, step, 1.0, log.planned)
    if course:  # in a budget of steps, what is lost is gone
        lost = found.last - step if log.limit is not None else 0.0
        own = {log.rate + SUFFIX: shortened(course, step, lost)}
    return {log.rate: domain.cast(max(domain.low, rate * factor)), **own}
