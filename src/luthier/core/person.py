"""What waits for a person, and is in a person's hands."""

import math
from collections.abc import Mapping
from dataclasses import replace

from luthier.core.action import ASKS, Action, Author, Continue, Pause
from luthier.core.study import Run, RunState, StudyView


def waits_for_a_person(view: StudyView, run: Run) -> bool:
    """Whether a person paused the run, or is asked how it goes on."""
    if run.state is not RunState.PAUSED:
        return False
    pauses = (
        entry.action
        for entry in reversed(view.diary)
        if entry.run_id == run.id and entry.state != "refused" and isinstance(entry.action, Pause)
    )
    last = next(pauses, None)
    by_hand = last is not None and last.author is Author.HUMAN and last.reason == run.reason
    return by_hand or run.reason.startswith(ASKS)


def is_in_hand(view: StudyView, action: Action) -> bool:
    """Whether a policy asks for what is not its own: it keeps its hands off a run that a person has
    taken, or has paused."""
    run = view.runs.get(getattr(action, "run_id", ""))
    if run is None or action.author is not Author.POLICY:
        return False
    return run.held or (isinstance(action, Continue | Pause) and waits_for_a_person(view, run))


def for_policies(view: StudyView) -> Mapping[str, Run]:
    """The runs as policies see them: one that a person paused has not come to where it was sent,
    whatever step it is at, so that none takes it for one that waits to be sent on."""
    asked = {e.run_id for e in view.diary
             if isinstance(e.action, Pause) and e.action.author is Author.HUMAN}  # fmt: skip
    rest = {i: replace(view.runs[i], to_step=math.inf) for i in asked
            if i in view.runs and waits_for_a_person(view, view.runs[i])}  # fmt: skip
    return {**view.runs, **rest} if rest else view.runs
