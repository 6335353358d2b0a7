"""Changes in the middle of a training: only when the curve gives cause, and only after a test.

The run pauses; forks of it, which see the same batches, are annealed to zero within a short while,
one as it is (the control), others with one parameter changed; the losses at their ends are
compared in pairs. Constant rates would prefer what is good for the next hundred steps alone
(arXiv:1803.02021). A change that wins is on probation: when the curve then lies above its forecast
it is taken back. Blind tests were of no use when measured, so nothing is tested without a cause.
"""

from dataclasses import replace
from typing import Any

from luthier.core.action import Action, Author, Change, Continue, Fork, Pause, RollBack, Stop
from luthier.core.course import SUFFIX
from luthier.core.entry import Entry
from luthier.core.study import Run
from luthier.core.verdict import verdict
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.arms import (
    Arm,
    arm_of,
    arms,
    cast,
    rehearsal_steps,
    tests_of,
    words_of,
)
from luthier.policies.autopilot.course import annealed, shortened
from luthier.policies.autopilot.logbook import (
    ACCEPT,
    ARM,
    REGRET,
    TEST,
    Logbook,
    checkpoints,
    end_of,
    own_steps,
    waits,
)
from luthier.policies.autopilot.paired import compare
from luthier.policies.autopilot.reading import is_flat, overfits


def intervene(log: Logbook, run: Run) -> tuple[list[Action], bool]:
    """Actions, and whether a test is under way, which the run waits for."""
    if log.planned is None:
        return [], False
    if waits(run) and run.reason.startswith(f"{TEST}:"):
        return _test(log, run)
    if back := _regret(log, run):
        return back, False
    if not run.active or run.step >= end_of(log, run):
        return [], False
    cause = _cause(log, run)
    if not cause or not arms(log, run, cause):
        return [], False
    return [Pause(run_id=run.id, reason=f"{TEST}: {cause} at step {run.step:g}")], True


def _cause(log: Logbook, run: Run) -> str:
    """Why a test is due; empty where there is no cause, no room, or it is too soon."""
    planned = log.planned or 0.0
    done, tests = run.step / planned, tests_of(log)
    lost = 2 * rehearsal_steps(planned)
    apart = tests and run.step < (tests[-1].step or 0.0) + c.APART_SHARE * planned
    if not c.FIRST_SHARE <= done <= c.LAST_SHARE or apart or len(tests) >= c.N_TESTS:
        return ""
    if log.spent() + lost > c.TOTAL_SHARE * planned:
        return ""
    if overfits(run.curve):
        return "overfitting"
    return "plateau" if is_flat(run.curve, c.PLATEAU_AHEAD * planned) else ""


def _test(log: Logbook, run: Run) -> tuple[list[Action], bool]:
    """Forks that are missing, then the comparison and its outcome."""
    planned = log.planned or 0.0
    at = next((k for k in checkpoints(log.view, run) if k.step == run.step), None)
    cause = run.reason.split()[1]
    pause = tests_of(log)[-1]
    made = [(e, r) for e, r in log.arms() if e.number > pause.number]
    end = run.step + rehearsal_steps(planned)
    if any(r.active for _, r in made):
        return [], True
    going = [r for _, r in made if waits(r) and r.step < end]
    if going:
        return [Continue(run_id=r.id, to_step=end, reason=f"{ARM}: goes on")
                for r in going[: log.view.n_free]], True  # fmt: skip
    wanted = arms(log, run, cause) if not made else _rest(log, run, cause, made)
    if at is not None and (wanted or not made):
        forks = [_fork(log, run, None, end)] if not made else []
        forks += [_fork(log, run, arm, end) for arm in wanted]
        return list(forks[: log.view.n_free]), True
    return _outcome(log, run, made), False


def _rest(log: Logbook, run: Run, cause: str, made: list[tuple[Entry, Run]]) -> list[Arm]:
    """Arms that the first forks left no place for; the list as it was before them."""
    begun = {words_of(entry) for entry, _ in made}
    view = log.view
    before = tuple(e for e in view.diary if e.number <= tests_of(log)[-1].number)
    known = {e.run_id for e in before}
    runs = {k: r for k, r in view.runs.items() if k in known}
    then = replace(log, view=replace(view, diary=before, runs=runs))
    return [a for a in arms(then, run, cause) if (a.parameter, a.direction) not in begun]


