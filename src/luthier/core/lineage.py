"""Checkpoints that a run may go back to: its own, and those of the runs it came from."""

from luthier.core.study import Checkpoint, Run, StudyView


def within_reach(view: StudyView, run: Run) -> list[Checkpoint]:
    """The run's own checkpoints, and those of its ancestors from before it left them."""
    found = list(run.checkpoints)
    while run.parent is not None:
        step, run = run.parent.step, view.runs[run.parent.run_id]
        found += [c for c in run.checkpoints if c.step <= step]
    return found


def newest_step(view: StudyView, run: Run) -> float:
    """Of the checkpoints that a new run of the trial could begin from; 0 when none is left."""
    return max((c.step for c in within_reach(view, run)), default=0.0)


def checkpoint_at(view: StudyView, run: Run, step: float) -> Checkpoint | None:
    """The one at just this step, if it is still there."""
    return next((c for c in within_reach(view, run) if c.step == step), None)


def no_checkpoint(run: Run, step: float) -> str:
    """Why a run cannot go to a step."""
    steps = ", ".join(f"{c.step:g}" for c in run.checkpoints) or "none"
    return f"no checkpoint of run {run.id} at {step:g}; it has {steps}"
