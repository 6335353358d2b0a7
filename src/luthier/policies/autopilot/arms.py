"""What may be changed in the middle of a training, and what has been tried."""

from dataclasses import dataclass
from typing import final

from luthier.core.action import Pause
from luthier.core.course import without_extras
from luthier.core.domain import Float, Value
from luthier.core.entry import Entry
from luthier.core.study import Run
from luthier.policies.autopilot import constants as c
from luthier.policies.autopilot.logbook import REGRET, TEST, Logbook


@final
@dataclass(frozen=True, slots=True)
class Arm:
    """One change to be tested, and what is applied if it wins."""

    parameter: str
    direction: str  # "up", "down"
    tested: Value
    taken: Value


def rehearsal_steps(planned: float) -> float:
    """Steps for which each fork of a test trains."""
    return max(float(c.N_REHEARSED), float(round(c.REHEARSAL_SHARE * planned)))


def arms(log: Logbook, run: Run, cause: str) -> list[Arm]:
    """What may help against the cause: at most two arms, no direction that is tabu."""
    rate = float(run.params[log.rate])
    down = Arm(log.rate, "down", rate * c.DOWN, rate * c.DOWN)
    up = Arm(log.rate, "up", rate * c.UP, rate * c.UP**c.UP_TAKEN)
    found = [down, up] if cause == "plateau" else [*_regularizers(log, run), down]
    tabu, planned = _tabu(log, run), log.planned or 0.0
    room = int((c.TOTAL_SHARE * planned - log.spent()) // rehearsal_steps(planned)) - 1
    fine = [a for a in found if (a.parameter, a.direction) not in tabu and _allowed(log, a)]
    return fine[: min(2, max(0, room))]


def _regularizers(log: Logbook, run: Run) -> list[Arm]:
    found = []
    for name in ("weight_decay", "wd"):
        now = run.params.get(name)
        if isinstance(now, float) and now > 0:
            more = now * c.DECAY_FACTOR
            found.append(Arm(name, "up", more, more))
    for name in ("dropout", "dropout_rate"):
        now = run.params.get(name)
        if isinstance(now, float) and now < c.DROPOUT_MOST:
            more = min(c.DROPOUT_MOST, now + c.DROPOUT_STEP)
            found.append(Arm(name, "up", more, more))
    return found


def _allowed(log: Logbook, arm: Arm) -> bool:
    domain = log.view.study.space.domains.get(arm.parameter)
    inside = isinstance(domain, Float) and domain.low <= arm.tested <= domain.high
    if not inside or domain is None or not domain.live or log.main is None:
        return False
    point = {**without_extras(log.main.params), arm.parameter: arm.tested}
    return log.view.study.space.feasible(point)


def tests_of(log: Logbook) -> list[Entry]:
    """The pauses that began a test."""
    return [e for e in log.code(TEST) if isinstance(e.action, Pause)]


def _tabu(log: Logbook, run: Run) -> set[tuple[str, str]]:
    """Parameters and directions that did not win, or were regretted, not long ago."""
    since = run.step - c.APART_SHARE * (log.planned or 0.0) * 2
    return {
        words_of(entry)
        for entry in (*(e for e, _ in log.arms()), *log.code(REGRET))
        if entry.step is not None and entry.step >= since and words_of(entry)[0] != "control"
    }


def words_of(entry: Entry) -> tuple[str, str]:
    """Parameter and direction out of a reason "arm: lr down …"."""
    words = entry.action.reason.split()
    return (words[1], words[2]) if len(words) > 2 else ("", "")


def cast(log: Logbook, arm: Arm) -> Value:
    """The value to be applied, as the space has it."""
    return log.view.study.space.domains[arm.parameter].cast(arm.taken)


def arm_of(log: Logbook, entry: Entry) -> Arm | None:
    """The arm that a fork tests; None for the control."""
    parameter, direction = words_of(entry)
    tested = getattr(entry.action, "params", {}).get(parameter)
    if tested is None:
        return None
    taken = tested
    if parameter == log.rate and direction == "up":
        taken = tested * c.UP ** (c.UP_TAKEN - 1.0)
    return Arm(parameter, direction, tested, taken)
