"""Runs that were cut off, or died with their process, and how they go on: functions of the view."""

from collections.abc import Iterator

from luthier.core.action import Action, Author, Change, Continue, Fork, Start
from luthier.core.lineage import newest_step
from luthier.core.study import Run, RunState, StudyView

INTERRUPTED, BUDGET_END, TUNER_LOST = "interrupted", "budget-end", "tuner-lost"
SLICE_END = "slice-end"  # the run has come to the end of its lease
RELEASED = "released"  # by a person who had held or paused it
CUT_OFF = (INTERRUPTED, BUDGET_END, TUNER_LOST)
ON_ITS_WAY = (SLICE_END, RELEASED, *CUT_OFF)  # when it is not yet where it was sent
MAX_RETRIES = 2  # of a trial whose process dies


def unfinished(view: StudyView) -> Iterator[Action]:
    """The runs that go on: what stopped them was a dead process, the end of an earlier sitting, or
    a person who has let go."""
    for run in view.current().values():
        if run.state is RunState.PAUSED and run.step < run.to_step:
            if run.reason in ON_ITS_WAY:
                yield Continue(
                    run_id=run.id, to_step=run.to_step, reason="goes-on", author=Author.GUARD
                )
        elif _is_to_be_tried_again(view, run):
            at_step = newest_step(view, run)
            changes = [e.action for e in view.diary
                       if e.run_id == run.id and isinstance(e.action, Change)]  # fmt: skip
            plan = tuple((c.at_step, c.params) for c in changes
                         if c.at_step is not None and c.at_step >= at_step)  # fmt: skip
            yield Fork(
                run_id=run.id, at_step=at_step, to_step=run.to_step, reason="retry",
                author=Author.GUARD, seed=run.seed, plan=plan,
            )  # fmt: skip


def lease_of(view: StudyView, run: Run) -> float:
    """How far the run was last sent by a policy or a person, or the step it is at, if that is
    further: what a hold sends it on to is no lease."""
    sent = (
        entry.action.to_step
        for entry in reversed(view.diary)
        if entry.run_id == run.id and entry.state != "refused"
        and isinstance(entry.action, Start | Continue | Fork)
        and (entry.action.author is not Author.GUARD or isinstance(entry.action, Fork))
    )  # fmt: skip
    return max(run.step, next(sent, run.step))


def _is_to_be_tried_again(view: StudyView, run: Run) -> bool:
    """A dead process is no result, and a run that had to be stopped for lack of a checkpoint."""
    if run.state is RunState.STOPPED:
        return run.reason in CUT_OFF
    return run.state is RunState.LOST and _n_crashes(view, run.trial) <= MAX_RETRIES


def _n_crashes(view: StudyView, trial: int) -> int:
    return sum(
        run.trial == trial and run.state is RunState.LOST and run.reason != TUNER_LOST
        for run in view.runs.values()
    )
