"""What waits for a person."""

from luthier.core.action import ASKS, Author, Pause
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
