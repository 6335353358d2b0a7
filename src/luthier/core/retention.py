"""Which checkpoints may be deleted: functions of the view.

Never: the newest of a run that has not ended (a pause, a retry or a rollback starts from it), what
a run without a checkpoint of its own came from, what is marked, the best of the study, and those in
`held`, which an action that is under way will read.

A policy that forks runs in the middle says up to which share of a training; the newest of a run
from before that stays too.
"""

import math
from collections.abc import Set

from luthier.core.study import Checkpoint, Run, RunState, StudyView

N_WHILE_TRAINING = 3
N_BEFORE_CHANGES = 10  # of a run: one is taken before every change of a live parameter
Key = tuple[str, float]  # run id, step


def superseded(
    view: StudyView,
    run_id: str,
    held: Set[Key] = frozenset(),
    forks_before: float | None = None,
) -> list[Checkpoint]:
    """All of a run but its newest (three while it trains), its best, and what other runs are from.

    `forks_before`: share of a full training, before which the newest stays as well.

    A person, or a guard, may want to go back a little further than to the newest.
    """
    run = view.runs[run_id]
    kept = {c.step for c in run.checkpoints[-N_WHILE_TRAINING if run.active else -1 :]}
    if (best := _best_of(run)) is not None:
        kept.add(best.step)
    kept |= {c.step for c in _kept(run)}
    kept |= _early(view, run, forks_before)
    kept |= {r.parent.step for r in view.runs.values() if r.parent and r.parent.run_id == run_id}
    return [c for c in run.checkpoints if c.step not in kept and _key(c) not in held]


def spare(view: StudyView, limit_bytes: float, held: Set[Key] = frozenset()) -> list[Checkpoint]:
    """What to delete so that all checkpoints together fit, if that can be done; the worst first."""
    needed = _needed(view) | held
    free = [c for run in _worst_first(view) for c in run.checkpoints if _key(c) not in needed]
    # runs that have ended cannot go on: theirs go before those a human may roll back to
    free.sort(key=lambda c: not view.runs[c.run_id].state.ended)
    over_bytes = n_bytes(view) - limit_bytes
    gone = []
    for checkpoint in free:
        if over_bytes <= 0:
            break
        gone.append(checkpoint)
        over_bytes -= checkpoint.n_bytes
    return gone


def least_promising(view: StudyView) -> Run | None:
    """The paused run to give up when nothing else can make room; None when there is none."""
    best = view.best()
    waiting = [run for run in _worst_first(view) if run.state is RunState.PAUSED]
    return next((run for run in waiting if run.checkpoints and run is not best), None)


def n_bytes(view: StudyView) -> int:
    """Bytes of all checkpoints of the study."""
    return sum(c.n_bytes for run in view.runs.values() for c in run.checkpoints)


def _needed(view: StudyView) -> set[Key]:
    needed = {_key(run.latest) for run in view.runs.values() if run.latest and not run.state.ended}
    needed |= {_key(c) for r in view.runs.values() if not r.state.ended for c in _kept(r)}
    best = view.best()
    if best is not None and (checkpoint := _best_of(best) or best.latest) is not None:
        needed.add(_key(checkpoint))
    current = view.current().values()
    return needed | {_key(r.latest) for r in current if r.state is RunState.LOST and r.latest}


def _kept(run: Run) -> list[Checkpoint]:
    """What a person has marked, and the newest of those from before a change."""
    marked = [c for c in run.checkpoints if "mark" in c.kept]
    before = [c for c in run.checkpoints if "before" in c.kept]
    return [*marked, *before[-N_BEFORE_CHANGES:]]


def _early(view: StudyView, run: Run, share: float | None) -> set[float]:
    """The step of the newest checkpoint within this share of a full training."""
    last = view.study.max_steps
    if share is None or last is None:
        return set()
    early = [c.step for c in run.checkpoints if c.step <= share * last]
    return {max(early)} if early else set()


def _worst_first(view: StudyView) -> list[Run]:
    def loss(run: Run) -> float:
        return math.inf if math.isnan(run.best_loss) else run.best_loss

    return sorted(view.runs.values(), key=lambda run: (-loss(run), -run.trial))


def _best_of(run: Run) -> Checkpoint | None:
    scored = [c for c in run.checkpoints if c.loss is not None]
    return min(scored, key=lambda c: (c.loss, c.step), default=None)


def _key(checkpoint: Checkpoint) -> Key:
    return checkpoint.run_id, checkpoint.step
