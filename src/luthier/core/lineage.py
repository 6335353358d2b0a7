"""Checkpoints that a run may go back to: its own, and those of the runs it came from."""

from luthier.core.action import Author, Fork
from luthier.core.course import without_extras
from luthier.core.domain import Value
from luthier.core.errors import PointError
from luthier.core.study import Checkpoint, Run, Study, StudyView


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
    return f"no checkpoint of run {run.id} at {step:g}; it has {_steps(run)}"


def forked(study: Study, run: Run, fork: Fork) -> dict[str, Value]:
    """The point of a fork; PointError where it would be nothing new: a value for what is not active
    there, or no step left to train. A retry may have none left: the run died after its last."""
    point = study.space.cast(without_extras({**run.params, **fork.params}))
    inactive = [name for name in without_extras(fork.params) if name not in point]
    if inactive:
        raise PointError(f"{inactive[0]} is not active in {point}; leave it out, or change that.")
    last = study.max_steps
    if last is not None and fork.at_step >= last and fork.author is not Author.GUARD:
        raise PointError(
            f"step {fork.at_step:g} is the last of a training, so a fork there would train "
            f"nothing; fork it before (checkpoints of run {run.id}: {_steps(run)}), or at 0 to "
            "begin anew."
        )
    return point


def _steps(run: Run) -> str:
    return ", ".join(f"{c.step:g}" for c in run.checkpoints) or "none"