def _fork(log: Logbook, run: Run, arm: Arm | None, end: float) -> Fork:
    what = f"{arm.parameter} {arm.direction} to {arm.tested:.3g}" if arm else "control as it is"
    params: dict[str, Any] = annealed(log, run, run.step, end)
    if arm:
        params[arm.parameter] = arm.tested
    return Fork(run_id=run.id, at_step=run.step, to_step=end, params=params,
                reason=f"{ARM}: {what}, annealed until step {end:g}")  # fmt: skip


def _outcome(log: Logbook, run: Run, made: list[tuple[Entry, Run]]) -> list[Action]:
    """The forks end; the best arm is taken over if it won, and the run goes on."""
    if not made or words_of(made[0][0])[0] != "control":
        return [_onward(log, run, "no place for a test")]
    number = len(tests_of(log))
    alpha = c.ALPHA * 0.5 ** (number - 1) / max(1, len(made) - 1)
    control = made[0][1]
    stops: list[Action] = []
    best: tuple[float, Arm, str] | None = None
    for entry, fork in made:
        found = compare(control.curve, fork.curve, run.step)
        words = f"{found.relative:+.2%} against the control, p={found.p:.2g} of {alpha:.2g}"
        words = "the control" if fork is control else words
        if not fork.state.ended:
            stops.append(Stop(run_id=fork.id, reason=f"{ARM}: rehearsed, {words}"))
        wins = found.p < alpha and found.relative >= c.LEAST_GAIN
        arm = arm_of(log, entry)
        if wins and arm and (best is None or found.relative > best[0]):
            best = found.relative, arm, words
    if log.limit is not None and (paid := _paid(log, run, made)):
        stops.append(paid)
    if best is None:
        return [*stops, _onward(log, run, "no change won")]
    _, arm, words = best
    change = Change(run_id=run.id, params={arm.parameter: cast(log, arm)},
                    reason=f"{ACCEPT}: {arm.parameter} {arm.direction}, {words}")  # fmt: skip
    return [change, *stops, _onward(log, run, "with the change on probation")]


def _paid(log: Logbook, run: Run, made: list[tuple[Entry, Run]]) -> Change | None:
    """In a budget of steps the course ends earlier by what the test has cost; None if it does."""
    course = run.params.get(log.rate + SUFFIX)
    known = [e for e in log.code(TEST) if isinstance(e.action, Change)]
    if not course or any(e.number > made[0][0].number for e in known):
        return None
    cost = sum(own_steps(fork) for _, fork in made)
    return Change(run_id=run.id,
                  params={log.rate + SUFFIX: shortened(course, run.step, cost)},
                  reason=f"{TEST}: its {cost:g} steps are paid for")  # fmt: skip


def _onward(log: Logbook, run: Run, words: str) -> Continue:
    return Continue(run_id=run.id, to_step=end_of(log, run), reason=f"{TEST}: {words}")


def _regret(log: Logbook, run: Run) -> list[Action]:
    """Back to before an accepted change when the curve lies above its forecast since."""
    accepted = [e for e in log.code(ACCEPT) if isinstance(e.action, Change)]
    if not accepted or not run.active:
        return []
    entry = accepted[-1]
    later = (e for e in log.entries if e.number > entry.number and e.step is not None)
    moved = any(isinstance(e.action, Change | RollBack) for e in later)
    window = max(float(c.PATIENCE), c.PROBATION_SHARE * (log.planned or 0.0))
    if moved or entry.step is None or run.step < entry.step + window:
        return []
    if run.step > entry.step + 3 * window or verdict(run.curve, entry.step).outcome != "hurt":
        return []
    to = next((k for k in checkpoints(log.view, run) if k.step == entry.step), None)
    before = {k: v for k, v in entry.before.items() if k in getattr(entry.action, "params", {})}
    if to is None or not before or entry.action.author is not Author.POLICY:
        return []
    what = " ".join(words_of(entry))
    return [RollBack(run_id=run.id, to_step=to.step, params=before,
                     reason=f"{REGRET}: {what} is above its forecast, taken back")]  # fmt: skip
