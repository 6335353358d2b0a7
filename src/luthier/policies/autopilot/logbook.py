"""What the autopilot has done so far, read off the diary: it keeps nothing else.

Every reason begins with a code, a colon, and words for people.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from luthier.core.action import ASKS, Action, Author, Change, Fork, Pause, RollBack, Start
from luthier.core.course import SUFFIX
from luthier.core.domain import Float
from luthier.core.entry import Entry
from luthier.core.errors import PolicyError
from luthier.core.study import Checkpoint, Run, RunState, StudyView

PROBE, MAIN, RESCUE, BACK, REGRET = "probe", "main", "rescue", "back", "regret"
ARM, ACCEPT, TEST, COOL = "arm", "accept", "test", "cool"
LONGER, DONE, MEAN = "longer", "done", "mean"
SLOWER = "slower: another rate goes on"  # the end of a probe that did not win
_RATES = ("lr", "learning_rate")


@final
@dataclass(frozen=True, slots=True)
class Logbook:
    """The story so far; runs are given as their newest successors after a crash."""

    view: StudyView
    rate: str  # the learning rate's name in the space
    planned: float | None  # steps of the whole training; None where no end is known
    limit: float | None  # steps of all runs together, by the study's budget
    first: Run | None  # the first probe
    probes: tuple[Run, ...]  # the first among them
    main: Run | None  # the run that is raised, once it is known
    entries: tuple[Entry, ...]  # obeyed, of the run that is raised

    def code(self, *codes: str) -> list[Entry]:
        """Entries of the run that is raised with one of these codes."""
        return [entry for entry in self.entries if code_of(entry) in codes]

    @property
    def touched(self) -> int:
        """Number of the newest action of a person on the run; 0 when there is none."""
        return max((e.number for e in self.entries if e.action.author is Author.HUMAN), default=0)

    def arms(self) -> list[tuple[Entry, Run]]:
        """The forks of all tests, in order."""
        return [
            (entry, newest(self.view, entry.run_id))
            for entry in self.view.diary
            if isinstance(entry.action, Fork) and code_of(entry) == ARM and entry.state == "obeyed"
        ]

    def spent(self) -> float:
        """Steps of all runs but the one that is raised."""
        lineage = set(ancestors(self.view, self.main)) if self.main else set[str]()
        return sum(own_steps(run) for run in self.view.runs.values() if run.id not in lineage)


def end_for(log: Logbook, run: Run) -> float | None:
    """The last step of the run, so that with what else was spent the budget of steps holds."""
    if log.planned is None or log.limit is None:
        return log.planned
    lineage = ancestors(log.view, run)
    others = sum(own_steps(r) for r in log.view.runs.values() if r.id not in lineage)
    return max(run.step + 1.0, math.floor(min(log.planned, log.limit - others)))


def end_of(log: Logbook, run: Run) -> float:
    """The last step of the run by the course it follows; infinite where no end is known."""
    course = run.params.get(log.rate + SUFFIX)
    return float(course[-1][0]) if course and log.planned is not None else math.inf


def read(view: StudyView) -> Logbook:
    """The story from the view."""
    starts = [run for run in view.runs.values() if run.parent is None and run.attempt == 0]
    first = newest(view, starts[0].id) if starts else None
    probes: list[Run] = []
    main: Run | None = None
    for entry in view.diary:
        if entry.state != "obeyed":
            continue
        code = code_of(entry)
        if isinstance(entry.action, Start | Fork) and code == PROBE:
            probes.append(newest(view, entry.run_id))
        if code in (MAIN, RESCUE, LONGER):
            main = newest(view, entry.run_id)
    lineage = ancestors(view, main) if main else []
    entries = tuple(e for e in view.diary if e.run_id in lineage and e.state == "obeyed")
    limit = view.study.budget.n_steps
    return Logbook(
        view, rate_of(view), planned_steps(view), limit, first, tuple(probes), main, entries
    )


def code_of(entry: Entry) -> str:
    """The code that an entry's reason begins with; "" for people's and the guard's."""
    if entry.action.author is not Author.POLICY:
        return ""
    return entry.action.reason.partition(":")[0]


def rate_of(view: StudyView) -> str:
    """The learning rate's name; PolicyError when the space has none that is live."""
    for name in _RATES:
        domain = view.study.space.domains.get(name)
        if isinstance(domain, Float) and domain.live and domain.low > 0:
            return name
    raise PolicyError(
        "the autopilot changes the learning rate while a run trains, and the space has none that "
        "may; declare lr=Float(1e-5, 1, log=True, live=True), do not fix it by --set, and attach "
        "the optimizer."
    )


def planned_steps(view: StudyView) -> float | None:
    """Steps that the training may take; None where no end is known."""
    limits = (view.study.max_steps, view.study.budget.n_steps)
    return min((float(n) for n in limits if n is not None), default=None)


def newest(view: StudyView, run_id: str) -> Run:
    """The run, or what the tuner put in its place after a crash."""
    for entry in reversed(view.diary):
        action = entry.action
        retried = isinstance(action, Fork) and action.author is Author.GUARD
        if retried and entry.state == "obeyed" and getattr(action, "run_id", "") == run_id:
            return newest(view, entry.run_id)
    return view.runs[run_id]


def ancestors(view: StudyView, run: Run | None) -> list[str]:
    """The run's id and those of all it came from."""
    found = []
    while run is not None:
        found.append(run.id)
        run = view.runs.get(run.parent.run_id) if run.parent else None
    return found


def own_steps(run: Run) -> float:
    """Steps that the run has trained itself."""
    return run.step - (run.parent.step if run.parent else 0.0)


def checkpoints(view: StudyView, run: Run) -> Iterator[Checkpoint]:
    """What the run may go back to, the newest first."""
    limit = float("inf")
    while True:
        yield from (c for c in reversed(run.checkpoints) if c.step <= limit)
        if run.parent is None:
            return
        limit = min(limit, run.parent.step)
        run = view.runs[run.parent.run_id]


def is_probe(run: Run) -> bool:
    """Whether the run was a probe or a rehearsal, which were never to go further."""
    return run.reason == SLOWER or run.reason.startswith(f"{ARM}:")


def waits(run: Run) -> bool:
    """Whether the run is paused at a place from which it can go on."""
    return run.state is RunState.PAUSED


def is_asked(log: Logbook, run: Run) -> bool:
    """Whether an action of the autopilot on the run is still to be obeyed."""
    return any(
        entry.state == "asked"
        and entry.run_id == run.id
        and code_of(entry)
        and getattr(entry.action, "at_step", None) is None
        for entry in log.view.diary
    )


def n_refused(log: Logbook, run: Run) -> int:
    """How many of the autopilot's newest actions on the run were refused, in a row."""
    n = 0
    for entry in reversed(log.view.diary):
        if entry.run_id == run.id:
            if entry.state != "refused" or not code_of(entry):
                return n
            n += 1
    return n


def ask(run: Run, words: str) -> list[Action]:
    """A pause that only a person ends."""
    if not run.active and (run.state.ended or run.reason.startswith(ASKS)):
        return []
    return [Pause(run_id=run.id, reason=f"{ASKS}{words}")]


def changes(log: Logbook) -> list[Entry]:
    """Changes and rollbacks of the run that is raised."""
    return [e for e in log.entries if isinstance(e.action, Change | RollBack)]
